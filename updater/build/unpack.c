/* SPDX-License-Identifier: MIT */
/*
 * Two archives in a row: the outer one takes off the compression, the inner one reads
 * the tar from what the outer one gives, through the window: see unpack.h.
 */
#include "build/unpack.h"

#include <errno.h>
#include <inttypes.h>

#include "base/text.h"

#define BLOCK	  512
#define READ_SIZE (1u << 18)
/* libarchive takes extended headers up to 1 MiB and reads little ahead. */
#define WINDOW	    (4u << 20)
#define RECORDS_MAX (1u << 20)
/* POSIX ustar header: name 100, mode 8, uid 8, gid 8, size 12, mtime 12, chksum 8 */
#define AT_MODE 100
#define AT_SIZE 124
#define AT_TYPE 156

struct unpack {
	int fd;
	const volatile sig_atomic_t *stop; /* may be NULL */
	bool stopped;
	unsigned char *block; /* READ_SIZE bytes */
	struct archive *outer;
	struct archive *inner;
	unsigned char *window; /* a ring */
	uint64_t end;	       /* bytes that went through it */
	uint64_t left;	       /* bytes the current entry still has to give */
};

static int fail(
	const struct unpack *u, struct archive *a, const char *what, struct error *e)
{
	const char *why = archive_error_string(a);
	autobuf shown = { 0 };

	if (u->stopped)
		return err_set(e, E_INTERRUPTED, "interrupted");
	text_escape(&shown, bytes_of(why ? why : "unknown error"), false);
	return err_set(e, E_INPUT, "%s: %s", what, shown.data);
}

/* --- the window ------------------------------------------------------------------- */

static void remember(struct unpack *u, const unsigned char *data, size_t n)
{
	while (n > 0) {
		size_t at = (size_t)(u->end % WINDOW);
		size_t now = n < WINDOW - at ? n : WINDOW - at;

		memcpy(u->window + at, data, now);
		u->end += now;
		data += now;
		n -= now;
	}
}

static bool recall(const struct unpack *u, uint64_t from, size_t n, unsigned char *ret)
{
	if (from > u->end || u->end - from < n || u->end - from > WINDOW)
		return false;
	for (size_t i = 0; i < n;) {
		size_t at = (size_t)((from + i) % WINDOW);
		size_t now = n - i < WINDOW - at ? n - i : WINDOW - at;

		memcpy(ret + i, u->window + at, now);
		i += now;
	}
	return true;
}

static la_ssize_t give(struct archive *inner, void *ctx, const void **ret)
{
	struct unpack *u = ctx;
	la_int64_t offset;
	size_t n = 0;
	int r;

	*ret = NULL;
	do
		r = archive_read_data_block(u->outer, ret, &n, &offset);
	while (r == ARCHIVE_RETRY || (r >= ARCHIVE_WARN && r != ARCHIVE_EOF && n == 0));
	if (r == ARCHIVE_EOF)
		return 0;
	if (r < ARCHIVE_WARN) {
		archive_set_error(inner, EIO, "%s", archive_error_string(u->outer));
		return -1;
	}
	remember(u, *ret, n);
	return (la_ssize_t)n;
}

/* libarchive's own reader would go on after a signal. */
static la_ssize_t read_block(struct archive *outer, void *ctx, const void **ret)
{
	struct unpack *u = ctx;

	*ret = u->block;
	for (;;) {
		ssize_t n = -1;

		errno = EINTR;
		u->stopped = u->stop && *u->stop;
		if (!u->stopped)
			n = read(u->fd, u->block, READ_SIZE);
		if (n >= 0)
			return n;
		if (errno == EINTR && !u->stopped)
			continue;
		archive_set_error(outer, errno, "read: %s", strerror(errno));
		return -1;
	}
}

static int open_outer(struct unpack *u, struct error *e)
{
	struct archive_entry *entry;
	int r;

	(void)archive_read_support_filter_all(u->outer); /* warns of those it runs */
	(void)archive_read_support_format_raw(u->outer);
	(void)archive_read_support_format_empty(u->outer);
	r = archive_read_open2(u->outer, u, NULL, read_block, NULL, NULL);
	if (r >= ARCHIVE_WARN)
		r = archive_read_next_header(u->outer, &entry);
	if (r == ARCHIVE_EOF)
		return err_set(e, E_INPUT, "empty, not a tar");
	return r < ARCHIVE_WARN ? fail(u, u->outer, "not readable as a tar", e) : 0;
}

int unpack_new(
	int fd, const struct progress *progress, struct unpack **ret, struct error *e)
{
	autounpack u = xcalloc(1, sizeof(*u));
	int r;

	u->fd = fd;
	u->stop = progress ? progress->stop : NULL;
	u->block = xmalloc(READ_SIZE);
	u->window = xmalloc(WINDOW);
	u->outer = archive_read_new();
	u->inner = archive_read_new();
	if (!u->outer || !u->inner)
		return err_set(e, E_SYSTEM, "libarchive: out of memory");
	(void)archive_read_support_format_tar(u->inner);
	r = open_outer(u, e);
	if (r < 0)
		return r;
	if (archive_read_open2(u->inner, u, NULL, give, NULL, NULL) < ARCHIVE_WARN)
		return fail(u, u->inner, "not readable as a tar", e);
	*ret = take_ptr(&u);
	return 0;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	if (u->inner)
		(void)archive_read_free(u->inner); /* only read from */
	if (u->outer)
		(void)archive_read_free(u->outer);
	free(u->window);
	free(u->block);
	free(u);
}

/* --- headers ---------------------------------------------------------------------- */

/* A number in octal, with blanks or NULs around it. */
static bool octal(const unsigned char *field, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (field[i] == ' ' || field[i] == '\0')
			continue;
		if (field[i] < '0' || field[i] > '7')
			return false;
		v = v * 8 + (uint64_t)(field[i] - '0');
	}
	*ret = v;
	return true;
}

static int read_extension(struct unpack *u, uint64_t at, uint64_t size, bool global,
	struct pax *ret, struct error *e)
{
	autofree unsigned char *records = xmalloc(RECORDS_MAX);
	struct bytes b = { records, (size_t)size };

	if (size > RECORDS_MAX || !recall(u, at, (size_t)size, records))
		return err_set(e, E_INPUT, "extended header over 1 MiB");
	return global ? pax_check_global(b, e) : pax_read(b, ret, e);
}

/* The header of the entry itself; libarchive takes types it does not know for files. */
static int read_plain(const unsigned char *block, struct pax *ret, struct error *e)
{
	static const char known[] = "01234567S"; /* and NUL, of the oldest tars */
	uint64_t mode;

	if (!memchr(known, block[AT_TYPE], sizeof(known)))
		return err_set(
			e, E_INPUT, "unknown type of tar entry (\\%03o)", block[AT_TYPE]);
	if (!octal(block + AT_MODE, 8, &mode))
		return err_set(e, E_INPUT, "malformed mode in the tar");
	ret->mode = (uint32_t)(mode & 07777);
	return 0;
}

/* From the first header of the entry to the one with its type. */
static int read_headers(struct unpack *u, struct pax *ret, struct error *e)
{
	uint64_t at = (uint64_t)archive_read_header_position(u->inner);

	for (;;) {
		unsigned char block[BLOCK];
		uint64_t size = 0;
		char type;
		int r = 0;

		if (!recall(u, at, BLOCK, block))
			return err_set(e, E_INPUT, "extended header over 1 MiB");
		type = (char)block[AT_TYPE];
		if (type != 'x' && type != 'X' && type != 'g' && type != 'L' &&
			type != 'K')
			return read_plain(block, ret, e);
		if (!octal(block + AT_SIZE, 12, &size) || size > RECORDS_MAX)
			return err_set(e, E_INPUT, "extended header over 1 MiB");
		if (type == 'x' || type == 'X' || type == 'g')
			r = read_extension(u, at + BLOCK, size, type == 'g', ret, e);
		if (r < 0)
			return r;
		at += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
	}
}

/* --- entries ---------------------------------------------------------------------- */

/* A pipe that broke in mid-air must not become a release with half its files. */
static int check_end(struct unpack *u, struct error *e)
{
	static const unsigned char zeros[BLOCK];
	unsigned char block[BLOCK];
	uint64_t at = (uint64_t)archive_read_header_position(u->inner);
	const void *data;
	la_ssize_t n;

	if (!recall(u, at, BLOCK, block) || memcmp(block, zeros, BLOCK) != 0)
		return err_set(
			e, E_INPUT, "the tar ends without its end mark; is it cut off?");
	while ((n = give(u->inner, u, &data)) > 0)
		;
	return n < 0 ? fail(u, u->inner, "tar", e) : 0;
}

int unpack_next(struct unpack *u, struct archive_entry **ret, struct pax *ret_pax,
	struct error *e)
{
	const char *path;
	int r;

	/* Warnings are about names it could not convert; they are read in the window. */
	do
		r = archive_read_next_header(u->inner, ret);
	while (r == ARCHIVE_RETRY);
	if (r == ARCHIVE_EOF)
		return check_end(u, e);
	if (r < ARCHIVE_WARN)
		return fail(u, u->inner, "tar", e);
	u->left =
		archive_entry_size_is_set(*ret) ? (uint64_t)archive_entry_size(*ret) : 0;
	r = read_headers(u, ret_pax, e);
	if (r == 0)
		return 1;
	path = archive_entry_pathname(*ret);
	return source_at(e, r, path ? path : "?");
}

int unpack_read(void *ctx, void *data, size_t size, size_t *ret_n, struct error *e)
{
	struct unpack *u = ctx;
	la_ssize_t n = 0;

	*ret_n = 0;
	if (u->left == 0 || size == 0)
		return 0;
	if (size > u->left)
		size = (size_t)u->left;
	n = archive_read_data(u->inner, data, size);
	if (n < 0)
		return fail(u, u->inner, "tar", e);
	if (n == 0) {
		/* A hole at the end: a tar that is cut off was an error above. */
		memset(data, 0, size);
		n = (la_ssize_t)size;
	}
	u->left -= (uint64_t)n;
	*ret_n = (size_t)n;
	return 0;
}
