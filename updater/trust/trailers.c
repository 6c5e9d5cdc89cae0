/* SPDX-License-Identifier: MIT */
/*
 * Trailers: see trailers.h.  The message was signed, but by whoever could make a
 * builder sign text: what could be read in two ways is refused, so that nothing in
 * the release notes can pass for a trailer, nor hide one.
 */
#include "trust/trailers.h"

#include <strings.h>

#include "base/text.h"
#include "trust/excerpt.h"

static const char prefix[] = "Osupdate-";
static const char ignored[] = "Osupdate-Opt-";

/* --- values ----------------------------------------------------------------------- */

static bool is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* What git refuses in a branch name, and what a command line takes for an option. */
static bool may_follow(unsigned char before, unsigned char c)
{
	if (before == '/')
		return c != '/' && c != '.' && c != '-';
	if (before == '.')
		return c != '/' && c != '.';
	return true;
}

/* Names of products and channels (a channel is a git branch). */
static bool is_name(struct bytes v, size_t max)
{
	unsigned char before = '/';

	if (v.size == 0 || v.size > max)
		return false;
	for (size_t i = 0; i < v.size; i++) {
		unsigned char c = v.data[i];

		if (!is_alnum(c) && c != '.' && c != '_' && c != '-' && c != '/')
			return false;
		if (!may_follow(before, c))
			return false;
		before = c;
	}
	return before != '.' && before != '/';
}

/* No C0, DEL or C1 control characters; the bytes are UTF-8 already. */
static bool is_printable(struct bytes v)
{
	for (size_t i = 0; i < v.size; i++) {
		if (v.data[i] < ' ' || v.data[i] == 0x7f)
			return false;
		if (v.data[i] == 0xc2 && i + 1 < v.size && v.data[i + 1] < 0xa0)
			return false;
	}
	return true;
}

static void copy(char *to, struct bytes from)
{
	memcpy(to, from.data, from.size);
	to[from.size] = '\0';
}

static bool read_product(struct bytes v, struct release_info *info)
{
	if (!is_name(v, RELEASE_PRODUCT_MAX))
		return false;
	copy(info->product, v);
	return true;
}

static bool read_version(struct bytes v, struct release_info *info)
{
	if (v.size > RELEASE_VERSION_MAX || !is_printable(v))
		return false;
	copy(info->version, v);
	return true;
}

static bool read_serial(struct bytes v, struct release_info *info)
{
	return text_u64((const char *)v.data, v.size, UINT64_MAX, &info->serial);
}

static bool read_manifest(struct bytes v, struct release_info *info)
{
	static const char kind[] = "blake2b-256:";
	const size_t digest_at = sizeof(kind) - 1;
	const size_t size_at = digest_at + (size_t)DIGEST_SIZE * 2 + 1;
	const char *p = (const char *)v.data;

	return v.size > size_at && memcmp(p, kind, digest_at) == 0 &&
	       p[size_at - 1] == ' ' &&
	       digest_parse(p + digest_at, (size_t)DIGEST_SIZE * 2, &info->manifest) &&
	       text_u64(p + size_at, v.size - size_at, UINT64_MAX, &info->manifest_size);
}

static bool read_channels(struct bytes v, struct release_info *info)
{
	while (v.size > 0) {
		const unsigned char *space = memchr(v.data, ' ', v.size);
		struct bytes word = { v.data, space ? (size_t)(space - v.data) : v.size };
		char *place;

		if (!is_name(word, RELEASE_CHANNEL_MAX) ||
			info->n_channels == RELEASE_CHANNELS_MAX)
			return false;
		place = info->channels[info->n_channels];
		copy(place, word);
		for (size_t i = 0; i < info->n_channels; i++)
			if (strcmp(info->channels[i], place) == 0)
				return false;
		info->n_channels++;
		v.data += word.size + (space ? 1 : 0);
		v.size -= word.size + (space ? 1 : 0);
	}
	return true;
}

static bool read_valid_until(struct bytes v, struct release_info *info)
{
	return text_untime((const char *)v.data, v.size, &info->valid_until);
}

/* --- the table -------------------------------------------------------------------- */

static const struct trailer {
	const char *name;
	bool required;
	bool (*read)(struct bytes value, struct release_info *info);
	const char *wants;
} trailers[] = {
	{ "Osupdate-Product", true, read_product, "a name of letters, digits and ._/-" },
	{ "Osupdate-Version", true, read_version, "at most 128 bytes of printable text" },
	{ "Osupdate-Serial", true, read_serial, "a decimal number of 64 bits" },
	{ "Osupdate-Manifest", true, read_manifest, "\"blake2b-256:<64 hex> <size>\"" },
	{ "Osupdate-Channel", false, read_channels,
		"at most 32 different channel names, each after one space" },
	{ "Osupdate-Valid-Until", false, read_valid_until,
		"a time like 2027-06-01T00:00:00Z" },
};

#define N_TRAILERS (sizeof(trailers) / sizeof(trailers[0]))

static bool starts_with(struct bytes line, const char *s)
{
	return line.size >= strlen(s) && memcmp(line.data, s, strlen(s)) == 0;
}

/* Whatever the case: people and tools read "osupdate-serial:" as the trailer, too. */
static bool is_ours(struct bytes line)
{
	return line.size >= sizeof(prefix) - 1 &&
	       strncasecmp((const char *)line.data, prefix, sizeof(prefix) - 1) == 0;
}

static struct bytes take_line(struct bytes *in)
{
	const unsigned char *end = memchr(in->data, '\n', in->size);
	size_t n = end ? (size_t)(end - in->data) : in->size;
	struct bytes line = { in->data, n };

	in->data += n + (end ? 1 : 0);
	in->size -= n + (end ? 1 : 0);
	return line;
}

/* "Token: value"; false when the line is anything else (a folded line, prose). */
static bool split_trailer(
	struct bytes line, struct bytes *ret_token, struct bytes *ret_value)
{
	size_t n = 0;

	while (n < line.size && (is_alnum(line.data[n]) || line.data[n] == '-'))
		n++;
	if (n == 0 || n == line.size || line.data[n] != ':')
		return false;
	*ret_token = (struct bytes){ line.data, n };
	*ret_value = (struct bytes){ line.data + n + 1, line.size - n - 1 };
	return true;
}

/* One space before the value, none within its ends. */
static bool trim_value(struct bytes *value)
{
	if (value->size < 2 || value->data[0] != ' ' || value->data[1] == ' ' ||
		value->data[value->size - 1] == ' ')
		return false;
	value->data++;
	value->size--;
	return true;
}

static int read_trailer(struct bytes line, bool seen[N_TRAILERS],
	struct release_info *info, struct error *e)
{
	autobuf shown = { 0 };
	struct bytes token;
	struct bytes value;

	if (!split_trailer(line, &token, &value))
		return err_set(e, E_UNTRUSTED,
			"message: its last paragraph holds \"%s\", which is no trailer",
			excerpt(line, &shown));
	if (!is_ours(line) || starts_with(line, ignored))
		return 0;
	for (size_t i = 0; i < N_TRAILERS; i++) {
		const struct trailer *t = &trailers[i];

		if (token.size != strlen(t->name) || !starts_with(token, t->name))
			continue;
		if (seen[i])
			return err_set(
				e, E_UNTRUSTED, "trailer %s stands twice", t->name);
		seen[i] = true;
		if (!trim_value(&value) || !t->read(value, info))
			return err_set(e, E_UNTRUSTED, "trailer %s: \"%s\" is not %s",
				t->name, excerpt(value, &shown), t->wants);
		return 0;
	}
	return err_set(e, E_UNTRUSTED, "trailer %s is not known to this version",
		excerpt(token, &shown));
}

static int read_last_paragraph(
	struct bytes in, struct release_info *info, struct error *e)
{
	bool seen[N_TRAILERS] = { false };
	int r;

	while (in.size > 0) {
		r = read_trailer(take_line(&in), seen, info, e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < N_TRAILERS; i++)
		if (trailers[i].required && !seen[i])
			return err_set(e, E_UNTRUSTED,
				"no trailer %s in the message's last paragraph",
				trailers[i].name);
	return 0;
}

static int read_text(struct bytes in, struct error *e)
{
	autobuf shown = { 0 };

	while (in.size > 0) {
		struct bytes line = take_line(&in);

		if (is_ours(line))
			return err_set(e, E_UNTRUSTED,
				"message: \"%s\" stands outside its last paragraph",
				excerpt(line, &shown));
	}
	return 0;
}

/* Cut at the end of a character: `subject` stays UTF-8. */
static void copy_subject(struct bytes line, struct release_info *info)
{
	const size_t max = sizeof(info->subject) - 1;

	if (line.size > max) {
		line.size = max;
		while (line.size > 0 && (line.data[line.size] & 0xc0) == 0x80)
			line.size--;
	}
	copy(info->subject, line);
}

int trailers_read(struct bytes message, struct release_info *info, struct error *e)
{
	struct bytes text = message;
	struct bytes last;
	size_t at = message.size;
	int r;

	if (message.size == 0 || message.data[0] == '\n')
		return err_set(e, E_UNTRUSTED, "message: no subject");
	if (message.data[message.size - 1] != '\n' ||
		(message.size > 1 && message.data[message.size - 2] == '\n'))
		return err_set(
			e, E_UNTRUSTED, "message: does not end in exactly one newline");
	/* `at` ends up behind the last empty line. */
	while (at > 2 && (message.data[at - 1] != '\n' || message.data[at - 2] != '\n'))
		at--;
	if (at <= 2)
		return err_set(e, E_UNTRUSTED,
			"message: no paragraph of Osupdate- trailers at its end");
	text.size = at;
	last = (struct bytes){ message.data + at, message.size - at };
	info->n_channels = 0;
	info->valid_until = INT64_MAX;
	r = read_text(text, e);
	if (r < 0)
		return r;
	copy_subject(take_line(&text), info);
	return read_last_paragraph(last, info, e);
}
