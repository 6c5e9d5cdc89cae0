/* SPDX-License-Identifier: MIT */
/*
 * See commit.h.  What can be known to be wrong is found before the source is read; what
 * is written stays invisible until the pack gets its name; the branch moves last.
 */
#include "build/commit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "build/committed.h"
#include "build/sign.h"
#include "build/source.h"

struct work {
	git_repository *repo;
	struct commit_options *o;
	char *ref; /* refs/heads/<branch> */
	git_odb *odb;
	bool has_parent;
	struct oid parent;
	struct blobs blobs;
	struct pack *pack;
	struct contents contents;
	struct source source;
	struct buf manifest;
	struct commit_sums sums;
};

static void work_release(struct work *w)
{
	pack_free(w->pack); /* its threads write into blobs */
	source_release(&w->source);
	contents_release(&w->contents);
	blobs_release(&w->blobs);
	buf_release(&w->manifest);
	stamp_release(&w->o->stamp);
	git_odb_free(w->odb);
	free(w->ref);
}

/* --- before the source is read ---------------------------------------------------- */

static int name_branch(struct work *w, struct error *e)
{
	int valid = 0;

	if (git_branch_name_is_valid(&valid, w->o->branch) < 0 || !valid)
		return err_set(e, E_USAGE, "--branch %.100s: not a name for a branch",
			w->o->branch);
	w->ref = xasprintf("refs/heads/%s", w->o->branch);
	return 0;
}

static int follow(struct work *w, const struct release_info *before, struct error *e)
{
	struct stamp *s = &w->o->stamp;

	if (strcmp(before->product, s->product) != 0)
		return err_set(e, E_UNTRUSTED,
			"branch %s holds releases of product %s; use another branch for "
			"%s",
			w->o->branch, before->product, s->product);
	if (s->serial == 0 && before->serial == UINT64_MAX)
		return err_set(e, E_UNTRUSTED, "there is no serial after %" PRIu64,
			before->serial);
	if (s->serial == 0)
		s->serial = before->serial + 1;
	if (s->serial <= before->serial)
		return err_set(e, E_UNTRUSTED,
			"--serial %" PRIu64 ": the release before has %" PRIu64
			", devices only go up",
			s->serial, before->serial);
	w->sums.early = s->time < before->time;
	return 0;
}

/* The tip of the branch: what this release follows, and whose blobs it may reuse. */
static int read_parent(struct work *w, struct error *e)
{
	autocommitted before = { 0 };
	git_oid id;
	int r = git_reference_name_to_id(&id, w->repo, w->ref);

	w->o->stamp.serial = w->o->serial;
	if (r == GIT_ENOTFOUND) {
		if (w->o->stamp.serial == 0)
			w->o->stamp.serial = 1;
		return 0;
	}
	if (r < 0)
		return err_git(e, E_SYSTEM, "branch %s", w->o->branch);
	w->has_parent = true;
	w->parent = oid_of_git(&id);
	r = committed_open(w->repo, &w->parent, &before, e);
	if (r == 0)
		r = follow(w, &before.info, e);
	if (r == 0)
		r = committed_contents(&before, true, &w->blobs, e);
	return r < 0 ? err_prefix(e, r, "branch %s", w->o->branch) : 0;
}

/* With stand-ins for what only the source can tell. */
static int rehearse(const struct work *w, struct error *e)
{
	static const struct oid tree;
	static const struct digest manifest;
	autobuf payload = { 0 };

	return stamp_print(&w->o->stamp, &tree, w->has_parent ? &w->parent : NULL,
		&manifest, 0, &payload, e);
}

static int open_pack(struct work *w, struct error *e)
{
	git_buf dir = { 0 };
	int r;

	if (git_repository_odb(&w->odb, w->repo) < 0 ||
		git_repository_item_path(&dir, w->repo, GIT_REPOSITORY_ITEM_OBJECTS) < 0)
		return err_git(e, E_SYSTEM, "repository");
	r = pack_new(w->odb, dir.ptr, &w->pack, e);
	git_buf_dispose(&dir);
	return r;
}

static int prepare(struct work *w, struct error *e)
{
	int r = name_branch(w, e);

	if (r == 0)
		r = sign_check_key(w->o->key, e);
	if (r == 0)
		r = stamp_people(&w->o->stamp, w->repo, e);
	if (r == 0)
		r = read_parent(w, e);
	if (r == 0)
		r = rehearse(w, e);
	if (r == 0)
		r = open_pack(w, e);
	if (r < 0)
		return r;
	contents_init(&w->contents, w->pack, &w->blobs, w->odb, w->o->progress);
	source_init(&w->source, &w->contents, w->o->progress);
	return 0;
}

/* --- the source ------------------------------------------------------------------- */

static int import(struct work *w, struct error *e)
{
	bool standard_input = strcmp(w->o->source, "-") == 0;
	autofd fd = -1;
	struct stat st;
	int r;

	fd = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			    : open(w->o->source, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "source %s", w->o->source);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "source %s: stat", w->o->source);
	r = S_ISDIR(st.st_mode) ? source_read_dir(&w->source, fd, e)
				: source_read_tar(&w->source, fd, e);
	if (r == 0)
		r = source_manifest(&w->source, w->o->stamp.time, &w->manifest, e);
	return r < 0 ? err_prefix(e, r, "source %s", w->o->source) : 0;
}

static int put_tree(void *ctx, struct bytes tree, struct oid *ret, struct error *e)
{
	return pack_add_now(ctx, GIT_OBJECT_TREE, tree, ret, e);
}

static int build_tree(struct work *w, struct oid *ret, struct error *e)
{
	const struct tree_sink sink = { .put = put_tree, .ctx = w->pack };
	autoleaves leaves = { 0 };
	struct oid own;
	int r;

	r = pack_add_now(w->pack, GIT_OBJECT_BLOB, buf_bytes(&w->manifest), &own, e);
	if (r == 0)
		r = pack_drain(w->pack, e); /* now every blob has its id */
	if (r == 0)
		r = leaves_of_manifest(
			buf_bytes(&w->manifest), &w->blobs, &own, &leaves, e);
	return r < 0 ? r : tree_build(&leaves, &sink, ret, e);
}

/* --- the commit ------------------------------------------------------------------- */

static int sign(struct work *w, const struct oid *tree, struct buf *ret, struct error *e)
{
	struct digest digest = digest_of(buf_bytes(&w->manifest));
	autobuf payload = { 0 };
	autobuf armor = { 0 };
	autobuf again = { 0 };
	autobuf armor_again = { 0 };
	int r;

	r = stamp_print(&w->o->stamp, tree, w->has_parent ? &w->parent : NULL, &digest,
		w->manifest.size, &payload, e);
	if (r == 0 && sign_wants_touch(w->o->key))
		progress_note(w->o->progress, "touch the token to sign");
	if (r == 0)
		r = sign_payload(w->o->key, buf_bytes(&payload), &armor, e);
	if (r < 0)
		return r;
	stamp_sign(buf_bytes(&payload), buf_bytes(&armor), ret);
	r = release_split_commit(buf_bytes(ret), &again, &armor_again, e);
	if (r < 0)
		return r;
	if (again.size != payload.size ||
		memcmp(again.data, payload.data, again.size) != 0)
		return err_set(
			e, E_INPUT, "the commit does not read back as it was signed");
	return 0;
}

static int move_branch(struct work *w, struct error *e)
{
	autogit(git_reference) ref = NULL;
	autofree char *log = xasprintf("osupdate commit: %s %s (serial %" PRIu64 ")",
		w->o->stamp.product, w->o->stamp.version, w->o->stamp.serial);
	int r;

	if (w->has_parent)
		r = git_reference_create_matching(&ref, w->repo, w->ref,
			git_id(&w->sums.commit), true, git_id(&w->parent), log);
	else
		r = git_reference_create(
			&ref, w->repo, w->ref, git_id(&w->sums.commit), false, log);
	if (r == GIT_EMODIFIED || r == GIT_EEXISTS)
		return err_set(e, E_BUSY,
			"branch %s moved while this release was made; run the command "
			"again",
			w->o->branch);
	if (r < 0)
		return err_git(e, E_SYSTEM, "branch %s", w->o->branch);
	w->sums.checked_out =
		!git_repository_is_bare(w->repo) && git_branch_is_head(ref) == 1;
	return 0;
}

static void count(struct work *w)
{
	w->sums.serial = w->o->stamp.serial;
	w->sums.entries = w->source.n_names;
	w->sums.files = w->contents.files;
	w->sums.files_reused = w->contents.files_reused;
	w->sums.bytes = w->contents.bytes;
}

int commit_source(git_repository *repo, struct commit_options *o, struct commit_sums *ret,
	struct error *e)
{
	CLEANUP(work_release) struct work w = { .repo = repo, .o = o };
	autobuf commit = { 0 };
	struct oid tree;
	int r = prepare(&w, e);

	if (r == 0)
		r = import(&w, e);
	if (r == 0)
		r = build_tree(&w, &tree, e);
	if (r == 0)
		r = sign(&w, &tree, &commit, e);
	if (r == 0)
		r = pack_add_now(
			w.pack, GIT_OBJECT_COMMIT, buf_bytes(&commit), &w.sums.commit, e);
	if (r == 0)
		r = pack_finish(w.pack, &w.sums.pack, e);
	if (r == 0)
		r = move_branch(&w, e);
	if (r < 0)
		return r;
	count(&w);
	*ret = w.sums;
	return 0;
}
