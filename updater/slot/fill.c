/* SPDX-License-Identifier: MIT */
/*
 * Contents: see fill.h.  Nothing is believed about where they come from: a local copy
 * whose digest is wrong is fetched instead, a fetched one is the store's fault.
 */
#include "slot/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/beneath.h"
#include "base/io.h"
#include "slot/compare.h"
#include "slot/flush.h"
#include "slot/part.h"
#include "slot/source.h"
#include "slot/tree.h"

#define COPY_SIZE (256 * 1024)
#define WHOLE	  UINT32_MAX

/* Contents the store is to give: a whole file, or one piece of it. */
struct job {
	uint64_t offset; /* of the piece in the file */
	uint32_t index;	 /* of the entry in the plan; names the temporary file */
	uint32_t piece;	 /* or WHOLE */
};

/* A file made of pieces, of which some are missing. */
struct pieced {
	uint32_t index;
	uint32_t left;
};

struct fill {
	const struct install *in;
	const struct plan *plan;
	struct writer *w;
	struct install_sums *sums;
	struct sources *sources;	   /* opened at the first need */
	struct sources *bases;		   /* of all contents, opened likewise */
	struct manifest_reader *asking;	   /* for `next` … */
	struct manifest_reader *receiving; /* … and for what comes */
	struct spool jobs;		   /* struct job */
	size_t n_jobs;
	size_t asked;
	struct pieced *pieced; /* by index, ascending */
	size_t n_pieced;
	size_t cap_pieced;
	/* the content that is arriving: */
	const struct job *job;
	struct entry entry;
	struct sink sink;
	uint64_t done;
	unsigned char *buffer;
	struct flush *flush; /* begun with the first file */
};

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
	f->buffer = xmalloc(COPY_SIZE);
	return f;
}

void fill_free(struct fill *f)
{
	if (!f)
		return;
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

static int report(struct fill *f, uint64_t more, struct error *e)
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
			r = report(f, n, e);
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

/* --- finishing -------------------------------------------------------------------- */

/* A file made of pieces is one whole only if its own digest says so. */
static int check_whole(struct fill *f, int dirfd, const char *temp,
	const struct entry *entry, struct error *e)
{
	struct digest digest;
	uint64_t size;
	int r;

	if (entry->n_pieces == 0 || f->in->read_back)
		return 0; /* hashed as it came, or will be by the seal */
	r = compare_digest(dirfd, temp, false, &digest, &size, e);
	if (r == 0 && (size != entry->size || !digest_equal(&digest, &entry->digest)))
		r = err_set(e, E_INPUT,
			"the manifest's pieces are not those of the whole file");
	return r;
}

/* Its item of the stat index, while the file is at hand; a further name changes it. */
static int note_stat(struct fill *f, int fd, uint64_t index, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	f->plan->items[index] = (struct index_item){
		.inode = st.st_ino,
		.ctime_seconds = st.st_ctim.tv_sec,
		.ctime_nanoseconds = (uint32_t)st.st_ctim.tv_nsec,
	};
	return 0;
}

static void temp_name(const struct fill *f, const struct entry *entry, uint64_t index,
	char ret[TEMP_NAME_MAX])
{
	if (entry->n_pieces > 0)
		part_name(entry, ret);
	else
		writer_temp(f->w, index, ret);
}

/* All contents are there: metadata, and into place. */
static int finish(struct fill *f, int fd, uint64_t index, const struct entry *entry,
	struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	int dirfd;
	int r = writer_parent(f->w, entry->path, &dirfd, &name, e);

	if (r < 0)
		return r;
	temp_name(f, entry, index, temp);
	r = check_whole(f, dirfd, temp, entry, e);
	if (r == 0)
		r = write_file_meta(fd, entry, e);
	if (r == 0)
		r = write_rename(dirfd, temp, name, e);
	if (r == 0)
		r = note_stat(f, fd, index, e);
	if (r == 0 && !f->flush)
		r = flush_new(f->w->root, &f->flush, e);
	return r < 0 ? r : flush_note(f->flush, entry->size, e);
}

static int create(struct fill *f, const struct entry *entry, uint64_t index, int *ret_fd,
	struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	int dirfd;
	int r = writer_parent(f->w, entry->path, &dirfd, &name, e);

	temp_name(f, entry, index, temp);
	/* A part from before is of no use where the whole is at hand. */
	if (r == 0 && entry->n_pieces > 0)
		r = tree_remove(dirfd, temp, e);
	return r < 0 ? r : write_create(dirfd, temp, ret_fd, e);
}

static struct job *job_at(const struct fill *f, size_t i)
{
	return &((struct job *)f->jobs.data)[i];
}

static int note_job(
	struct fill *f, uint64_t index, uint64_t offset, uint32_t piece, struct error *e)
{
	int r = spool_grow(
		&f->jobs, f->in->state_dirfd, f->n_jobs, sizeof(struct job), e);

	if (r == 0)
		*job_at(f, f->n_jobs++) = (struct job){ offset, (uint32_t)index, piece };
	return r;
}

/* Start over with an empty file: what a wrong local copy left must not shine through. */
static int discard(
	struct fill *f, const struct entry *entry, uint64_t index, struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	int dirfd;
	int r = writer_parent(f->w, entry->path, &dirfd, &name, e);

	temp_name(f, entry, index, temp);
	if (r == 0 && unlinkat(dirfd, temp, 0) < 0)
		r = err_sys(e, "remove");
	return r;
}

/* --- one file --------------------------------------------------------------------- */

/* `old`: the file may hold some of it from before. */
static int fill_piece(struct fill *f, int fd, const struct piece *piece, uint64_t offset,
	bool old, bool *ret_right, struct error *e)
{
	autofd found = -1;
	uint64_t at;
	int r = 0;

	*ret_right = old && part_has(fd, piece, offset);
	if (*ret_right)
		return report(f, piece->size, e);
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
		return finish(f, fd, index, entry, e);
	ARRAY_GROW(f->pieced, f->n_pieced, f->cap_pieced);
	f->pieced[f->n_pieced++] = p;
	return 0;
}

/* A whole file from `from`; -1 only for an empty one. */
static int fill_whole(struct fill *f, const struct entry *entry, uint64_t index, int from,
	uint64_t at, bool *ret_right, struct error *e)
{
	autofd fd = -1;
	int r = create(f, entry, index, &fd, e);

	if (r == 0)
		r = fill_local(
			f, fd, 0, from, at, entry->size, &entry->digest, ret_right, e);
	if (r == 0 && *ret_right && ftruncate(fd, (off_t)entry->size) < 0)
		r = err_sys(e, "extend");
	if (r < 0)
		return r;
	return *ret_right ? finish(f, fd, index, entry, e) : discard(f, entry, index, e);
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

/* --- from the store --------------------------------------------------------------- */

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

static int begin(void *ctx, uint32_t id, uint64_t size, struct error *e)
{
	struct fill *f = ctx;
	int fd = -1;
	int r;

	(void)size; /* the client checked that it is the one asked for */
	f->job = job_at(f, id);
	r = manifest_at(f->receiving, f->plan->offsets[f->job->index], &f->entry, e);
	if (r < 0)
		return r;
	r = f->job->piece == WHOLE ? create(f, &f->entry, f->job->index, &fd, e)
				   : open_pieced(f, &fd, e);
	if (r < 0)
		return err_prefix(e, r, "%s", f->entry.path);
	sink_start(&f->sink, fd, f->job->offset);
	return 0;
}

static int data(void *ctx, struct bytes data_, struct error *e)
{
	struct fill *f = ctx;
	int r = sink_write(&f->sink, data_, e);

	if (r < 0)
		return err_prefix(e, r, "%s", f->entry.path);
	f->sums->bytes_fetched += data_.size;
	return report(f, data_.size, e);
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

static int end(void *ctx, struct error *e)
{
	struct fill *f = ctx;
	const struct job *job = f->job;
	bool whole = job->piece == WHOLE;
	const struct digest *wanted =
		whole ? &f->entry.digest : &f->entry.pieces[job->piece].digest;
	autofd fd = take_fd(&f->sink.fd);
	struct sink sink = f->sink;
	struct digest found;
	int r = 0;

	digest_finish(&f->sink.state, &found);
	if (!digest_equal(&found, wanted))
		return err_unsigned(e,
			err_set(e, E_REMOTE,
				"%s: the server's contents are not what was signed; "
				"nothing is "
				"changed "
				"for good, try again later or tell who runs the server",
				f->entry.path));
	sink.fd = fd;
	if (whole)
		r = sink_extend(&sink, f->entry.size, e);
	if (r == 0 && (whole || piece_done(f, job->index)))
		r = finish(f, fd, job->index, &f->entry, e);
	return r < 0 ? err_prefix(e, r, "%s", f->entry.path) : 0;
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
		.name = name,
		.base = base,
		.ctx = f,
	};

	if (f->n_jobs == 0)
		return 0;
	return store_contents(f->in->store, &release_info(f->in->release)->commit, &c, e);
}
