/* SPDX-License-Identifier: MIT */
/*
 * pkt-lines, of which git's protocols are made: four hexadecimal digits that count
 * themselves and what follows.  Format: gitprotocol-common(5).  What is read is
 * untrusted; a line is at most 65,516 bytes.
 */
#ifndef SERVER_PKTLINE_H
#define SERVER_PKTLINE_H

#include "base/buf.h"
#include "base/error.h"

#define PKTLINE_MAX 65516 /* bytes of a line without its length */

enum pktline_kind {
	PKTLINE_DATA,
	PKTLINE_FLUSH, /* 0000: the end of a message */
	PKTLINE_DELIM, /* 0001: the end of a section */
	PKTLINE_END,   /* 0002: the end of a response (not used over http) */
	PKTLINE_EOF,   /* nothing more comes */
};

/* Zeroed but `some` and `ctx`. */
struct pktline_reader {
	/* 1 to `max` bytes into `data`, *ret_n = 0 at the end. */
	int (*some)(void *ctx, void *data, size_t max, size_t *ret_n, struct error *e);
	void *ctx;
	unsigned char data[PKTLINE_MAX + 4];
	size_t start;
	size_t fill;
};

/*
 * The next line; for PKTLINE_DATA *ret lives until the next call.
 * Errors: E_REMOTE what comes is no pkt-line, or ends within one; those of `some`.
 */
int pktline_next(struct pktline_reader *r, enum pktline_kind *ret_kind, struct bytes *ret,
	struct error *e);

/* Without the newline at its end, which is optional everywhere. */
struct bytes pktline_text(struct bytes line);

/* Does the text begin with `with`?  What follows is *ret (may be NULL). */
bool pktline_starts(struct bytes text, const char *with, struct bytes *ret);

/* Append a line with a newline behind it, or a special one. */
void pktline_add(struct buf *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void pktline_add_flush(struct buf *out);
void pktline_add_delim(struct buf *out);

#endif
