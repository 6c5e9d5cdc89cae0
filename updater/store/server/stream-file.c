/* SPDX-License-Identifier: MIT */
/*
 * See stream-file.h.  A frame is inflated when all of it has come (partial.h): libzstd is
 * given all of it at once.
 */
#include "store/server/stream-file.h"

#include <inttypes.h>
#include <zstd.h>

#include "base/io.h"
#include "manifest/manifest.h"

#define GAP_MAX (16u << 10) /* rather read and thrown away than asked for anew */

static int inflate(struct stream_file *s, struct bytes stored, struct bytes prefix,
	void *out, size_t length, struct error *e)
{
	size_t n = ZSTD_DCtx_reset(s->dctx, ZSTD_reset_session_only);

	if (!ZSTD_isError(n) && prefix.size > 0)
		n = ZSTD_DCtx_refPrefix(s->dctx, prefix.data, prefix.size);
	if (!ZSTD_isError(n))
		n = ZSTD_decompressDCtx(s->dctx, out, length, stored.data, stored.size);
	if (ZSTD_isError(n))
		return err_set(e, E_INPUT, "%s: %s", s->path, ZSTD_getErrorName(n));
	if (n != length)
		return err_set(e, E_INPUT, "%s: a frame of %zu bytes, not %zu", s->path,
			n, length);
	return 0;
}

/* Room for the largest part of it that is received at a time. */
static int open_partial(struct stream_file *s, struct error *e)
{
	const struct stream_index *x = &s->index;
	size_t largest = 0;

	for (size_t i = 0; i < x->n_frames; i++)
		if (x->frames[i].stored > largest)
			largest = x->frames[i].stored;
	for (size_t i = 0; i < x->n_slices; i++)
		if (x->slices[i].stored > largest)
			largest = x->slices[i].stored;
	return partial_open(&s->partial, largest, e);
}

static int go_to(
	struct stream_file *s, uint64_t at, size_t needed, uint64_t end, struct error *e);

/* The `stored` bytes at `offset`, until the next call. */
static int read_stored(struct stream_file *s, uint64_t offset, size_t stored,
	uint64_t more, struct bytes *ret, struct error *e)
{
	unsigned char *data = partial_data(&s->partial);
	size_t have = partial_begin(&s->partial, s->path, offset, stored);
	int r = 0;

	if (have < stored)
		r = go_to(s, offset + have, stored - have, more, e);
	while (r == 0 && have < stored) {
		size_t n = 0;

		r = body_some(s->body, data + have, stored - have, &n, e);
		have += n;
		if (r == 0)
			partial_came(&s->partial, n);
	}
	s->gone |= r == E_NOTFOUND;
	*ret = (struct bytes){ data, stored };
	return r;
}

/* The next `stored` bytes at *at inflate to `length`. */
static int inflate_part(struct stream_file *s, struct bytes raw, size_t *at,
	uint32_t stored, uint32_t length, struct buf *ret, struct error *e)
{
	struct bytes part = { raw.data + *at, stored };
	int r;

	if (stored > raw.size - *at)
		return err_set(e, E_INPUT, "%s: cut", s->path);
	*at += stored;
	buf_reserve(ret, length);
	r = inflate(s, part, (struct bytes){ 0 }, ret->data, length, e);
	ret->size = length;
	return r;
}

/* Does the head begin with the target, and is it whole? */
static int check_head(const struct stream_file *s, struct error *e)
{
	enum stream_item kind;
	struct bytes raw;
	size_t at = 0;
	int r = stream_head_next(buf_bytes(&s->head), &at, &kind, &raw, e);

	if (r > 0) {
		struct oid first = oid_of("commit", raw);

		if (!oid_equal(&first, &s->prologue.target))
			return err_set(e, E_INPUT, "a head of another release");
	}
	while (r > 0)
		r = stream_head_next(buf_bytes(&s->head), &at, &kind, &raw, e);
	return r;
}

static int parse_beginning(struct stream_file *s, struct bytes raw,
	const struct oid *target, const struct oid *source, struct error *e)
{
	const struct stream_prologue *p = &s->prologue;
	autobuf index = { 0 };
	size_t at = STREAM_PROLOGUE;
	int r = 0;

	if (!oid_equal(&p->target, target))
		return err_set(e, E_INPUT, "a stream to another release");
	if (stream_has_source(p) != (source != NULL) ||
		(source && !oid_equal(&p->source, source)))
		return err_set(e, E_INPUT, "a stream from another release");
	r = inflate_part(s, raw, &at, p->head_stored, p->head_length, &s->head, e);
	if (r == 0)
		r = check_head(s, e);
	if (r == 0)
		r = inflate_part(
			s, raw, &at, p->index_stored, p->index_length, &index, e);
	return r < 0 ? r : stream_index_parse(&index, p, &s->index, e);
}

/* Prologue, head and index, appended to `raw`. */
static int read_beginning(
	struct stream_file *s, uint64_t end, struct buf *raw, struct error *e)
{
	size_t more;
	int r;

	if (end != 0 && end < STREAM_PROLOGUE)
		end = STREAM_PROLOGUE;
	s->body = body_open(s->http, s->path, 0, end);
	buf_reserve(raw, STREAM_PROLOGUE);
	r = body_read(s->body, raw->data, STREAM_PROLOGUE, e);
	if (r == 0)
		r = stream_prologue_parse((unsigned char *)raw->data, &s->prologue, e);
	if (r < 0)
		return r;
	if (body_total(s->body) != 0 && body_total(s->body) != stream_size(&s->prologue))
		return err_set(e, E_INPUT, "cut, or longer than it says");
	more = (size_t)stream_frames_at(&s->prologue) - STREAM_PROLOGUE;
	if (end != 0 && end - STREAM_PROLOGUE < more) {
		uint64_t at = body_at(s->body);

		body_close(s->body);
		s->body = body_open(s->http, s->path, at, STREAM_PROLOGUE + more);
		body_expect(s->body, stream_size(&s->prologue));
	}
	raw->size = STREAM_PROLOGUE;
	buf_reserve(raw, more);
	r = body_read(s->body, raw->data + STREAM_PROLOGUE, more, e);
	raw->size += more;
	return r;
}

int stream_file_open(struct http *h, const char *path, const struct oid *target,
	const struct oid *source, uint64_t end, struct buf *beginning,
	struct stream_file *ret, struct error *e)
{
	struct stream_file s = { .http = h, .path = xstrdup(path) };
	int r = 0;

	s.dctx = ZSTD_createDCtx();
	if (!s.dctx)
		r = err_set(e, E_SYSTEM, "zstd: out of memory");
	if (r == 0 && beginning->size < STREAM_PROLOGUE) {
		buf_reset(beginning);
		r = read_beginning(&s, end, beginning, e);
	} else if (r == 0) {
		r = stream_prologue_parse(
			(unsigned char *)beginning->data, &s.prologue, e);
	}
	if (r == 0)
		r = parse_beginning(&s, buf_bytes(beginning), target, source, e);
	if (r == 0)
		r = open_partial(&s, e);
	if (r < 0) {
		stream_file_close(&s);
		return r == E_INPUT ? err_prefix(e, r, "%s", path) : r;
	}
	*ret = s;
	return 0;
}

void stream_file_close(struct stream_file *s)
{
	if (!s || !s->path)
		return;
	body_close(s->body);
	buf_release(&s->head);
	stream_index_release(&s->index);
	partial_close(&s->partial);
	(void)ZSTD_freeDCtx(s->dctx); /* takes NULL */
	free(s->path);
	*s = (struct stream_file){ 0 };
}

/* Stand at `at`; `needed` bytes will be read, and what comes up to `end` (0: not known),
 * too. */
static int go_to(
	struct stream_file *s, uint64_t at, size_t needed, uint64_t end, struct error *e)
{
	unsigned char gap[4096];

	if (s->body && body_at(s->body) <= at && at - body_at(s->body) <= GAP_MAX &&
		(body_end(s->body) == 0 || at + needed <= body_end(s->body))) {
		while (body_at(s->body) < at) {
			uint64_t left = at - body_at(s->body);
			size_t n = left < sizeof(gap) ? (size_t)left : sizeof(gap);
			int r = body_read(s->body, gap, n, e);

			if (r < 0)
				return r;
		}
		return 0;
	}
	body_close(s->body);
	s->body = body_open(s->http, s->path, at, end);
	body_expect(s->body, stream_size(&s->prologue));
	return 0;
}

static int write_slice(struct stream_file *s, const struct stream_slice *slice,
	struct bytes source, uint64_t end, int fd, struct error *e)
{
	autofree unsigned char *out = xmalloc(slice->length);
	struct bytes prefix = { 0 };
	struct bytes stored;
	int r;

	if (slice->base_length > 0) {
		if (slice->base_offset > source.size ||
			slice->base_length > source.size - slice->base_offset)
			return err_set(e, E_NOTFOUND, "no manifest of the source");
		prefix = (struct bytes){ source.data + slice->base_offset,
			slice->base_length };
	}
	r = read_stored(s, slice->offset, slice->stored, end, &stored, e);
	if (r == 0)
		r = inflate(s, stored, prefix, out, slice->length, e);
	if (r == E_INPUT)
		partial_forget(&s->partial);
	return r < 0 ? r : io_write_full(fd, out, slice->length, e);
}

int stream_file_manifest(struct stream_file *s, int source, int fd, struct error *e)
{
	const struct stream_slice *last = &s->index.slices[s->index.n_slices - 1];
	automap map = { 0 };
	uint64_t size = 0;
	int r;

	for (size_t i = 0; i < s->index.n_slices; i++)
		size += s->index.slices[i].length;
	if (size > MANIFEST_SIZE_MAX)
		return err_set(e, E_INPUT, "a manifest of %" PRIu64 " bytes", size);
	r = source >= 0 ? io_map(source, &map, e) : 0;
	for (size_t i = 0; r == 0 && i < s->index.n_slices; i++)
		r = write_slice(
			s, &s->index.slices[i], map, last->offset + last->stored, fd, e);
	return r;
}

int stream_file_frame(struct stream_file *s, const struct stream_frame *f, uint64_t more,
	const struct stream_base *base, unsigned char *out, struct error *e)
{
	struct bytes prefix = { 0 };
	struct bytes stored;
	int r = read_stored(s, f->offset, f->stored, more, &stored, e);

	if (r == 0 && f->n_bases > 0)
		r = base->get(base->ctx, f, &prefix, e);
	if (r == 0)
		r = inflate(s, stored, prefix, out, f->length, e);
	if (r == E_INPUT)
		partial_forget(&s->partial);
	return r;
}
