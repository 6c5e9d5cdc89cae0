/* SPDX-License-Identifier: MIT */
/* See term.h. */
#include "build/term.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define REDRAW_MS 100

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void term_foreign(FILE *f, const char *text)
{
	autobuf shown = { 0 };

	/* Backslashes are ours: paths in messages are escaped already. */
	for (const char *p = text; *p; p++) {
		size_t n = strcspn(p, "\\");

		text_escape(&shown, (struct bytes){ (const unsigned char *)p, n }, false);
		p += n;
		if (!*p)
			break;
		buf_adds(&shown, "\\");
	}
	(void)fputs(shown.data ? shown.data : "", f);
}

void term_settle(struct term *t)
{
	if (t->drawn)
		(void)fputs("\r\033[K", stderr);
	t->drawn = false;
}

static void report(void *ctx, const struct progress_event *event)
{
	struct term *t = ctx;
	char done[TEXT_SIZE_MAX];
	int64_t now;

	if (!t->live)
		return;
	now = now_ms();
	if (now - t->last_ms < REDRAW_MS)
		return;
	t->last_ms = now;
	t->drawn = true;
	text_size(event->done, done);
	(void)fprintf(stderr, "\r%s: %s\033[K", event->step, done);
	(void)fflush(stderr);
}

static void note(void *ctx, const char *text)
{
	term_settle(ctx);
	(void)fputs("git-osupdate: ", stderr);
	term_foreign(stderr, text);
	(void)fputc('\n', stderr);
}

void term_init(struct term *t, const volatile sig_atomic_t *stop)
{
	*t = (struct term){
		.live = isatty(STDERR_FILENO) == 1,
		.progress = { .report = report, .note = note, .ctx = t, .stop = stop },
	};
}
