/* SPDX-License-Identifier: MIT */
/*
 * See stream-write.h.  Frames are compressed by a pool; this thread writes them in their
 * order into a nameless file and, when all sizes are known, copies them behind the index.
 */
#include "build/stream-write.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/io.h"
#include "base/newfile.h"
#include "base/pool.h"
#include "build/published.h"
#include "build/stream-compress.h"
#include "build/stream-plan.h"

#define RING	    64 /* frames under way, written ones not counted */
#define QUEUE_BYTES ((size_t)40 << 20)
#define THREADS_MAX 8
#define SLICE_MAX   (8u << 20)
#define SLICE_EARLY (4u << 20) /* so far before a slice begins what it is made from */
#define META_LEVEL  19	       /* of head and index */
#define COPY_CHUNK  ((size_t)64 << 20)
#define SAMPLES	    16 /* frames that tell whether another stream is of this level */

/* A frame on its way: inputs by digest, or (a slice) in memory. */
struct job {
	const struct stream_frame *frame; /* NULL: a slice */
	struct bytes slice;
	struct bytes slice_base;
	bool done;
	bool failed;
	bool copied;
	void *out;
	size_t stored;
};

/* What one thread works with. */
struct worker {
	git_repository *repo;
	struct committed reader; /* only its database */
	ZSTD_CCtx *cctx;
	unsigned char *in;
	unsigned char *base;
};

struct streaming {
	const struct stream_write *w;
	struct bytes manifest;
	struct bytes source_manifest;
	struct blobs target_blobs;
	struct blobs source_blobs;
	struct stream_plan plan;
	struct published before; /* fd -1: nothing is copied from it */
	struct stream_slice *slices;
	size_t n_slices;
	struct worker workers[THREADS_MAX];
	unsigned n_workers;
	struct pool *pool;
	pthread_mutex_t lock;
	pthread_cond_t finished;
	struct job ring[RING];
	int frames_fd;
	uint64_t frames_stored;
	uint64_t copied;
	uint64_t done; /* inflated bytes written */
};

/* --- one frame -------------------------------------------------------------------- */

/* Contents one behind the other, each checked. */
static int gather(struct worker *k, const struct blobs *blobs,
	const struct stream_content *list, uint32_t n, unsigned char *into, size_t *ret_n,
	struct error *e)
{
	*ret_n = 0;
	for (uint32_t i = 0; i < n; i++) {
		autogit(git_odb_object) object = NULL;
		const struct blob *known = blobs_find(blobs, &list[i].digest);
		struct blob blob;
		int r;

		if (!known)
			return err_set(e, E_INPUT, "contents that are not in the tree");
		blob = *known;
		blob.size = list[i].size;
		r = committed_read(&k->reader, &blob, &object, e);
		if (r < 0)
			return r;
		memcpy(into + *ret_n, git_odb_object_data(object), list[i].size);
		*ret_n += list[i].size;
	}
	return 0;
}

static int make_frame(
	struct streaming *s, struct worker *k, struct job *job, struct error *e)
{
	const struct stream_frame *f = job->frame;
	struct bytes data = job->slice;
	struct bytes base = job->slice_base;
	int r = 0;

	if (f) {
		data.data = k->in;
		base.data = k->base;
		r = gather(k, &s->target_blobs, s->plan.contents + f->first,
			f->n_contents, k->in, &data.size, e);
		if (r == 0)
			r = gather(k, &s->source_blobs,
				f->n_bases ? s->plan.bases + f->at : NULL, f->n_bases,
				k->base, &base.size, e);
	}
	return r < 0 ? r
		     : stream_compress(k->cctx, s->w->level, base, data, &job->out,
			       &job->stored, e);
}

/* The frame of the stream before that holds what job's is to hold, or NULL. */
static const struct stream_frame *standing(
	const struct streaming *s, const struct stream_frame *f)
{
	if (s->before.fd < 0 || !f || f->n_bases > 0)
		return NULL;
	return published_find(&s->before, s->plan.contents + f->first, f->n_contents);
}

/* One that is damaged is made anew. */
static int work_on(
	struct streaming *s, struct worker *k, struct job *job, struct error *e)
{
	const struct stream_frame *there = standing(s, job->frame);

	if (there) {
		autofree void *stored = xmalloc(there->stored);

		if (published_read(&s->before, there, stored, k->in, NULL) == 0) {
			job->out = take_ptr(&stored);
			job->stored = there->stored;
			job->copied = true;
			return 0;
		}
	}
	return make_frame(s, k, job, e);
}

static void worker_release(struct worker *k)
{
	(void)ZSTD_freeCCtx(k->cctx); /* takes NULL */
	git_odb_free(k->reader.odb);
	git_repository_free(k->repo);
	free(k->in);
	free(k->base);
	*k = (struct worker){ 0 };
}

static int worker_open(struct streaming *s, struct worker *k, struct error *e)
{
	int r = 0;

	if (k->cctx)
		return 0;
	if (git_repository_open(&k->repo, git_repository_path(s->w->repo)) < 0 ||
		git_repository_odb(&k->reader.odb, k->repo) < 0)
		r = err_git(e, E_SYSTEM, "repository");
	k->in = xmalloc(STREAM_FRAME_MAX);
	k->base = xmalloc(STREAM_FRAME_MAX);
	k->cctx = r == 0 ? ZSTD_createCCtx() : NULL;
	if (r == 0 && !k->cctx)
		r = err_set(e, E_SYSTEM, "zstd: out of memory");
	if (r < 0)
		worker_release(k);
	return r;
}

/*
 * Would this libzstd, at this level, make `there` of what `f` holds?  1, 0, or an error:
 * that cannot be told, since one of them cannot be read.
 */
static int makes(struct streaming *s, const struct stream_frame *f,
	const struct stream_frame *there, struct error *e)
{
	struct worker *k = &s->workers[0];
	autofree void *stored = xmalloc(there->stored);
	struct job job = { .frame = f };
	int r = worker_open(s, k, e);

	if (r == 0 && published_read(&s->before, there, stored, k->in, e) < 0)
		r = E_INPUT; /* whatever it was: nothing depends on that file */
	if (r == 0)
		r = make_frame(s, k, &job, e);
	if (r == 0)
		r = job.stored == there->stored &&
		    memcmp(job.out, stored, job.stored) == 0;
	free(job.out);
	return r;
}

/* Does it tell levels from each other?  What does not shrink is the same at each. */
static bool tells(const struct stream_frame *there)
{
	return there && there->length <= STREAM_SHARED_MAX &&
	       there->stored < there->length - there->length / 8;
}

/*
 * Frames of another level, or of another libzstd, are not mixed with ours: a sample of
 * those that stand in both tells.
 */
static int look_before(struct streaming *s, struct error *e)
{
	const struct stream_frame *frames = s->plan.frames;
	size_t n = 0;
	size_t seen = 0;
	unsigned same = 0;
	int r = published_open(s->w->dir, s->w->before, &s->before, NULL);

	if (r < 0)
		return 0; /* never published, or nothing one could copy from */
	for (size_t i = 0; i < s->plan.n_frames; i++)
		n += tells(standing(s, &frames[i]));
	for (size_t i = 0; r >= 0 && i < s->plan.n_frames; i++) {
		const struct stream_frame *there = standing(s, &frames[i]);

		if (!tells(there) || seen++ % (n / SAMPLES + 1) != 0)
			continue;
		r = makes(s, &frames[i], there, e);
		same += r == 1;
		if (r == 0)
			break;
		if (r == E_INPUT) /* damaged, and made anew in its turn */
			r = 1;
	}
	if (r == 0 || same == 0)
		published_release(&s->before);
	return r < 0 ? r : 0;
}

static int run_job(void *ctx, unsigned worker, void *job_, struct error *e)
{
	struct streaming *s = ctx;
	struct job *job = job_;
	int r = worker_open(s, &s->workers[worker], e);

	if (r == 0)
		r = work_on(s, &s->workers[worker], job, e);
	(void)pthread_mutex_lock(&s->lock);
	job->done = true;
	job->failed = r < 0;
	(void)pthread_cond_signal(&s->finished);
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

static void drop_job(void *job_)
{
	(void)job_; /* in the ring */
}

/* --- in order --------------------------------------------------------------------- */

/* Write what job `i` has made; false: it, or one before, failed. */
static int settle(struct streaming *s, size_t i, uint32_t *ret_stored, struct error *e)
{
	struct job *job = &s->ring[i % RING];
	bool failed;
	int r;

	(void)pthread_mutex_lock(&s->lock);
	while (!job->done)
		(void)pthread_cond_wait(&s->finished, &s->lock);
	failed = job->failed;
	(void)pthread_mutex_unlock(&s->lock);
	if (failed)
		return pool_wait(s->pool, e); /* which knows why */
	r = io_write_full(s->frames_fd, job->out, job->stored, e);
	free(job->out);
	job->out = NULL;
	*ret_stored = (uint32_t)job->stored;
	s->frames_stored += job->stored;
	s->copied += job->copied ? job->stored : 0;
	return r;
}

static size_t count(const struct streaming *s)
{
	return s->n_slices + s->plan.n_frames;
}

static struct job job_of(const struct streaming *s, size_t i, size_t *ret_weight)
{
	struct job job = { 0 };

	if (i >= s->n_slices) {
		job.frame = &s->plan.frames[i - s->n_slices];
		*ret_weight = job.frame->length;
		return job;
	}
	job.slice =
		(struct bytes){ s->manifest.data + i * SLICE_MAX, s->slices[i].length };
	job.slice_base =
		(struct bytes){ s->source_manifest.data, s->slices[i].base_length };
	if (job.slice_base.size > 0)
		job.slice_base.data += s->slices[i].base_offset;
	*ret_weight = job.slice.size + job.slice_base.size;
	return job;
}

static int write_one(struct streaming *s, size_t i, struct error *e)
{
	struct progress_event event = { "publish", "bytes", 0,
		s->plan.contents_length + s->manifest.size };
	bool slice = i < s->n_slices;
	struct stream_frame *frame = slice ? NULL : &s->plan.frames[i - s->n_slices];
	int r = settle(s, i, slice ? &s->slices[i].stored : &frame->stored, e);

	s->done += slice ? s->slices[i].length : frame->length;
	event.done = s->done;
	return r < 0 ? r : progress_report(s->w->progress, &event, e);
}

static int write_frames(struct streaming *s, struct error *e)
{
	const struct pool_work work = { .run = run_job, .drop = drop_job, .ctx = s };
	size_t written = 0;
	int r;

	/* gather() has a better digest than git's for each content.  It cannot fail. */
	(void)git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
	r = pool_new(s->n_workers, QUEUE_BYTES, &work, &s->pool, e);

	for (size_t i = 0; r == 0 && i < count(s); i++) {
		size_t weight;

		if (i >= RING)
			r = write_one(s, written++, e);
		if (r < 0)
			break;
		s->ring[i % RING] = job_of(s, i, &weight);
		r = pool_put(s->pool, &s->ring[i % RING], weight, e);
	}
	while (r == 0 && written < count(s))
		r = write_one(s, written++, e);
	pool_free(s->pool); /* nobody reads any more */
	s->pool = NULL;
	(void)git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
	return r;
}

/* --- the file --------------------------------------------------------------------- */

static void cut_manifest(struct streaming *s)
{
	uint64_t base = s->source_manifest.size;

	s->n_slices = (s->manifest.size + SLICE_MAX - 1) / SLICE_MAX;
	s->slices = xcalloc(s->n_slices, sizeof(*s->slices));
	for (size_t i = 0; i < s->n_slices; i++) {
		uint64_t at = (uint64_t)i * SLICE_MAX;
		uint64_t from = at > SLICE_EARLY ? at - SLICE_EARLY : 0;
		uint64_t left = s->manifest.size - at;

		s->slices[i].length = left < SLICE_MAX ? (uint32_t)left : SLICE_MAX;
		if (from >= base)
			continue;
		s->slices[i].base_offset = from;
		s->slices[i].base_length = base - from < STREAM_FRAME_MAX
						   ? (uint32_t)(base - from)
						   : STREAM_FRAME_MAX;
	}
}

static void print_index(const struct streaming *s, struct buf *out)
{
	stream_index_begin(out, s->slices, (uint32_t)s->n_slices);
	for (size_t i = 0; i < s->plan.n_frames; i++) {
		const struct stream_frame *f = &s->plan.frames[i];

		stream_index_add(
			out, f, s->plan.contents + f->first, s->plan.bases + f->at);
	}
}

static int copy_frames(const struct streaming *s, int fd, struct error *e)
{
	loff_t from = 0;

	while ((uint64_t)from < s->frames_stored) {
		ssize_t n = copy_file_range(s->frames_fd, &from, fd, NULL, COPY_CHUNK, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, "copy");
	}
	return 0;
}

static int write_meta(
	const struct streaming *s, int fd, struct catalog_stream *ret, struct error *e)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	unsigned char text[STREAM_PROLOGUE];
	struct stream_prologue p = {
		.target = s->w->target->id,
		.head_length = (uint32_t)s->w->head.size,
		.frames_stored = s->frames_stored,
		.contents_length = s->plan.contents_length,
	};
	autobuf index = { 0 };
	autofree void *head_z = NULL;
	autofree void *index_z = NULL;
	size_t head_n = 0;
	size_t index_n = 0;
	int r;

	if (s->w->source)
		p.source = s->w->source->id;
	print_index(s, &index);
	p.index_length = (uint32_t)index.size;
	r = stream_compress(
		c, META_LEVEL, (struct bytes){ 0 }, s->w->head, &head_z, &head_n, e);
	if (r == 0)
		r = stream_compress(c, META_LEVEL, (struct bytes){ 0 }, buf_bytes(&index),
			&index_z, &index_n, e);
	(void)ZSTD_freeCCtx(c);
	if (r < 0)
		return r;
	p.head_stored = (uint32_t)head_n;
	p.index_stored = (uint32_t)index_n;
	stream_prologue_print(&p, text);
	r = io_write_full(fd, text, sizeof(text), e);
	if (r == 0)
		r = io_write_full(fd, head_z, head_n, e);
	if (r == 0)
		r = io_write_full(fd, index_z, index_n, e);
	*ret = (struct catalog_stream){
		.source = p.source, .size = stream_size(&p), .start = stream_frames_at(&p)
	};
	for (size_t i = 0; i < s->n_slices; i++)
		ret->start += s->slices[i].stored;
	return r;
}

static int write_file(struct streaming *s, struct catalog_stream *ret, struct error *e)
{
	struct newfile file = { .fd = -1 };
	int r = newfile_open(s->w->dir, &file, e);

	if (r == 0)
		r = write_meta(s, file.fd, ret, e);
	if (r == 0)
		r = copy_frames(s, file.fd, e);
	if (r == 0)
		r = newfile_publish(&file, s->w->name, e);
	newfile_release(&file);
	return r;
}

static int prepare(struct streaming *s, struct error *e)
{
	const struct stream_write *w = s->w;
	int r = committed_manifest(w->target, &s->manifest, e);

	if (r == 0)
		r = committed_contents(w->target, false, &s->target_blobs, e);
	if (r == 0 && w->source)
		r = committed_manifest(w->source, &s->source_manifest, e);
	if (r == 0 && w->source)
		r = committed_contents(w->source, false, &s->source_blobs, e);
	if (r == 0)
		r = stream_plan_make(s->manifest, s->source_manifest, &s->plan, e);
	if (r == 0)
		r = io_spool(w->dir, &s->frames_fd, e);
	if (r == 0)
		cut_manifest(s);
	if (r == 0 && w->before)
		r = look_before(s, e);
	return r;
}

static void streaming_release(struct streaming *s)
{
	pool_free(s->pool);
	for (size_t i = 0; i < RING; i++)
		free(s->ring[i].out);
	for (unsigned i = 0; i < THREADS_MAX; i++)
		worker_release(&s->workers[i]);
	stream_plan_release(&s->plan);
	published_release(&s->before);
	blobs_release(&s->target_blobs);
	blobs_release(&s->source_blobs);
	free(s->slices);
	cleanup_fd(&s->frames_fd);
	(void)pthread_mutex_destroy(&s->lock);
	(void)pthread_cond_destroy(&s->finished);
}

int stream_write(const struct stream_write *w, struct catalog_stream *ret,
	uint64_t *ret_copied, struct error *e)
{
	struct streaming *s = xcalloc(1, sizeof(*s));
	int r;

	s->w = w;
	s->frames_fd = -1;
	s->before.fd = -1;
	s->n_workers = pool_processors(THREADS_MAX);
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->finished, NULL);
	r = prepare(s, e);
	if (r == 0)
		r = write_frames(s, e);
	if (r == 0)
		r = write_file(s, ret, e);
	*ret_copied = s->copied;
	streaming_release(s);
	free(s);
	return r < 0 ? err_prefix(e, r, "stream %s", w->name) : 0;
}
