/* SPDX-License-Identifier: MIT */
/* Strict text: see text.h. */
#include "base/text.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

bool text_u64(const char *s, size_t n, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (n == 0 || (n > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v))
			return false;
	}
	if (v > max)
		return false;
	*ret = v;
	return true;
}

void text_hex(struct bytes b, char *out)
{
	(void)sodium_bin2hex(out, b.size * 2 + 1, b.data, b.size);
}

bool text_unhex(const char *s, size_t n, unsigned char *out, size_t size)
{
	size_t got = 0;

	if (n != size * 2)
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] >= 'A' && s[i] <= 'F')
			return false;
	return sodium_hex2bin(out, size, s, n, NULL, &got, NULL) == 0 && got == size;
}

void text_base64(struct bytes b, struct buf *out)
{
	size_t need = sodium_base64_ENCODED_LEN(b.size, sodium_base64_VARIANT_ORIGINAL);

	buf_reserve(out, need);
	(void)sodium_bin2base64(out->data + out->size, need, b.data, b.size,
		sodium_base64_VARIANT_ORIGINAL);
	out->size += need - 1;
}

bool text_unbase64(const char *s, size_t n, struct buf *out)
{
	size_t got = 0;

	buf_reserve(out, n / 4 * 3 + 3);
	if (sodium_base642bin((unsigned char *)out->data + out->size, n / 4 * 3 + 3, s, n,
		    NULL, &got, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return false;
	out->size += got;
	out->data[out->size] = '\0';
	return true;
}

/* Length of the well-formed UTF-8 sequence at p, 0 if none (Unicode table 3-7). */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	unsigned char lo = 0x80;
	unsigned char hi = 0xbf;
	size_t need;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		need = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		need = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (left < need)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < need; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return need;
}

bool text_is_utf8(struct bytes b)
{
	for (size_t i = 0; i < b.size;) {
		size_t n = b.data[i] ? utf8_length(b.data + i, b.size - i) : 0;

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

void text_time(int64_t seconds, char out[TEXT_TIME_MAX])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, TEXT_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, TEXT_TIME_MAX, "@%" PRId64, seconds);
}

bool text_untime(const char *s, size_t n, int64_t *ret_seconds)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	char again[TEXT_TIME_MAX];
	struct tm tm = { 0 };
	int field[6] = { 0 };
	size_t f = 0;
	time_t t;

	if (n != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (form[i] == 'd') {
			if (s[i] < '0' || s[i] > '9')
				return false;
			field[f] = field[f] * 10 + (s[i] - '0');
		} else if (s[i] != form[i]) {
			return false;
		} else if (f < 5) {
			f++;
		}
	}
	tm.tm_year = field[0] - 1900;
	tm.tm_mon = field[1] - 1;
	tm.tm_mday = field[2];
	tm.tm_hour = field[3];
	tm.tm_min = field[4];
	tm.tm_sec = field[5];
	t = timegm(&tm);
	/* timegm normalises 31 February; the round trip refuses it. */
	text_time((int64_t)t, again);
	if (memcmp(again, s, n) != 0)
		return false;
	*ret_seconds = (int64_t)t;
	return true;
}

void text_size(uint64_t bytes, char out[TEXT_SIZE_MAX])
{
	static const char *const unit[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 999.5 && i + 1 < sizeof(unit) / sizeof(unit[0])) {
		v /= 1000;
		i++;
	}
	(void)snprintf(out, TEXT_SIZE_MAX, i > 0 && v < 9.95 ? "%.1f %s" : "%.0f %s", v,
		unit[i]);
}

void text_escape(struct buf *out, struct bytes foreign, bool spaces)
{
	for (size_t i = 0; i < foreign.size;) {
		unsigned char c = foreign.data[i];
		size_t n = utf8_length(foreign.data + i, foreign.size - i);
		/* U+0080..U+009F are control characters too (C2 80..C2 9F). */
		bool c1 = n == 2 && c == 0xc2 && foreign.data[i + 1] < 0xa0;

		if (n == 0 || c1 || c < 0x20 || c == 0x7f || c == '\\' ||
			(spaces && c == ' ')) {
			buf_addf(out, "\\%03o", c);
			if (c1)
				buf_addf(out, "\\%03o", foreign.data[i + 1]);
			i += c1 ? 2 : 1;
			continue;
		}
		buf_add(out, foreign.data + i, n);
		i += n;
	}
}

bool text_unescape(const char *s, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v = 0;
		char c;

		if (s[i] != '\\') {
			buf_add(out, s + i, 1);
			continue;
		}
		if (n - i < 4)
			return false;
		for (size_t k = 1; k <= 3; k++) {
			if (s[i + k] < '0' || s[i + k] > '7')
				return false;
			v = v * 8 + (unsigned)(s[i + k] - '0');
		}
		/* Only what text_escape escapes: blanks and controls, \\, DEL, not ASCII. */
		if (v > 0xff || (v > 0x20 && v < 0x7f && v != '\\'))
			return false;
		c = (char)v;
		buf_add(out, &c, 1);
		i += 3;
	}
	return true;
}

bool text_take(struct bytes *in, const char *text)
{
	size_t n = strlen(text);

	if (in->size < n || memcmp(in->data, text, n) != 0)
		return false;
	in->data += n;
	in->size -= n;
	return true;
}

bool text_take_line(struct bytes *in, struct bytes *ret)
{
	const unsigned char *end;

	if (in->size == 0)
		return false;
	end = memchr(in->data, '\n', in->size);
	*ret = (struct bytes){ in->data, end ? (size_t)(end - in->data) : in->size };
	in->data += ret->size + (end ? 1 : 0);
	in->size -= ret->size + (end ? 1 : 0);
	return true;
}
