/* SPDX-License-Identifier: MIT */
/*
 * One line of a manifest: its fields, each in the one form the printer would print.
 * Internal to the manifest room.
 */
#ifndef MANIFEST_LINE_H
#define MANIFEST_LINE_H

#include "manifest/manifest.h"

struct field {
	const char *s;
	size_t n;
};

/* The next field of [*at, end), cut at one space; false when none is left. */
bool line_field(const char **at, const char *end, struct field *ret);

bool field_is(struct field f, const char *text);
/* Decimal in its one form, at most `max`. */
bool field_u64(struct field f, uint64_t max, uint64_t *ret);
/* Exactly four octal digits, at most 07777. */
bool field_mode(struct field f, uint32_t *ret);
/* Seconds, possibly negative, '.', nine digits. */
bool field_time(struct field f, struct timespec *ret);
/* "major:minor". */
bool field_device(struct field f, uint32_t *ret_major, uint32_t *ret_minor);
/* Append the raw bytes; false for an escape, or a raw byte, the printer would not print. */
bool field_unescape(struct field f, struct buf *out);
/* Padded base64 in its one form, or "-" for nothing; appended to `out`. */
bool field_value(struct field f, struct buf *out);

#endif
