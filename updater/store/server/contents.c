/* SPDX-License-Identifier: MIT */
/*
 * Contents out of a release's tree: see contents.h.  Inflating is what costs time here,
 * so it is done on all processors, each reader with a repository of its own: libgit2's
 * object databases are no faster shared.  Its hash check is off while contents are read:
 * root checks the same bytes against the signed manifest.
 */
#include "store/server/contents.h"

#include <pthread.h>

#include "base/pool.h"
#include "manifest/manifest.h"
#include "store/server/lookup.h"
#include "store/server/packs.h"
#include "store/server/repository.h"

#define READERS_MAX 8
#define POOL_BYTES  ((size_t)24 << 20) /* contents in memory at a time */
#define ALONE_BYTES                                                                      \
	((uint64_t)1 << 20) /* what one reader has done before others wake               \
			     */

struct one {
	struct want_head head;
	size_t path; /* offset in paths */
};

/* What one thread reads with. */
struct reader {
	git_repository *repo;
	git_odb *odb;
	struct lookup lookup;
	struct inflater *inflater;
};

struct wanted {
	struct one *wants;
	size_t n;
	size_t cap;
	struct buf paths;
	uint64_t bytes; /* of all contents */
	/* answering them: */
	struct session *ss;
	git_oid commit; /* which the readers' lookups are for */
	struct reader readers[READERS_MAX];
	struct packs *packs;  /* NULL until the first of them is opened */
	struct pool *pool;    /* NULL until there is enough to do */
	pthread_mutex_t send; /* an answer's frames stay together */
};

static void reader_release(struct reader *r)
{
	lookup_release(&r->lookup);
	inflater_free(r->inflater);
	git_odb_free(r->odb);
	git_repository_free(r->repo);
	*r = (struct reader){ 0 };
}

static int reader_open(struct reader *r, const git_oid *commit, struct error *e)
{
	int err;

	if (r->lookup.repo)
		return 0;
	if (git_repository_open_bare(&r->repo, GIT_DIR) < 0 ||
		git_repository_odb(&r->odb, r->repo) < 0)
		return err_git(e, E_SYSTEM, "store");
	r->inflater = inflater_new();
	err = lookup_open(&r->lookup, r->repo, commit, e);
	if (err < 0)
		reader_release(r);
	return err;
}

struct wanted *wanted_new(void)
{
	struct wanted *w = xcalloc(1, sizeof(struct wanted));

	(void)pthread_mutex_init(&w->send, NULL);
	return w;
}

void wanted_forget(struct wanted *w)
{
	pool_free(w->pool);
	w->pool = NULL;
	for (size_t i = 0; i < READERS_MAX; i++)
		reader_release(&w->readers[i]);
	packs_close(w->packs);
	w->packs = NULL;
}

void wanted_free(struct wanted *w)
{
	if (!w)
		return;
	wanted_forget(w);
	(void)pthread_mutex_destroy(&w->send);
	free(w->wants);
	buf_release(&w->paths);
	free(w);
}

int wanted_add(struct wanted *w, struct bytes payload, struct error *e)
{
	struct one *one;
	const char *path;
	size_t n;

	if (payload.size <= WANT_HEAD || w->n == FRAME_BATCH)
		return err_set(e, E_USAGE, "WANT: too short, or too many of them");
	path = (const char *)payload.data + WANT_HEAD;
	n = payload.size - WANT_HEAD;
	if (memchr(path, '\0', n) || path_fault(path, n))
		return err_set(e, E_USAGE, "WANT: no valid path");
	ARRAY_GROW(w->wants, w->n, w->cap);
	one = &w->wants[w->n++];
	want_head_get(payload.data, &one->head);
	w->bytes += one->head.size < MANIFEST_PIECE_MAX ? one->head.size : 0;
	one->path = w->paths.size;
	buf_add(&w->paths, path, n);
	buf_add(&w->paths, "", 1);
	return 0;
}

static int send_missing(
	struct wanted *w, const struct want_head *head, const char *why, struct error *e)
{
	unsigned char id[4];
	int r;

	le32_put(id, head->id);
	(void)pthread_mutex_lock(&w->send);
	r = frame_send(w->ss->fd, FRAME_MISSING, (struct bytes){ id, sizeof(id) },
		bytes_of(why), e);
	(void)pthread_mutex_unlock(&w->send);
	return r;
}

static int send_content(struct wanted *w, const struct want_head *head, struct bytes data,
	struct error *e)
{
	int r;

	(void)pthread_mutex_lock(&w->send);
	r = reply_content(w->ss, head->id, data, e);
	(void)pthread_mutex_unlock(&w->send);
	return r;
}

/* The name under which the contents stand in the tree. */
static const char *place(
	const struct want_head *w, const char *path, char blob[PATH_BLOB_MAX])
{
	if (!w->is_piece && !path_is_escaped(path))
		return path;
	path_blob(&w->digest, blob);
	return blob;
}

/* One answer.  Negative: root is gone. */
static int answer(
	struct wanted *w, struct reader *r, const struct one *one, struct error *e)
{
	autogit(git_odb_object) object = NULL;
	const struct want_head *head = &one->head;
	char blob[PATH_BLOB_MAX];
	git_object_t type = GIT_OBJECT_INVALID;
	struct bytes data;
	size_t size = 0;
	git_oid id;
	int err;

	if (head->size > MANIFEST_PIECE_MAX)
		return send_missing(w, head, "larger than any content", e);
	if (!lookup_blob(&r->lookup, place(head, w->paths.data + one->path, blob), &id))
		return send_missing(w, head, "the release's tree does not hold it", e);
	if (packs_blob(w->packs, &id, head->size, r->inflater, &data)) {
		err = send_content(w, head, data, e);
		inflater_trim(r->inflater);
		return err;
	}
	/* The size first: inflating costs memory. */
	if (git_odb_read_header(&size, &type, r->odb, &id) == 0 &&
		(size != head->size || type != GIT_OBJECT_BLOB))
		return send_missing(w, head, "the release's tree holds another size", e);
	if (git_odb_read(&object, r->odb, &id) < 0) {
		const git_error *g = git_error_last();

		damage_set();
		return send_missing(w, head, g ? g->message : "unreadable", e);
	}
	if (git_odb_object_size(object) != head->size) /* the header lied */
		return send_missing(w, head, "the release's tree holds another size", e);
	return send_content(
		w, head, (struct bytes){ git_odb_object_data(object), head->size }, e);
}

static int run_one(void *ctx, unsigned worker, void *job, struct error *e)
{
	struct wanted *w = ctx;
	struct reader *r = &w->readers[worker + 1];
	int err = reader_open(r, &w->commit, e);

	return err < 0 ? err : answer(w, r, job, e);
}

static void drop_one(void *job)
{
	(void)job; /* belongs to the batch */
}

static int start_pool(struct wanted *w, struct error *e)
{
	const struct pool_work work = { .run = run_one, .drop = drop_one, .ctx = w };

	if (w->pool)
		return 0;
	return pool_new(pool_processors(READERS_MAX - 1), POOL_BYTES, &work, &w->pool, e);
}

static int answer_all(struct wanted *w, struct error *e)
{
	bool alone = w->bytes < ALONE_BYTES || pool_processors(2) < 2;
	int r = alone ? 0 : start_pool(w, e);
	int ended;

	for (size_t i = 0; r == 0 && i < w->n; i++)
		r = alone ? answer(w, &w->readers[0], &w->wants[i], e)
			  : pool_put(w->pool, &w->wants[i], w->wants[i].head.size, e);
	if (!w->pool)
		return r;
	ended = pool_wait(w->pool, r < 0 ? NULL : e);
	return r < 0 ? r : ended;
}

void wanted_empty(struct wanted *w)
{
	w->n = 0;
	w->bytes = 0;
	buf_reset(&w->paths);
}

int wanted_send(
	struct wanted *w, struct session *ss, const git_oid *commit, struct error *e)
{
	int r;

	if (!git_oid_equal(&w->commit, commit))
		wanted_forget(w);
	w->ss = ss;
	w->commit = *commit;
	if (!w->packs)
		w->packs = packs_open();
	r = reader_open(&w->readers[0], commit, e);
	library_strict(false);
	if (r == 0)
		r = answer_all(w, e);
	library_strict(true);
	wanted_empty(w);
	return r;
}

int contents_manifest(struct session *ss, const git_oid *commit, struct error *e)
{
	autogit(git_odb_object) object = NULL;
	autogit(git_odb) odb = NULL;
	struct lookup l = { 0 };
	git_object_t type = GIT_OBJECT_INVALID;
	size_t size = 0;
	git_oid id;
	bool found;
	int r = lookup_open(&l, ss->repo, commit, e);

	if (r < 0)
		return r;
	found = lookup_blob(&l, PATH_MANIFEST, &id);
	lookup_release(&l);
	if (!found)
		return err_set(e, E_REMOTE, "the release has no %s", PATH_MANIFEST);
	if (git_repository_odb(&odb, ss->repo) < 0)
		return err_git(e, E_SYSTEM, "store");
	if (git_odb_read_header(&size, &type, odb, &id) == 0 && size > MANIFEST_SIZE_MAX)
		return err_set(
			e, E_REMOTE, "%s: %zu bytes are too many", PATH_MANIFEST, size);
	library_strict(false);
	found = git_odb_read(&object, odb, &id) == 0;
	library_strict(true);
	if (!found) {
		damage_set();
		return err_git(e, E_REMOTE, "%s", PATH_MANIFEST);
	}
	return reply_data(ss, (struct bytes){ 0 },
		(struct bytes){
			git_odb_object_data(object), git_odb_object_size(object) },
		e);
}
