/* SPDX-License-Identifier: MIT */
/*
 * Contents: see fill.h.  Nothing is believed about where they come from: a local copy
 * whose digest is wrong is fetched instead, a fetched one is the store's fault.
 */
#include "slot/fill-internal.h"

#include <fcntl.h>

#include "base/beneath.h"
#include "base/io.h"
#include "slot/part.h"

#define COPY_SIZE (256 * 1024)

struct fill *fill_new(const struct install *in, const struct plan *plan, struct writer *w,
	struct install_sums *sums)
{
	struct fill *f = xcalloc(1, sizeof(*f));

	f->in = in;
	f->plan = plan;
	f->w = w;
	f->sums = sums;
	f->asking = manifest_reader_new(in->manifest);
	f->receiving = manifest_reader_new(in->manifest);
	f->sink.fd = -1;
	f->maker = (struct maker){ in, plan, w };
	f->buffer = xmalloc(COPY_SIZE);
	return f;
}

void fill_free(struct fill *f)
{
	if (!f)
		return;
	deliver_free(f->deliver);
	sources_close(f->sources);
	sources_close(f->bases);
	manifest_reader_free(f->asking);
	manifest_reader_free(f->receiving);
	cleanup_fd(&f->sink.fd);
	spool_release(&f->jobs);
	flush_free(f->flush);
	free(f->pieced);
	free(f->buffer);
	free(f);
}

int fill_report(struct fill *f, uint64_t more, struct error *e)
{
	const struct progress_event event = { "apply", "bytes", f->done += more,
		f->plan->make_bytes };

	return progress_report(f->in->progress, &event, e);
}

/* --- local copies ----------------------------------------------------------------- */

/* Copy `size` bytes into the sink; false when they are not those of `digest`. */
static int copy(struct fill *f, int from, uint64_t offset, uint64_t size,
	const struct digest *digest, bool *ret_right, struct error *e)
{
	struct digest found;

	*ret_right = false;
	while (size > 0) {
		size_t n = size < COPY_SIZE ? (size_t)size : COPY_SIZE;
		int r;

		/* A source that cannot be read is no source. */
		if (io_pread_full(from, f->buffer, n, offset, NULL) < 0)
			return 0;
		r = sink_write(&f->sink, (struct bytes){ f->buffer, n }, e);
		if (r == 0)
			r = fill_report(f, n, e);
		if (r < 0)
			return r;
		offset += n;
		size -= n;
	}
	digest_finish(&f->sink.state, &found);
	*ret_right = digest_equal(&found, digest);
	return 0;
}

/* 1 found. */
static int find_source(
	struct fill *f, const struct digest *digest, int *ret_fd, uint64_t *ret_offset)
{
	if (!f->sources)
		f->sources = sources_open(f->in, f->plan, f->w->root);
	return sources_find(f->sources, digest, ret_fd, ret_offset);
}

/* Fill `size` bytes at `offset` of the new file `fd` from those at `at` of `from`. */
static int fill_local(struct fill *f, int fd, uint64_t offset, int from, uint64_t at,
	uint64_t size, const struct digest *digest, bool *ret_right, struct error *e)
{
	uint64_t before = f->done;
	int r;

	sink_start(&f->sink, fd, offset);
	r = copy(f, from, at, size, digest, ret_right, e);
	f->sink.fd = -1; /* it was lent */
	if (r == 0 && *ret_right)
		f->sums->bytes_copied += size;
	else
		f->done = before;
	return r;
}

int fill_made(struct fill *f, uint64_t size, struct error *e)
{
	int r = f->flush ? 0 : flush_new(f->w->root, &f->flush, e);

	return r < 0 ? r : flush_note(f->flush, size, e);
}

int fill_finish(struct fill *f, int fd, uint64_t index, const struct entry *entry,
	struct error *e)
{
	int r = make_finish(&f->maker, fd, index, entry, e);

	return r < 0 ? r : fill_made(f, entry->size, e);
}

/* --- one file --------------------------------------------------------------------- */

static int note_job(
	struct fill *f, uint64_t index, uint64_t offset, uint32_t piece, struct error *e)
{
	int r = spool_grow(
		&f->jobs, f->in->state_dirfd, f->n_jobs, sizeof(struct job), e);

	if (r == 0)
		((struct job *)f->jobs.data)[f->n_jobs++] =
			(struct job){ offset, (uint32_t)index, piece };
	return r;
}

/* `old`: the file may hold some of it from before. */
static int fill_piece(struct fill *f, int fd, const struct piece *piece, uint64_t offset,
	bool old, bool *ret_right, struct error *e)
{
	autofd found = -1;
	uint64_t at;
	int r = 0;

	*ret_right = old && part_has(fd, piece, offset);
	if (*ret_right)
		return fill_report(f, piece->size, e);
	if (find_source(f, &piece->digest, &found, &at) == 1) {
		r = fill_local(f, fd, offset, found, at, piece->size, &piece->digest,
			ret_right, e);
		old = true;
	}
	/* What a wrong copy left would shine through the holes of the right one. */
	if (r == 0 && !*ret_right && old &&
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			(off_t)piece->size) < 0)
		r = err_sys(e, "punch hole");
	return r;
}

static int fill_pieces(struct fill *f, int fd, const struct entry *entry, uint64_t index,
	bool old, struct error *e)
{
	struct pieced p = { .index = (uint32_t)index };
	uint64_t offset = 0;

	for (uint32_t i = 0; i < entry->n_pieces; i++) {
		bool right;
		int r = fill_piece(f, fd, &entry->pieces[i], offset, old, &right, e);

		if (r == 0 && !right) {
			r = note_job(f, index, offset, i, e);
			p.left++;
		}
		if (r < 0)
			return r;
		offset += entry->pieces[i].size;
	}
	if (ftruncate(fd, (off_t)entry->size) < 0)
		return err_sys(e, "extend");
	if (p.left == 0)
		return fill_finish(f, fd, index, entry, e);
	ARRAY_GROW(f->pieced, f->n_pieced, f->cap_pieced);
	f->pieced[f->n_pieced++] = p;
	return 0;
}

/* A whole file from `from`; -1 only for an empty one. */
static int fill_whole(struct fill *f, const struct entry *entry, uint64_t index, int from,
	uint64_t at, bool *ret_right, struct error *e)
{
	autofd fd = -1;
	int r = make_create(&f->maker, entry, index, &fd, e);

	if (r == 0)
		r = fill_local(
			f, fd, 0, from, at, entry->size, &entry->digest, ret_right, e);
	if (r == 0 && *ret_right && ftruncate(fd, (off_t)entry->size) < 0)
		r = err_sys(e, "extend");
	if (r < 0)
		return r;
	return *ret_right ? fill_finish(f, fd, index, entry, e)
			  : make_discard(&f->maker, entry, index, e);
}

static int fill_from_store(
	struct fill *f, const struct entry *entry, uint64_t index, struct error *e)
{
	autofd fd = -1;
	bool old;
	int r;

	if (entry->n_pieces == 0)
		return note_job(f, index, 0, WHOLE, e);
	r = part_open(f->w, entry, &fd, &old, e);
	return r < 0 ? r : fill_pieces(f, fd, entry, index, old, e);
}

int fill_file(struct fill *f, const struct entry *entry, uint64_t index, bool local,
	struct error *e)
{
	autofd from = -1;
	bool right = false;
	uint64_t at = 0;
	int r = 0;

	if (local)
		(void)beneath_open(f->w->root, entry->path,
			O_RDONLY | O_NONBLOCK | O_NOATIME, 0, &from,
			NULL); /* else it is found elsewhere */
	if (entry->size == 0 || from >= 0 ||
		find_source(f, &entry->digest, &from, &at) == 1)
		r = fill_whole(f, entry, index, from, at, &right, e);
	if (r == 0 && !right)
		r = fill_from_store(f, entry, index, e);
	return r < 0 ? err_prefix(e, r, "%s", entry->path) : 0;
}
