/* SPDX-License-Identifier: MIT */
/* A release's kernel arguments: see arguments.h. */
#include "base/arguments.h"

static bool blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Words by which the machine knows what it booted, and from where. */
static bool reserved(const unsigned char *word, size_t n)
{
	static const char *const names[] = { "osupdate.slot=", "rauc.slot=", "root=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (n >= strlen(names[i]) &&
			memcmp(word, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static int read_word(const unsigned char *word, size_t n, unsigned line, struct buf *ret,
	struct error *e)
{
	for (size_t i = 0; i < n; i++)
		if (word[i] <= ' ' || word[i] >= 0x7f)
			return err_set(e, E_INPUT,
				"line %u: holds bytes other than printable ASCII", line);
	if (reserved(word, n))
		return err_set(e, E_INPUT,
			"line %u: %.*s is given by the boot loader's configuration, not "
			"by "
			"a release",
			line, (int)n, (const char *)word);
	if (ret->size + n + 1 > ARGUMENTS_MAX)
		return err_set(e, E_INPUT, "line %u: more than %d bytes in all", line,
			ARGUMENTS_MAX);
	if (ret->size)
		buf_add(ret, " ", 1);
	buf_add(ret, word, n);
	return 0;
}

static int read_line(
	const unsigned char *p, size_t n, unsigned line, struct buf *ret, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n;) {
		size_t start = i;

		if (blank(p[i])) {
			i++;
			continue;
		}
		if (p[i] == '#')
			break;
		while (i < n && !blank(p[i]))
			i++;
		r = read_word(p + start, i - start, line, ret, e);
	}
	return r;
}

int arguments_read(struct bytes text, struct buf *ret, struct error *e)
{
	const unsigned char *p = text.data;
	size_t left = text.size;
	int r = 0;

	for (unsigned line = 1; r == 0 && left > 0; line++) {
		const unsigned char *end = memchr(p, '\n', left);
		size_t n = end ? (size_t)(end - p) : left;

		r = read_line(p, n, line, ret, e);
		n += end != NULL;
		p += n;
		left -= n;
	}
	return r;
}
