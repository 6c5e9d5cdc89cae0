/* SPDX-License-Identifier: MIT */
/* pkt-lines: see pktline.h. */
#include "store/server/pktline.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HEAD 4 /* digits */

/* Until `n` bytes are there: 1, 0 when none came at all. */
static int need(struct pktline_reader *r, size_t n, struct error *e)
{
	if (r->start > 0 && r->start + n > sizeof(r->data)) {
		memmove(r->data, r->data + r->start, r->fill - r->start);
		r->fill -= r->start;
		r->start = 0;
	}
	while (r->fill - r->start < n) {
		size_t got = 0;
		int err = r->some(
			r->ctx, r->data + r->fill, sizeof(r->data) - r->fill, &got, e);

		if (err < 0)
			return err;
		if (got == 0 && r->fill == r->start)
			return 0;
		if (got == 0)
			return err_set(e, E_REMOTE, "the answer ends within a line");
		r->fill += got;
	}
	return 1;
}

static bool digit(unsigned char c, unsigned *ret)
{
	if (c >= '0' && c <= '9')
		*ret = c - '0';
	else if (c >= 'a' && c <= 'f')
		*ret = c - 'a' + 10u;
	else if (c >= 'A' && c <= 'F')
		*ret = c - 'A' + 10u;
	else
		return false;
	return true;
}

static bool read_length(const unsigned char *p, size_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < HEAD; i++) {
		unsigned n;

		if (!digit(p[i], &n))
			return false;
		*ret = *ret << 4 | n;
	}
	return true;
}

int pktline_next(struct pktline_reader *r, enum pktline_kind *ret_kind, struct bytes *ret,
	struct error *e)
{
	static const enum pktline_kind special[] = { PKTLINE_FLUSH, PKTLINE_DELIM,
		PKTLINE_END };
	size_t n;
	int err;

	if (r->start == r->fill)
		r->start = r->fill = 0;
	*ret = (struct bytes){ 0 };
	*ret_kind = PKTLINE_EOF;
	err = need(r, HEAD, e);
	if (err <= 0)
		return err;
	if (!read_length(r->data + r->start, &n) || n == 3 || n > sizeof(r->data))
		return err_set(e, E_REMOTE, "the answer is not made of git's pkt-lines");
	if (n < HEAD) {
		r->start += HEAD;
		*ret_kind = special[n];
		return 0;
	}
	err = need(r, n, e);
	if (err < 0)
		return err;
	*ret_kind = PKTLINE_DATA;
	*ret = (struct bytes){ r->data + r->start + HEAD, n - HEAD };
	r->start += n;
	return 0;
}

struct bytes pktline_text(struct bytes line)
{
	if (line.size > 0 && line.data[line.size - 1] == '\n')
		line.size--;
	return line;
}

bool pktline_starts(struct bytes text, const char *with, struct bytes *ret)
{
	size_t n = strlen(with);

	if (text.size < n || memcmp(text.data, with, n) != 0)
		return false;
	if (ret)
		*ret = (struct bytes){ text.data + n, text.size - n };
	return true;
}

void pktline_add(struct buf *out, const char *fmt, ...)
{
	char line[1024]; /* of ours: names are far shorter */
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	buf_addf(out, "%04x", (unsigned)n + HEAD + 1);
	buf_add(out, line, (size_t)n);
	buf_adds(out, "\n");
}

void pktline_add_flush(struct buf *out)
{
	buf_adds(out, "0000");
}

void pktline_add_delim(struct buf *out)
{
	buf_adds(out, "0001");
}
