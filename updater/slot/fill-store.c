/* SPDX-License-Identifier: MIT */
/*
 * Contents that the store is asked for: see fill.h.  Whole files go to threads that make
 * them (deliver.h); large ones and pieces are written by this one as they come.
 */
#include "slot/fill-internal.h"

#include <fcntl.h>

#include "base/beneath.h"
#include "base/io.h"
#include "slot/part.h"

static const struct job *job_at(const struct fill *f, size_t i)
{
	return &((const struct job *)f->jobs.data)[i];
}

static int next(void *ctx, struct want *ret, struct error *e)
{
	struct fill *f = ctx;
	const struct job *job;
	struct entry entry;
	bool whole;
	int r;

	if (f->asked == f->n_jobs)
		return 0;
	job = job_at(f, f->asked);
	r = manifest_at(f->asking, f->plan->offsets[job->index], &entry, e);
	if (r < 0)
		return r;
	whole = job->piece == WHOLE;
	*ret = (struct want){
		.id = (uint32_t)f->asked++,
		.is_piece = !whole,
		.digest = whole ? entry.digest : entry.pieces[job->piece].digest,
		.size = whole ? entry.size : entry.pieces[job->piece].size,
		.path = entry.path,
	};
	return 1;
}

static int open_pieced(struct fill *f, int *ret_fd, struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	int dirfd;
	int r = writer_parent(f->w, f->entry.path, &dirfd, &name, e);

	if (r < 0)
		return r;
	part_name(&f->entry, temp);
	return beneath_open(dirfd, temp, O_WRONLY, 0, ret_fd, e);
}

static bool is_whole(const struct fill *f)
{
	return f->job->piece == WHOLE;
}

/* The file that is written by this thread. */
static int begin_here(struct fill *f, struct error *e)
{
	int fd = -1;
	int r = is_whole(f) ? make_create(&f->maker, &f->entry, f->job->index, &fd, e)
			    : open_pieced(f, &fd, e);

	if (r == 0)
		sink_start(&f->sink, fd, f->job->offset);
	return r < 0 ? err_prefix(e, r, "%s", f->entry.path) : 0;
}

static int begin(void *ctx, uint32_t id, uint64_t size, struct error *e)
{
	struct fill *f = ctx;
	int r;

	/* `size` is that of `next`: the client has seen to it. */
	f->job = job_at(f, id);
	f->size = size;
	f->delivered = is_whole(f) && size <= DELIVER_FILE_MAX;
	if (f->delivered)
		return deliver_begin(f->deliver, f->job->index, (size_t)size, e);
	r = manifest_at(f->receiving, f->plan->offsets[f->job->index], &f->entry, e);
	return r < 0 ? r : begin_here(f, e);
}

static int data(void *ctx, struct bytes data_, struct error *e)
{
	struct fill *f = ctx;
	int r = 0;

	if (f->delivered)
		deliver_add(f->deliver, data_);
	else
		r = sink_write(&f->sink, data_, e);
	if (r < 0)
		return err_prefix(e, r, "%s", f->entry.path);
	f->sums->bytes_fetched += data_.size;
	return fill_report(f, data_.size, e);
}

/* One piece less is missing of this file: true when it was the last. */
static bool piece_done(struct fill *f, uint32_t index)
{
	size_t low = 0;
	size_t high = f->n_pieced;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->pieced[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return --f->pieced[low].left == 0;
}

static int end_here(struct fill *f, struct error *e)
{
	const struct job *job = f->job;
	const struct digest *wanted =
		is_whole(f) ? &f->entry.digest : &f->entry.pieces[job->piece].digest;
	autofd fd = take_fd(&f->sink.fd);
	struct sink sink = f->sink;
	struct digest found;
	int r = 0;

	digest_finish(&f->sink.state, &found);
	if (!digest_equal(&found, wanted))
		return make_refuse(e);
	sink.fd = fd;
	if (is_whole(f))
		r = sink_extend(&sink, f->entry.size, e);
	if (r == 0 && (is_whole(f) || piece_done(f, job->index)))
		r = fill_finish(f, fd, job->index, &f->entry, e);
	return r;
}

static int end(void *ctx, struct error *e)
{
	struct fill *f = ctx;
	int r;

	if (f->delivered)
		return fill_made(f, f->size, e);
	r = end_here(f, e);
	return r < 0 ? err_prefix(e, r, "%s", f->entry.path) : 0;
}

/* What has come whole is made, however long the next takes: whoever begins anew after a
 * crash has it. */
static int idle(void *ctx, struct error *e)
{
	struct fill *f = ctx;

	return deliver_flush(f->deliver, e);
}

static void name(void *ctx, uint32_t id, struct buf *ret)
{
	struct fill *f = ctx;
	struct entry entry;

	if (id < f->n_jobs &&
		manifest_at(f->asking, f->plan->offsets[job_at(f, id)->index], &entry,
			NULL) == 0)
		buf_adds(ret, entry.path);
}

/* What a stream's contents are made from: of either slot, checked before it is used. */
static int base(void *ctx, const struct digest *digest, uint32_t size,
	unsigned char *into, struct error *e)
{
	struct fill *f = ctx;
	struct digest found;
	autofd fd = -1;
	uint64_t at;

	(void)e;
	if (!f->bases)
		f->bases = sources_open_all(f->in, f->w->root);
	if (sources_find(f->bases, digest, &fd, &at) == 0 ||
		io_pread_full(fd, into, size, at, NULL) < 0)
		return 0;
	found = digest_of((struct bytes){ into, size });
	return digest_equal(&found, digest);
}

int fill_fetch(struct fill *f, struct error *e)
{
	const struct contents c = {
		.next = next,
		.begin = begin,
		.data = data,
		.end = end,
		.idle = idle,
		.name = name,
		.base = base,
		.ctx = f,
	};
	int r;

	if (f->n_jobs == 0)
		return 0;
	r = deliver_new(&f->maker, &f->deliver, e);
	memory_keep();
	if (r == 0)
		r = store_contents(
			f->in->store, &release_info(f->in->release)->commit, &c, e);
	if (r == 0)
		r = deliver_wait(f->deliver, e);
	memory_return();
	return r;
}
