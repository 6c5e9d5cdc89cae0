/* SPDX-License-Identifier: MIT */
/*
 * Contents out of a release's tree: see contents.h.  libgit2's hash check is off while
 * blobs are read: root checks the same bytes against the signed manifest.
 */
#include "store/server/contents.h"

#include "manifest/manifest.h"
#include "store/server/lookup.h"
#include "store/server/repository.h"

struct one {
	struct want_head head;
	size_t path; /* offset in paths */
};

struct wanted {
	struct one *wants;
	size_t n;
	size_t cap;
	struct buf paths;
};

struct wanted *wanted_new(void)
{
	return xcalloc(1, sizeof(struct wanted));
}

void wanted_free(struct wanted *w)
{
	if (!w)
		return;
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
	one->path = w->paths.size;
	buf_add(&w->paths, path, n);
	buf_add(&w->paths, "", 1);
	return 0;
}

/* DATA frames, the first one behind `head` (may be empty) in a single write. */
static int send_data(
	struct session *ss, struct bytes head, struct bytes data, struct error *e)
{
	unsigned char frame[FRAME_HEAD];
	int r = 0;

	do {
		size_t n = data.size < FRAME_MAX ? data.size : FRAME_MAX;
		/* writev only reads; the type has no const. */
		struct iovec iov[] = {
			{ (void *)(uintptr_t)head.data, head.size },
			{ frame, n ? sizeof(frame) : 0 },
			{ (void *)(uintptr_t)data.data, n },
		};

		frame_head(frame, FRAME_DATA, n);
		r = frame_writev(ss->fd, iov, 3, e);
		head.size = 0;
		data.data += n;
		data.size -= n;
	} while (r == 0 && data.size > 0);
	return r;
}

static int send_missing(
	struct session *ss, const struct want_head *w, const char *why, struct error *e)
{
	unsigned char id[4];

	le32_put(id, w->id);
	return frame_send(ss->fd, FRAME_MISSING, (struct bytes){ id, sizeof(id) },
		bytes_of(why), e);
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

static int send_one(struct session *ss, struct lookup *l, git_odb *odb,
	const struct want_head *w, const char *path, struct error *e)
{
	autogit(git_odb_object) object = NULL;
	unsigned char head[FRAME_HEAD + 12];
	char blob[PATH_BLOB_MAX];
	git_object_t type = GIT_OBJECT_INVALID;
	size_t size = 0;
	git_oid id;

	if (w->size > MANIFEST_PIECE_MAX)
		return send_missing(ss, w, "larger than any content", e);
	if (!lookup_blob(l, place(w, path, blob), &id))
		return send_missing(ss, w, "the release's tree does not hold it", e);
	/* The size first: inflating costs memory. */
	if (git_odb_read_header(&size, &type, odb, &id) == 0 &&
		(size != w->size || type != GIT_OBJECT_BLOB))
		return send_missing(ss, w, "the release's tree holds another size", e);
	if (git_odb_read(&object, odb, &id) < 0) {
		const git_error *g = git_error_last();

		damage_set();
		return send_missing(ss, w, g ? g->message : "unreadable", e);
	}
	if (git_odb_object_size(object) != w->size) /* the header lied */
		return send_missing(ss, w, "the release's tree holds another size", e);
	frame_head(head, FRAME_CONTENT, 12);
	le32_put(head + FRAME_HEAD, w->id);
	le64_put(head + FRAME_HEAD + 4, w->size);
	return send_data(ss, (struct bytes){ head, sizeof(head) },
		(struct bytes){ git_odb_object_data(object), w->size }, e);
}

int wanted_send(
	struct wanted *w, struct session *ss, const git_oid *commit, struct error *e)
{
	struct lookup l = { 0 };
	autogit(git_odb) odb = NULL;
	int r = lookup_open(&l, ss->repo, commit, e);

	if (r == 0 && git_repository_odb(&odb, ss->repo) < 0)
		r = err_git(e, E_SYSTEM, "store");
	library_strict(false);
	for (size_t i = 0; r == 0 && i < w->n; i++)
		r = send_one(ss, &l, odb, &w->wants[i].head,
			w->paths.data + w->wants[i].path, e);
	library_strict(true);
	lookup_release(&l);
	w->n = 0;
	buf_reset(&w->paths);
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
	if (git_odb_read(&object, odb, &id) < 0) {
		damage_set();
		return err_git(e, E_REMOTE, "%s", PATH_MANIFEST);
	}
	return send_data(ss, (struct bytes){ 0 },
		(struct bytes){
			git_odb_object_data(object), git_odb_object_size(object) },
		e);
}
