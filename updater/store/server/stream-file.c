/* SPDX-License-Identifier: MIT */
/*
 * See stream-file.h.  A frame's bytes go through a file, which is no memory that a small
 * machine must have free, and in which a frame that was cut is found again by whoever
 * carries on, also after a reboot.  libzstd is given all of it at once.
 *
 *   partial = path NUL-padded to PARTIAL_NAME bytes, offset:u64, then what has come
 */
#include "store/server/stream-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/io.h"
#include "store/server/kept.h"

#define PARTIAL_NAME 128
#define PARTIAL_HEAD (PARTIAL_NAME + 8)
#define CHUNK	     (256u << 10)
#define GAP_MAX	     (16u << 10) /* rather read and thrown away than asked for anew */

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

static int open_spool(struct stream_file *s, struct error *e)
{
	static const char *const name = KEPT_DIR "/partial";

	if (mkdir(KEPT_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "store/%s", KEPT_DIR);
	s->spool = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->spool < 0)
		return err_sys(e, "store/%s", name);
	s->dctx = ZSTD_createDCtx();
	return s->dctx ? 0 : err_set(e, E_SYSTEM, "zstd: out of memory");
}

static void partial_head(
	const struct stream_file *s, uint64_t offset, unsigned char ret[PARTIAL_HEAD])
{
	memset(ret, 0, PARTIAL_HEAD);
	memcpy(ret, s->path, strnlen(s->path, PARTIAL_NAME));
	le64_put(ret + PARTIAL_NAME, offset);
}

/* How much of the `stored` bytes at `offset` is in the spool; it is made to be theirs. */
static int find_partial(struct stream_file *s, uint64_t offset, size_t stored,
	size_t *ret, struct error *e)
{
	unsigned char want[PARTIAL_HEAD];
	unsigned char have[PARTIAL_HEAD];
	struct stat st;

	partial_head(s, offset, want);
	if (fstat(s->spool, &st) < 0)
		return err_sys(e, "store: partial");
	if (st.st_size >= PARTIAL_HEAD &&
		(uint64_t)st.st_size <= PARTIAL_HEAD + (uint64_t)stored &&
		io_pread_full(s->spool, have, sizeof(have), 0, NULL) == 0 &&
		memcmp(have, want, sizeof(have)) == 0) {
		*ret = (size_t)st.st_size - PARTIAL_HEAD;
		return 0;
	}
	*ret = 0;
	if (ftruncate(s->spool, 0) < 0)
		return err_sys(e, "store: partial");
	return io_pwrite_full(s->spool, want, sizeof(want), 0, e);
}

static int go_to(struct stream_file *s, uint64_t at, uint64_t end, struct error *e);

/* The `stored` bytes at `offset`, as a mapping that the caller unmaps. */
static int read_stored(struct stream_file *s, uint64_t offset, size_t stored,
	uint64_t more, struct bytes *ret, struct error *e)
{
	autofree unsigned char *chunk = xmalloc(CHUNK);
	size_t have = 0;
	int r = find_partial(s, offset, stored, &have, e);

	if (r == 0 && have < stored)
		r = go_to(s, offset + have, more, e);
	while (r == 0 && have < stored) {
		size_t n = 0;

		r = body_some(s->body, chunk,
			stored - have < CHUNK ? stored - have : CHUNK, &n, e);
		if (r == 0)
			r = io_pwrite_full(s->spool, chunk, n, PARTIAL_HEAD + have, e);
		have += n;
	}
	return r < 0 ? r : io_map(s->spool, ret, e);
}

/* What the spool holds is of no use: the next time it is asked for anew. */
static void forget_stored(struct stream_file *s)
{
	(void)!ftruncate(s->spool, 0); /* or it will be found to be of no use again */
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

static int parse_beginning(struct stream_file *s, struct bytes raw,
	const struct oid *target, struct error *e)
{
	const struct stream_prologue *p = &s->prologue;
	autobuf index = { 0 };
	size_t at = STREAM_PROLOGUE;
	int r = 0;

	if (!oid_equal(&p->target, target))
		return err_set(e, E_INPUT, "a stream to another release");
	r = inflate_part(s, raw, &at, p->head_stored, p->head_length, &s->head, e);
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
	if (end == STREAM_PROLOGUE) {
		body_close(s->body);
		s->body = body_open(
			s->http, s->path, STREAM_PROLOGUE, STREAM_PROLOGUE + more);
	}
	raw->size = STREAM_PROLOGUE;
	buf_reserve(raw, more);
	r = body_read(s->body, raw->data + STREAM_PROLOGUE, more, e);
	raw->size += more;
	return r;
}

int stream_file_open(struct http *h, const char *path, const struct oid *target,
	uint64_t end, struct buf *beginning, struct stream_file *ret, struct error *e)
{
	struct stream_file s = { .http = h, .path = xstrdup(path), .spool = -1 };
	int r = open_spool(&s, e);

	if (r == 0 && beginning->size < STREAM_PROLOGUE) {
		buf_reset(beginning);
		r = read_beginning(&s, end, beginning, e);
	} else if (r == 0) {
		r = stream_prologue_parse(
			(unsigned char *)beginning->data, &s.prologue, e);
	}
	if (r == 0)
		r = parse_beginning(&s, buf_bytes(beginning), target, e);
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
	cleanup_fd(&s->spool);
	(void)ZSTD_freeDCtx(s->dctx); /* takes NULL */
	free(s->path);
	*s = (struct stream_file){ .spool = -1 };
}

/* Stand at `at`; what comes up to `end` (0: not known) will be wanted, too. */
static int go_to(struct stream_file *s, uint64_t at, uint64_t end, struct error *e)
{
	unsigned char gap[4096];

	if (s->body && body_at(s->body) <= at && at - body_at(s->body) <= GAP_MAX &&
		(body_end(s->body) == 0 || at < body_end(s->body))) {
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
	return 0;
}

static int write_slice(struct stream_file *s, const struct stream_slice *slice,
	struct bytes source, uint64_t end, int fd, struct error *e)
{
	autofree unsigned char *out = xmalloc(slice->length);
	struct bytes prefix = { 0 };
	automap stored = { 0 };
	int r;

	if (slice->base_length > 0) {
		if (slice->base_offset > source.size ||
			slice->base_length > source.size - slice->base_offset)
			return err_set(e, E_NOTFOUND, "no manifest of the source");
		prefix = (struct bytes){ source.data + slice->base_offset,
			slice->base_length };
	}
	r = read_stored(s, slice->offset, slice->stored, end, &stored, e);
	if (r < 0)
		return r;
	r = inflate(s, (struct bytes){ stored.data + PARTIAL_HEAD, slice->stored },
		prefix, out, slice->length, e);
	if (r < 0)
		forget_stored(s);
	return r < 0 ? r : io_write_full(fd, out, slice->length, e);
}

int stream_file_manifest(struct stream_file *s, int source, int fd, struct error *e)
{
	const struct stream_slice *last = &s->index.slices[s->index.n_slices - 1];
	automap map = { 0 };
	int r = source >= 0 ? io_map(source, &map, e) : 0;

	for (size_t i = 0; r == 0 && i < s->index.n_slices; i++)
		r = write_slice(
			s, &s->index.slices[i], map, last->offset + last->stored, fd, e);
	return r;
}

int stream_file_frame(struct stream_file *s, const struct stream_frame *f, uint64_t more,
	const struct stream_base *base, unsigned char *out, struct error *e)
{
	struct bytes prefix = { 0 };
	automap stored = { 0 };
	int r = read_stored(s, f->offset, f->stored, more, &stored, e);

	if (r == 0 && f->n_bases > 0)
		r = base->get(base->ctx, f, &prefix, e);
	if (r == 0)
		r = inflate(s, (struct bytes){ stored.data + PARTIAL_HEAD, f->stored },
			prefix, out, f->length, e);
	if (r == E_INPUT)
		forget_stored(s);
	return r;
}
