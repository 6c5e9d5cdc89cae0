/* SPDX-License-Identifier: MIT */
/* See published.h. */
#include "build/published.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/io.h"

struct first_content {
	struct digest digest;
	const struct stream_frame *frame;
};

static int inflate(const void *stored, size_t n, void *into, size_t size, struct error *e)
{
	size_t r = ZSTD_decompress(into, size, stored, n);

	return ZSTD_isError(r) || r != size ? err_set(e, E_INPUT, "cannot be inflated")
					    : 0;
}

static int load_index(struct published *f, struct error *e)
{
	const struct stream_prologue *p = &f->prologue;
	autofree void *stored = xmalloc(p->index_stored + 1);
	autobuf raw = { 0 };
	int r = io_pread_full(f->fd, stored, p->index_stored,
		(uint64_t)STREAM_PROLOGUE + p->head_stored, e);

	if (r < 0)
		return r;
	buf_reserve(&raw, p->index_length);
	r = inflate(stored, p->index_stored, raw.data, p->index_length, e);
	if (r < 0)
		return err_prefix(e, r, "index");
	raw.size = p->index_length;
	return stream_index_parse(&raw, p, &f->index, e);
}

static int by_digest(const void *a, const void *b)
{
	const struct first_content *x = a;
	const struct first_content *y = b;

	return memcmp(&x->digest, &y->digest, sizeof(x->digest));
}

static void sort_frames(struct published *f)
{
	f->firsts = xcalloc(f->index.n_frames + 1, sizeof(*f->firsts));
	for (size_t i = 0; i < f->index.n_frames; i++) {
		const struct stream_frame *frame = &f->index.frames[i];

		if (frame->n_contents == 0 || frame->n_bases > 0)
			continue;
		f->firsts[f->n_firsts++] = (struct first_content){
			.digest = stream_frame_content(&f->index, frame, 0).digest,
			.frame = frame,
		};
	}
	qsort(f->firsts, f->n_firsts, sizeof(*f->firsts), by_digest);
}

int published_open(int dir, const char *name, struct published *ret, struct error *e)
{
	autopublished f = { .fd = openat(dir, name,
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY) };
	unsigned char text[STREAM_PROLOGUE];
	struct stat st;
	int r;

	if (f.fd < 0 || fstat(f.fd, &st) < 0)
		return err_sys(e, "%s", name);
	r = io_pread_full(f.fd, text, sizeof(text), 0, e);
	if (r == 0)
		r = stream_prologue_parse(text, &f.prologue, e);
	if (r == 0 && (uint64_t)st.st_size != stream_size(&f.prologue))
		r = err_set(e, E_INPUT, "not a whole stream");
	if (r == 0)
		r = load_index(&f, e);
	if (r < 0)
		return err_prefix(e, r, "%s", name);
	sort_frames(&f);
	*ret = f;
	f = (struct published){ .fd = -1 }; /* given away */
	return 0;
}

void published_release(struct published *f)
{
	stream_index_release(&f->index);
	free(f->firsts);
	cleanup_fd(&f->fd);
	*f = (struct published){ .fd = -1 };
}

struct catalog_stream published_line(const struct published *f)
{
	struct catalog_stream line = { .source = f->prologue.source,
		.size = stream_size(&f->prologue),
		.start = stream_frames_at(&f->prologue) };

	for (size_t i = 0; i < f->index.n_slices; i++)
		line.start += f->index.slices[i].stored;
	return line;
}

/* --- frames ----------------------------------------------------------------------- */

const struct stream_frame *published_find(
	const struct published *f, const struct stream_content *contents, uint32_t n)
{
	const struct first_content key = { .digest = contents[0].digest };
	const struct first_content *found =
		f->n_firsts == 0
			? NULL
			: bsearch(&key, f->firsts, f->n_firsts, sizeof(key), by_digest);

	if (!found || found->frame->n_contents != n)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		struct stream_content c =
			stream_frame_content(&f->index, found->frame, i);

		if (c.size != contents[i].size ||
			!digest_equal(&c.digest, &contents[i].digest))
			return NULL;
	}
	return found->frame;
}

int published_read(const struct published *f, const struct stream_frame *frame,
	void *stored, unsigned char *inflated, struct error *e)
{
	size_t at = 0;
	int r = io_pread_full(f->fd, stored, frame->stored, frame->offset, e);

	if (r == 0)
		r = inflate(stored, frame->stored, inflated, frame->length, e);
	for (uint32_t i = 0; r == 0 && i < frame->n_contents; i++) {
		struct stream_content c = stream_frame_content(&f->index, frame, i);
		struct digest d = digest_of((struct bytes){ inflated + at, c.size });

		at += c.size;
		if (!digest_equal(&d, &c.digest))
			r = err_set(e, E_INPUT, "a frame that is damaged");
	}
	return r;
}
