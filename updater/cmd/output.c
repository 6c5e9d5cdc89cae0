/* SPDX-License-Identifier: MIT */
/* Progress, notes and tables: see output.h. */
#include "cmd/output.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <time.h>

#include "base/text.h"

#define BAR_WIDTH 24
#define REDRAW_MS 100
#define JSON_MS	  250

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void amount(uint64_t n, bool bytes, char out[TEXT_SIZE_MAX])
{
	if (bytes)
		text_size(n, out);
	else
		(void)snprintf(out, TEXT_SIZE_MAX, "%" PRIu64, n);
}

/* "apply   [########----]  123 MB of 400 MB  34 MB/s  0:08 left" */
static void draw(struct output *o, const struct progress_event *ev, int64_t now)
{
	bool bytes = strcmp(ev->unit, "bytes") == 0;
	double seconds = (double)(now - o->step_start_ms) / 1000;
	double rate = seconds > 0.2 ? (double)ev->done / seconds : 0;
	char done[TEXT_SIZE_MAX];
	char total[TEXT_SIZE_MAX];
	char speed[TEXT_SIZE_MAX];
	char bar[BAR_WIDTH + 1] = "";

	amount(ev->done, bytes, done);
	amount(ev->total, bytes, total);
	amount((uint64_t)rate, bytes, speed);
	if (ev->total == 0) {
		(void)fprintf(stderr, "\r\033[K%-7s %s %s  %s/s", ev->step, done,
			bytes ? "" : ev->unit, speed);
	} else {
		size_t full = (size_t)((double)ev->done / (double)ev->total * BAR_WIDTH);

		for (size_t i = 0; i < BAR_WIDTH; i++)
			bar[i] = i < full ? '#' : '-';
		(void)fprintf(stderr, "\r\033[K%-7s [%s] %s of %s%s%s  %s/s", ev->step,
			bar, done, total, bytes ? "" : " ", bytes ? "" : ev->unit, speed);
		if (rate > 0 && ev->done < ev->total) {
			unsigned left = (unsigned)((double)(ev->total - ev->done) / rate);

			(void)fprintf(stderr, "  %u:%02u left", left / 60, left % 60);
		}
	}
	(void)fflush(stderr);
	o->line_open = true;
}

static void print_json(const struct progress_event *ev)
{
	json_t *line = json_pack("{s:s,s:I,s:I,s:s}", "step", ev->step, "done",
		(json_int_t)ev->done, "total", (json_int_t)ev->total, "unit", ev->unit);

	if (!line)
		return;
	(void)json_dumpf(line, stdout, JSON_COMPACT);
	(void)fputc('\n', stdout);
	(void)fflush(stdout);
	json_decref(line);
}

static void report(void *ctx, const struct progress_event *ev)
{
	struct output *o = ctx;
	int64_t now = now_ms();
	bool new_step = strcmp(o->step, ev->step) != 0;
	bool last = ev->total > 0 && ev->done >= ev->total;

	if (new_step) {
		(void)snprintf(o->step, sizeof(o->step), "%s", ev->step);
		o->step_start_ms = now;
	} else if (!last &&
		   now - o->shown_ms < (o->mode == PROGRESS_JSON ? JSON_MS : REDRAW_MS)) {
		return;
	}
	o->shown_ms = now;
	if (o->mode == PROGRESS_JSON)
		print_json(ev);
	else if (o->terminal)
		draw(o, ev, now);
}

static void note(void *ctx, const char *text)
{
	struct output *o = ctx;

	output_settle(o);
	(void)fputs("osupdate: ", stderr);
	output_foreign(stderr, text);
	(void)fputc('\n', stderr);
}

void output_init(
	struct output *o, enum progress_mode mode, const volatile sig_atomic_t *stop)
{
	*o = (struct output){
		.mode = mode,
		.terminal = mode == PROGRESS_AUTO && isatty(STDERR_FILENO),
		.progress = { .report = report, .note = note, .ctx = o, .stop = stop },
	};
}

void output_settle(struct output *o)
{
	if (o->line_open)
		(void)fputs("\r\033[K", stderr);
	o->line_open = false;
}

FILE *output_words(const struct output *o)
{
	return o->mode == PROGRESS_JSON ? stderr : stdout;
}

void output_foreign(FILE *f, const char *text)
{
	autobuf safe = { 0 };

	text_escape(&safe, bytes_of(text), false);
	(void)fputs(safe.data ? safe.data : "", f);
}

static int failed(struct error *e)
{
	return err_set(e, E_SYSTEM, "table: libsmartcols failed");
}

int table_new(const char *const *columns, struct libscols_table **ret, struct error *e)
{
	struct libscols_table *t;

	scols_init_debug(0);
	t = scols_new_table();
	if (!t)
		return failed(e);
	for (size_t i = 0; columns[i]; i++)
		if (!scols_table_new_column(t, columns[i], 0, 0)) {
			scols_unref_table(t);
			return failed(e);
		}
	*ret = t;
	return 0;
}

int table_row(struct libscols_table *t, const char *const *cells, struct error *e)
{
	struct libscols_line *line = scols_table_new_line(t, NULL);

	if (!line)
		return failed(e);
	for (size_t i = 0; i < scols_table_get_ncols(t); i++) {
		autobuf safe = { 0 };

		text_escape(&safe, bytes_of(cells[i]), false);
		if (scols_line_set_data(line, i, safe.data ? safe.data : "") != 0)
			return failed(e);
	}
	return 0;
}

int table_print(struct libscols_table *t, struct error *e)
{
	int r = scols_print_table(t);

	scols_unref_table(t);
	return r != 0 ? failed(e) : 0;
}

void table_free(struct libscols_table *t)
{
	scols_unref_table(t);
}
