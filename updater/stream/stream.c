/* SPDX-License-Identifier: MIT */
/* The format of release streams, in and out of memory: see stream.h. */
#include "stream/stream.h"

#include "base/le.h"

#define SLICE	  24 /* bytes of a slice in the index */
#define FRAME	  16 /* of a frame, before its contents */
#define CONTENT	  (DIGEST_SIZE + 4)
#define ITEM_HEAD 5

/* --- prologue --------------------------------------------------------------------- */

bool stream_has_source(const struct stream_prologue *p)
{
	static const struct oid none;

	return !oid_equal(&p->source, &none);
}

uint64_t stream_frames_at(const struct stream_prologue *p)
{
	return (uint64_t)STREAM_PROLOGUE + p->head_stored + p->index_stored;
}

uint64_t stream_size(const struct stream_prologue *p)
{
	return stream_frames_at(p) + p->frames_stored;
}

void stream_prologue_print(
	const struct stream_prologue *p, unsigned char out[STREAM_PROLOGUE])
{
	memset(out, 0, STREAM_PROLOGUE);
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): no string */
	memcpy(out, STREAM_MAGIC, STREAM_MAGIC_SIZE);
	le32_put(out + 16, STREAM_VERSION);
	memcpy(out + 24, p->target.b, OID_SIZE);
	memcpy(out + 44, p->source.b, OID_SIZE);
	le32_put(out + 64, p->head_stored);
	le32_put(out + 68, p->head_length);
	le32_put(out + 72, p->index_stored);
	le32_put(out + 76, p->index_length);
	le64_put(out + 80, p->frames_stored);
	le64_put(out + 88, p->contents_length);
}

int stream_prologue_parse(const unsigned char in[STREAM_PROLOGUE],
	struct stream_prologue *ret, struct error *e)
{
	struct stream_prologue p;

	if (memcmp(in, STREAM_MAGIC, STREAM_MAGIC_SIZE) != 0)
		return err_set(e, E_INPUT, "not a release stream");
	if (le32_get(in + 16) != STREAM_VERSION || le32_get(in + 20) != 0)
		return err_set(e, E_INPUT,
			"a release stream of version %u; this osupdate knows version %d",
			le32_get(in + 16), STREAM_VERSION);
	memcpy(p.target.b, in + 24, OID_SIZE);
	memcpy(p.source.b, in + 44, OID_SIZE);
	p.head_stored = le32_get(in + 64);
	p.head_length = le32_get(in + 68);
	p.index_stored = le32_get(in + 72);
	p.index_length = le32_get(in + 76);
	p.frames_stored = le64_get(in + 80);
	p.contents_length = le64_get(in + 88);
	if (p.head_length > STREAM_HEAD_MAX || p.head_stored > STREAM_HEAD_MAX ||
		p.index_length > STREAM_INDEX_MAX || p.index_stored > STREAM_INDEX_MAX ||
		p.frames_stored > (uint64_t)STREAM_CONTENTS_MAX * STREAM_STORED_MAX)
		return err_set(
			e, E_INPUT, "the release stream is larger than any can be");
	*ret = p;
	return 0;
}

/* --- head ------------------------------------------------------------------------- */

void stream_head_add(struct buf *head, enum stream_item kind, struct bytes raw)
{
	unsigned char h[ITEM_HEAD] = { (unsigned char)kind };

	le32_put(h + 1, (uint32_t)raw.size);
	buf_add(head, h, sizeof(h));
	buf_add(head, raw.data, raw.size);
}

int stream_head_next(struct bytes head, size_t *at, enum stream_item *ret_kind,
	struct bytes *ret, struct error *e)
{
	const unsigned char *h = head.data + *at;
	size_t left = head.size - *at;
	size_t size;

	if (left == 0)
		return *at ? 0 : err_set(e, E_INPUT, "the stream's head is empty");
	if (left < ITEM_HEAD)
		return err_set(e, E_INPUT, "the stream's head is cut");
	size = le32_get(h + 1);
	if (size > left - ITEM_HEAD || (h[0] != STREAM_COMMIT && h[0] != STREAM_TAG) ||
		(*at == 0 && h[0] != STREAM_COMMIT))
		return err_set(e, E_INPUT, "the stream's head holds what it may not");
	*ret_kind = (enum stream_item)h[0];
	*ret = (struct bytes){ h + ITEM_HEAD, size };
	*at += ITEM_HEAD + size;
	return 1;
}

/* --- index: in -------------------------------------------------------------------- */

/* What is read so far. */
struct cursor {
	const unsigned char *p;
	size_t left;
	uint64_t offset; /* where the next frame stands in the file */
	uint64_t stored;
	uint64_t length;
};

static const unsigned char *take(struct cursor *c, size_t n)
{
	const unsigned char *p = c->p;

	if (n > c->left)
		return NULL;
	c->p += n;
	c->left -= n;
	return p;
}

static int bad(struct error *e, const char *what)
{
	return err_set(e, E_INPUT, "the stream's index: %s", what);
}

/* Stored and inflated size of the next frame. */
static int take_sizes(struct cursor *c, uint32_t stored, uint32_t length, struct error *e)
{
	if (stored == 0 || stored > STREAM_STORED_MAX || length == 0 ||
		length > STREAM_FRAME_MAX)
		return bad(e, "a frame of no possible size");
	c->offset += stored;
	c->stored += stored;
	return 0;
}

static int parse_slices(struct cursor *c, struct stream_index *x, struct error *e)
{
	const unsigned char *p = take(c, 4);
	size_t n;

	if (!p)
		return bad(e, "cut");
	n = le32_get(p);
	if (n == 0 || n > c->left / SLICE)
		return bad(e, "no manifest");
	x->slices = xcalloc(n, sizeof(*x->slices));
	x->n_slices = n;
	for (size_t i = 0; i < n; i++) {
		struct stream_slice *s = &x->slices[i];
		int r;

		p = take(c, SLICE);
		if (!p)
			return bad(e, "cut");
		*s = (struct stream_slice){
			.offset = c->offset,
			.stored = le32_get(p),
			.length = le32_get(p + 4),
			.base_length = le32_get(p + 8),
			.base_offset = le64_get(p + 16),
		};
		r = take_sizes(c, s->stored, s->length, e);
		if (r < 0)
			return r;
		if (s->base_length > STREAM_FRAME_MAX || le32_get(p + 12) != 0 ||
			s->base_offset > UINT64_MAX / 2)
			return bad(e, "a slice of no possible base");
	}
	return 0;
}

/* Do `n` sizes at `p` add up to at most STREAM_FRAME_MAX? */
static bool add_up(const unsigned char *p, uint32_t n, uint64_t *ret)
{
	*ret = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t size = le32_get(p + (size_t)i * CONTENT + DIGEST_SIZE);

		*ret += size;
		if (size == 0 || *ret > STREAM_FRAME_MAX)
			return false;
	}
	return true;
}

static int parse_frame(struct cursor *c, struct stream_index *x, struct error *e)
{
	const unsigned char *p = take(c, FRAME);
	const unsigned char *list;
	struct stream_frame f;
	uint64_t contents;
	uint64_t bases;
	int r;

	if (!p)
		return bad(e, "cut");
	f = (struct stream_frame){
		.offset = c->offset,
		.stored = le32_get(p),
		.length = le32_get(p + 4),
		.n_contents = le32_get(p + 8),
		.n_bases = le32_get(p + 12),
		.first = x->n_contents,
		.at = x->raw.size - c->left,
	};
	r = take_sizes(c, f.stored, f.length, e);
	if (r < 0)
		return r;
	if (f.n_contents == 0 || f.n_contents > STREAM_CONTENTS_MAX - x->n_contents ||
		f.n_bases > STREAM_BASES_MAX)
		return bad(e, "a frame without contents, or too many");
	list = take(c, ((size_t)f.n_contents + f.n_bases) * CONTENT);
	if (!list)
		return bad(e, "cut");
	if (!add_up(list, f.n_contents, &contents) || contents != f.length ||
		!add_up(list + (size_t)f.n_contents * CONTENT, f.n_bases, &bases))
		return bad(e, "sizes that do not add up");
	c->length += contents;
	x->n_contents += f.n_contents;
	ARRAY_GROW(x->frames, x->n_frames, x->cap_frames);
	x->frames[x->n_frames++] = f;
	return 0;
}

int stream_index_parse(struct buf *raw, const struct stream_prologue *p,
	struct stream_index *ret, struct error *e)
{
	struct stream_index x = { .raw = *raw };
	struct cursor c = {
		.p = (const unsigned char *)raw->data,
		.left = raw->size,
		.offset = stream_frames_at(p),
	};
	int r;

	*raw = (struct buf){ 0 };
	r = parse_slices(&c, &x, e);
	while (r == 0 && c.left > 0)
		r = parse_frame(&c, &x, e);
	if (r == 0 && (c.stored != p->frames_stored || c.length != p->contents_length))
		r = bad(e, "not that of its stream");
	if (r < 0) {
		stream_index_release(&x);
		return r;
	}
	*ret = x;
	return 0;
}

void stream_index_release(struct stream_index *x)
{
	if (!x)
		return;
	buf_release(&x->raw);
	free(x->slices);
	free(x->frames);
	*x = (struct stream_index){ 0 };
}

static struct stream_content content_at(const struct stream_index *x, size_t at)
{
	const unsigned char *p = (const unsigned char *)x->raw.data + at;
	struct stream_content c;

	memcpy(c.digest.b, p, DIGEST_SIZE);
	c.size = le32_get(p + DIGEST_SIZE);
	return c;
}

struct stream_content stream_frame_content(
	const struct stream_index *x, const struct stream_frame *f, uint32_t i)
{
	return content_at(x, f->at + (size_t)i * CONTENT);
}

struct stream_content stream_frame_base(
	const struct stream_index *x, const struct stream_frame *f, uint32_t i)
{
	return content_at(x, f->at + ((size_t)f->n_contents + i) * CONTENT);
}

/* --- index: out ------------------------------------------------------------------- */

void stream_index_begin(
	struct buf *raw, const struct stream_slice *slices, uint32_t n_slices)
{
	unsigned char n[4];

	le32_put(n, n_slices);
	buf_add(raw, n, sizeof(n));
	for (uint32_t i = 0; i < n_slices; i++) {
		unsigned char s[SLICE] = { 0 };

		le32_put(s, slices[i].stored);
		le32_put(s + 4, slices[i].length);
		le32_put(s + 8, slices[i].base_length);
		le64_put(s + 16, slices[i].base_offset);
		buf_add(raw, s, sizeof(s));
	}
}

static void add_contents(struct buf *raw, const struct stream_content *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		unsigned char c[CONTENT];

		memcpy(c, list[i].digest.b, DIGEST_SIZE);
		le32_put(c + DIGEST_SIZE, list[i].size);
		buf_add(raw, c, sizeof(c));
	}
}

void stream_index_add(struct buf *raw, const struct stream_frame *f,
	const struct stream_content *contents, const struct stream_content *bases)
{
	unsigned char h[FRAME];

	le32_put(h, f->stored);
	le32_put(h + 4, f->length);
	le32_put(h + 8, f->n_contents);
	le32_put(h + 12, f->n_bases);
	buf_add(raw, h, sizeof(h));
	add_contents(raw, contents, f->n_contents);
	add_contents(raw, bases, f->n_bases);
}
