/* SPDX-License-Identifier: MIT */
/* See catalog.h. */
#include "stream/catalog.h"

#include <inttypes.h>

#include "base/text.h"

#define HEADER "osupdate-streams 1\n"

static const struct oid nothing;

/* The word at *text, up to a space or the end. */
static struct bytes word(struct bytes *line)
{
	const unsigned char *space = memchr(line->data, ' ', line->size);
	size_t n = space ? (size_t)(space - line->data) : line->size;
	struct bytes found = { line->data, n };

	line->data += n + (space ? 1 : 0);
	line->size -= n + (space ? 1 : 0);
	return found;
}

static bool is(struct bytes w, const char *text)
{
	return w.size == strlen(text) && memcmp(w.data, text, w.size) == 0;
}

static bool number(struct bytes w, uint64_t *ret)
{
	return text_u64((const char *)w.data, w.size, UINT64_MAX / 2, ret);
}

static bool parse_line(struct bytes line, bool first, struct catalog_stream *ret)
{
	struct bytes kind = word(&line);
	struct bytes commit;

	*ret = (struct catalog_stream){ 0 };
	if (!is(kind, first ? "full" : "from"))
		return false;
	if (!first) {
		commit = word(&line);
		if (!oid_parse((const char *)commit.data, commit.size, &ret->source) ||
			oid_equal(&ret->source, &nothing))
			return false;
	}
	return number(word(&line), &ret->size) && number(line, &ret->start) &&
	       ret->start <= ret->size;
}

int catalog_parse(struct bytes text, struct catalog *ret, struct error *e)
{
	autocatalog c = { 0 };
	size_t at = strlen(HEADER);

	if (text.size < at || memcmp(text.data, HEADER, at) != 0)
		return err_set(e, E_INPUT, "not a list of release streams");
	while (at < text.size) {
		const unsigned char *start = text.data + at;
		const unsigned char *end = memchr(start, '\n', text.size - at);
		struct catalog_stream s;

		if (!end || c.n == CATALOG_STREAMS_MAX ||
			!parse_line((struct bytes){ start, (size_t)(end - start) },
				c.n == 0, &s) ||
			(c.n > 1 && memcmp(&c.streams[c.n - 1].source, &s.source,
					    OID_SIZE) >= 0))
			return err_set(
				e, E_INPUT, "list of release streams: line %zu", c.n + 2);
		ARRAY_GROW(c.streams, c.n, c.cap);
		c.streams[c.n++] = s;
		at = (size_t)(end - text.data) + 1;
	}
	if (c.n == 0)
		return err_set(e, E_INPUT, "list of release streams: it is empty");
	*ret = c;
	/* The cleanup attribute reads it. */
	/* NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores) */
	c = (struct catalog){ 0 };
	return 0;
}

void catalog_print(const struct catalog *c, struct buf *out)
{
	buf_adds(out, HEADER);
	for (size_t i = 0; i < c->n; i++) {
		const struct catalog_stream *s = &c->streams[i];
		char hex[OID_HEX_MAX];

		oid_hex(&s->source, hex);
		if (oid_equal(&s->source, &nothing))
			buf_adds(out, "full");
		else
			buf_addf(out, "from %s", hex);
		buf_addf(out, " %" PRIu64 " %" PRIu64 "\n", s->size, s->start);
	}
}

void catalog_release(struct catalog *c)
{
	if (!c)
		return;
	free(c->streams);
	*c = (struct catalog){ 0 };
}

const struct catalog_stream *catalog_find(
	const struct catalog *c, const struct oid *source)
{
	if (!source)
		source = &nothing;
	for (size_t i = 0; i < c->n; i++)
		if (oid_equal(&c->streams[i].source, source))
			return &c->streams[i];
	return NULL;
}

void catalog_put(struct catalog *c, const struct catalog_stream *s)
{
	size_t i = 0;

	while (i < c->n && memcmp(&c->streams[i].source, &s->source, OID_SIZE) < 0)
		i++;
	if (i < c->n && oid_equal(&c->streams[i].source, &s->source)) {
		c->streams[i] = *s;
		return;
	}
	ARRAY_GROW(c->streams, c->n, c->cap);
	memmove(c->streams + i + 1, c->streams + i, (c->n - i) * sizeof(*c->streams));
	c->streams[i] = *s;
	c->n++;
}
