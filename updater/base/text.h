/* SPDX-License-Identifier: MIT */
/*
 * Strict text: integers, hex, base64, times, and escaping of foreign text.
 * Every parser takes exactly one form and refuses everything else.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"

/* Decimal, no sign, no leading zero, at most `max`. */
bool text_u64(const char *s, size_t n, uint64_t max, uint64_t *ret);

/* Lower-case hex; decode wants exactly 2 * size digits. */
void text_hex(struct bytes b, char *out /* 2 * size + 1 */);
bool text_unhex(const char *s, size_t n, unsigned char *out, size_t size);

/* Padded standard base64 (RFC 4648 section 4). */
void text_base64(struct bytes b, struct buf *out);
/* Appends to `out`; `*out` is unspecified on failure. */
bool text_unbase64(const char *s, size_t n, struct buf *out);

/* Take `text`, or the next line without its newline, from the beginning of `in`; false:
 * it does not begin so, or is empty.  The last line needs no newline. */
bool text_take(struct bytes *in, const char *text);
bool text_take_line(struct bytes *in, struct bytes *ret);

/* Well-formed UTF-8 without NUL. */
bool text_is_utf8(struct bytes b);

/* RFC 3339 in UTC, whole seconds: "2026-11-03T10:00:00Z". */
#define TEXT_TIME_MAX 32
void text_time(int64_t seconds, char out[TEXT_TIME_MAX]);
bool text_untime(const char *s, size_t n, int64_t *ret_seconds);

/* "1.2 GB", "37 kB", "512 B" (decimal units). */
#define TEXT_SIZE_MAX 32
void text_size(uint64_t bytes, char out[TEXT_SIZE_MAX]);

/*
 * Append foreign text made safe for a terminal, a log line and a one-line
 * record: control characters, DEL, backslash and bytes that are not UTF-8
 * become \ooo.  With `spaces`, blanks are escaped too (for fields of a record).
 */
void text_escape(struct buf *out, struct bytes foreign, bool spaces);
/* The inverse; refuses anything text_escape would not print in \ooo form. */
bool text_unescape(const char *s, size_t n, struct buf *out);

#endif
