/* SPDX-License-Identifier: MIT */
/* What happened to this device: see history.h. */
#include "update/history.h"

#include <fcntl.h>
#include <inttypes.h>
#include <time.h>

#include "base/io.h"
#include "base/text.h"

#define HISTORY_NAME "history"
#define HISTORY_MAX  65536 /* bytes; the older half goes when it is full */

/* At most half of what is there, from the start of a line. */
static struct bytes newer_half(const struct buf *text)
{
	const char *middle = text->data + text->size / 2;
	const char *end =
		memchr(middle, '\n', (size_t)(text->data + text->size - middle));
	const char *start = end ? end + 1 : text->data + text->size;

	return (struct bytes){ (const unsigned char *)start,
		(size_t)(text->data + text->size - start) };
}

static void trim(int state_dirfd)
{
	autobuf text = { 0 };
	struct error why;

	if (io_read_file_at(state_dirfd, HISTORY_NAME, HISTORY_MAX * 2, &text, &why) ==
			0 &&
		text.size > HISTORY_MAX)
		(void)io_replace_at(
			state_dirfd, HISTORY_NAME, newer_half(&text), 0600, &why);
}

void history_add(int state_dirfd, const char *event, const char *slot,
	const struct release_ref *ref, const char *text)
{
	autofd fd = openat(state_dirfd, HISTORY_NAME,
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	char when[TEXT_TIME_MAX];
	autobuf line = { 0 };
	struct error why;
	struct stat st;

	if (fd < 0)
		return;
	text_time((int64_t)time(NULL), when);
	buf_addf(&line, "%s %s %s %" PRIu64 " ", when, event, slot && *slot ? slot : "-",
		ref ? ref->serial : 0);
	if (ref && ref->version[0])
		text_escape(&line, bytes_of(ref->version), true);
	else
		buf_adds(&line, "-");
	buf_adds(&line, " ");
	text_escape(&line, bytes_of(text ? text : ""), false);
	buf_adds(&line, "\n");
	if (io_write_full(fd, line.data, line.size, &why) < 0)
		return;
	(void)fdatasync(fd); /* it only tells */
	if (fstat(fd, &st) == 0 && st.st_size > HISTORY_MAX)
		trim(state_dirfd);
}

/* The field up to the next blank; false when there is none. */
static bool field(const char **p, const char *end, struct bytes *ret)
{
	const char *space = memchr(*p, ' ', (size_t)(end - *p));

	if (!space || space == *p)
		return false;
	*ret = (struct bytes){ (const unsigned char *)*p, (size_t)(space - *p) };
	*p = space + 1;
	return true;
}

static bool parse(const char *p, const char *end, struct history_line *ret)
{
	struct bytes when;
	struct bytes serial;

	if (!field(&p, end, &when) ||
		!text_untime((const char *)when.data, when.size, &ret->time) ||
		!field(&p, end, &ret->event) || !field(&p, end, &ret->slot) ||
		!field(&p, end, &serial) ||
		!text_u64((const char *)serial.data, serial.size, UINT64_MAX,
			&ret->serial) ||
		!field(&p, end, &ret->version))
		return false;
	ret->text = (struct bytes){ (const unsigned char *)p, (size_t)(end - p) };
	return true;
}

int history_read(int state_dirfd,
	int (*line)(void *ctx, const struct history_line *line, struct error *e),
	void *ctx, struct error *e)
{
	autobuf text = { 0 };
	int r = io_read_file_at(state_dirfd, HISTORY_NAME, HISTORY_MAX * 2, &text, e);

	if (r == E_NOTFOUND)
		return 0;
	for (const char *p = text.data; r == 0 && p && *p;) {
		const char *end = strchr(p, '\n');
		struct history_line one;

		if (!end)
			break; /* cut off by a power cut */
		if (parse(p, end, &one))
			r = line(ctx, &one, e);
		p = end + 1;
	}
	return r;
}
