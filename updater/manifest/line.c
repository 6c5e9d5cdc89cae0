/* SPDX-License-Identifier: MIT */
/* Fields of a manifest line: see line.h.  Everything here is untrusted. */
#include "manifest/line.h"

#include "base/text.h"

#define SECONDS_MAX (UINT64_C(1) << 53) /* far beyond what any file system keeps */

bool line_field(const char **at, const char *end, struct field *ret)
{
	const char *space;

	if (!*at)
		return false;
	space = memchr(*at, ' ', (size_t)(end - *at));
	ret->s = *at;
	ret->n = (size_t)((space ? space : end) - *at);
	*at = space ? space + 1 : NULL;
	return ret->n > 0;
}

bool field_is(struct field f, const char *text)
{
	return f.n == strlen(text) && memcmp(f.s, text, f.n) == 0;
}

bool field_u64(struct field f, uint64_t max, uint64_t *ret)
{
	return text_u64(f.s, f.n, max, ret);
}

bool field_mode(struct field f, uint32_t *ret)
{
	uint32_t mode = 0;

	if (f.n != 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		if (f.s[i] < '0' || f.s[i] > '7')
			return false;
		mode = mode * 8 + (uint32_t)(f.s[i] - '0');
	}
	*ret = mode;
	return true;
}

bool field_time(struct field f, struct timespec *ret)
{
	bool negative = f.n > 0 && f.s[0] == '-';
	size_t skip = negative ? 1 : 0;
	uint64_t seconds;
	long nanoseconds = 0;

	if (f.n < skip + 11 || f.s[f.n - 10] != '.')
		return false;
	if (!text_u64(f.s + skip, f.n - 10 - skip, SECONDS_MAX, &seconds))
		return false;
	if (negative && seconds == 0)
		return false;
	for (size_t i = f.n - 9; i < f.n; i++) {
		if (f.s[i] < '0' || f.s[i] > '9')
			return false;
		nanoseconds = nanoseconds * 10 + (f.s[i] - '0');
	}
	ret->tv_sec = negative ? -(time_t)seconds : (time_t)seconds;
	ret->tv_nsec = nanoseconds;
	return true;
}

bool field_device(struct field f, uint32_t *ret_major, uint32_t *ret_minor)
{
	const char *colon = memchr(f.s, ':', f.n);
	uint64_t major;
	uint64_t minor;
	size_t n;

	if (!colon)
		return false;
	n = (size_t)(colon - f.s);
	if (!text_u64(f.s, n, MANIFEST_MAJOR_MAX, &major) ||
		!text_u64(colon + 1, f.n - n - 1, MANIFEST_MINOR_MAX, &minor))
		return false;
	*ret_major = (uint32_t)major;
	*ret_minor = (uint32_t)minor;
	return true;
}

static bool is_escaped_byte(unsigned c)
{
	return c <= 0x20 || c == 0x7f || c == '\\';
}

bool field_unescape(struct field f, struct buf *out)
{
	size_t from = 0;

	for (size_t i = 0; i < f.n; i++) {
		unsigned c = (unsigned char)f.s[i];
		char byte;

		if (c != '\\') {
			if (is_escaped_byte(c))
				return false;
			continue;
		}
		buf_add(out, f.s + from, i - from);
		if (f.n - i < 4)
			return false;
		c = 0;
		for (size_t k = 1; k <= 3; k++) {
			if (f.s[i + k] < '0' || f.s[i + k] > '7')
				return false;
			c = c * 8 + (unsigned)(f.s[i + k] - '0');
		}
		if (c == 0 || c > 0xff || !is_escaped_byte(c))
			return false;
		byte = (char)c;
		buf_add(out, &byte, 1);
		i += 3;
		from = i + 1;
	}
	buf_add(out, f.s + from, f.n - from);
	return true;
}

bool field_value(struct field f, struct buf *out)
{
	size_t before = out->size;
	size_t decoded;
	autobuf again = { 0 };

	if (field_is(f, "-"))
		return true;
	if (!text_unbase64(f.s, f.n, out))
		return false;
	decoded = out->size - before;
	if (decoded == 0 || decoded > MANIFEST_XATTR_MAX)
		return false;
	/* Unused bits of the last group must be zero: only the round trip is canonical. */
	text_base64((struct bytes){ (unsigned char *)out->data + before, decoded }, &again);
	return again.size == f.n && memcmp(again.data, f.s, f.n) == 0;
}
