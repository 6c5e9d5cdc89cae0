/* SPDX-License-Identifier: MIT */
/* See verify.h. */
#include "build/verify.h"

#include <fcntl.h>

#include "base/io.h"
#include "base/text.h"

/* --- signers ---------------------------------------------------------------------- */

static char *config_path(git_repository *repo, const char *key)
{
	autogit(git_config) config = NULL;
	git_buf path = { 0 };
	char *copy = NULL;

	if (git_repository_config(&config, repo) == 0 &&
		git_config_get_path(&path, config, key) == 0)
		copy = xstrdup(path.ptr);
	git_buf_dispose(&path);
	return copy;
}

int verify_signers(
	git_repository *repo, const char *file, struct signers **ret, struct error *e)
{
	autofree char *configured = config_path(repo, "gpg.ssh.allowedSignersFile");
	autofree char *revoked = config_path(repo, "gpg.ssh.revocationFile");
	autosigners signers = NULL;
	autobuf text = { 0 };
	int r;

	if (!file)
		file = configured;
	if (!file)
		return err_set(e, E_USAGE,
			"whose signature counts? name a file with --signers, or git "
			"config "
			"gpg.ssh.allowedSignersFile FILE");
	r = io_read_file_at(AT_FDCWD, file, SIGNERS_FILE_MAX, &text, e);
	if (r == 0)
		r = signers_parse(file, buf_bytes(&text), &signers, e);
	if (r == 0 && revoked) {
		buf_reset(&text);
		r = io_read_file_at(AT_FDCWD, revoked, SIGNERS_FILE_MAX, &text, e);
		if (r == 0)
			r = signers_revoke(signers, revoked, buf_bytes(&text), e);
	}
	if (r == 0)
		*ret = take_ptr(&signers);
	return r;
}

/* --- contents --------------------------------------------------------------------- */

static int at(struct error *e, int r, const char *path)
{
	autobuf shown = { 0 };

	text_escape(&shown, bytes_of(path), false);
	return err_prefix(e, r, "%.600s", shown.data);
}

/* Each different content once; what was read is no claim any more. */
static int read_contents(struct committed *c, const struct blobs *blobs,
	const struct entry *entry, struct verify_sums *sums, struct error *e)
{
	struct digest_state whole;
	struct placed placed;
	struct digest digest;

	digest_start(&whole);
	for (size_t i = 0; entry_placed(entry, entry->path, i, &placed); i++) {
		autogit(git_odb_object) object = NULL;
		struct blob *blob = blobs_find(blobs, &placed.digest);
		int r;

		/* The pieces of a file are read even if known: the whole is hashed. */
		if (!blob->claimed && entry->n_pieces == 0 && blob->size == placed.size)
			continue;
		blob->size = placed.size;
		r = committed_read(c, blob, &object, e);
		if (r < 0)
			return r;
		digest_update(
			&whole, git_odb_object_data(object), git_odb_object_size(object));
		sums->contents += blob->claimed ? 1 : 0;
		sums->bytes += blob->claimed ? blob->size : 0;
		blob->claimed = false;
	}
	digest_finish(&whole, &digest);
	if (entry->n_pieces > 0 && !digest_equal(&digest, &entry->digest))
		return err_set(e, E_INPUT, "its pieces do not make the file it says");
	return 0;
}

static int read_all(struct committed *c, struct bytes manifest, const struct blobs *blobs,
	const struct progress *progress, struct verify_sums *sums, struct error *e)
{
	autoreader reader = manifest_reader_new(manifest);
	struct entry entry;
	int got;

	while ((got = manifest_next(reader, &entry, e)) > 0) {
		struct progress_event event = { "verify", "bytes", sums->bytes, 0 };
		int r = read_contents(c, blobs, &entry, sums, e);

		if (r < 0)
			return at(e, r, entry.path);
		r = progress_report(progress, &event, e);
		if (r < 0)
			return r;
		sums->entries++;
	}
	return got;
}

/* --- the tree --------------------------------------------------------------------- */

struct walk {
	struct leaves leaves;
	char *odd; /* a path that is neither file nor link */
};

static int note_leaf(const char *root, const git_tree_entry *entry, void *ctx)
{
	struct walk *w = ctx;
	git_filemode_t mode = git_tree_entry_filemode_raw(entry);
	autofree char *path = xasprintf("%s%s", root, git_tree_entry_name(entry));

	if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
		return 0;
	if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE &&
		mode != GIT_FILEMODE_LINK) {
		w->odd = take_ptr(&path);
		return -1;
	}
	ARRAY_GROW(w->leaves.at, w->leaves.n, w->leaves.cap);
	w->leaves.at[w->leaves.n++] = (struct leaf){
		.path = take_ptr(&path),
		.mode = (enum leaf_mode)mode,
		.oid = oid_of_git(git_tree_entry_id(entry)),
	};
	return 0;
}

static void walk_release(struct walk *w)
{
	leaves_release(&w->leaves);
	free(w->odd);
}

/* The first difference, by path. */
static int compare(const struct leaves *want, const struct leaves *have, struct error *e)
{
	size_t i = 0;

	for (; i < want->n && i < have->n; i++) {
		const struct leaf *a = &want->at[i];
		const struct leaf *b = &have->at[i];
		int order = strcmp(a->path, b->path);

		if (order < 0)
			return at(e, err_set(e, E_INPUT, "missing in the tree"), a->path);
		if (order > 0)
			return at(e,
				err_set(e, E_INPUT, "in the tree, not in the manifest"),
				b->path);
		if (a->mode != b->mode)
			return at(e,
				err_set(e, E_INPUT,
					"git mode %o in the tree, should be %o", b->mode,
					a->mode),
				a->path);
		if (!oid_equal(&a->oid, &b->oid))
			return at(e, err_set(e, E_INPUT, "another blob in the tree"),
				a->path);
	}
	if (i < want->n)
		return at(
			e, err_set(e, E_INPUT, "missing in the tree"), want->at[i].path);
	if (i < have->n)
		return at(e, err_set(e, E_INPUT, "in the tree, not in the manifest"),
			have->at[i].path);
	return err_set(e, E_INPUT, "the tree is not written as git writes it");
}

static int explain(struct committed *c, const struct leaves *want, struct error *e)
{
	CLEANUP(walk_release) struct walk w = { 0 };
	autogit(git_tree) tree = NULL;

	if (git_tree_lookup(&tree, c->repo, git_id(&c->info.tree)) < 0 ||
		git_tree_walk(tree, GIT_TREEWALK_PRE, note_leaf, &w) < 0) {
		if (w.odd)
			return at(e,
				err_set(e, E_INPUT, "neither file nor link in the tree"),
				w.odd);
		return err_git(e, E_INPUT, "the commit's tree");
	}
	return compare(want, &w.leaves, e);
}

static int check_tree(struct committed *c, struct bytes manifest,
	const struct blobs *blobs, struct error *e)
{
	autoleaves leaves = { 0 };
	struct oid tree;
	int r = leaves_of_manifest(manifest, blobs, &c->manifest_id, &leaves, e);

	if (r == 0)
		r = tree_build(&leaves, &tree_name_only, &tree, e);
	if (r < 0 || oid_equal(&tree, &c->info.tree))
		return r;
	return explain(c, &leaves, e);
}

/* --- the release ------------------------------------------------------------------ */

struct tags {
	struct buf raw[RELEASE_TAGS_MAX];
	struct bytes bytes[RELEASE_TAGS_MAX];
	size_t n;
};

static void take_tag(void *ctx, struct bytes raw)
{
	struct tags *t = ctx;

	buf_add(&t->raw[t->n], raw.data, raw.size);
	t->bytes[t->n] = buf_bytes(&t->raw[t->n]);
	t->n++;
}

static void tags_release(struct tags *t)
{
	while (t->n > 0)
		buf_release(&t->raw[--t->n]);
}

static int check_signature(git_repository *repo, const struct oid *id,
	const struct signers *signers, struct verify_sums *sums, struct error *e)
{
	autogit(git_odb_object) object = NULL;
	autogit(git_odb) odb = NULL;
	autorelease release = NULL;
	struct tags tags = { .n = 0 };
	int r;

	if (git_repository_odb(&odb, repo) < 0 ||
		git_odb_read(&object, odb, git_id(id)) < 0)
		return err_git(e, E_INPUT, "commit");
	r = committed_tags(repo, id, take_tag, &tags, e);
	if (r == 0)
		r = release_verify((struct bytes){ git_odb_object_data(object),
					   git_odb_object_size(object) },
			tags.bytes, tags.n, signers, &release, e);
	tags_release(&tags);
	if (r < 0)
		return r;
	sums->info = *release_info(release);
	sums->principal = xstrdup(release_principal(release));
	return 0;
}

int verify_release(git_repository *repo, const struct oid *id,
	const struct signers *signers, const struct progress *progress,
	struct verify_sums *ret, struct error *e)
{
	struct verify_sums sums = { 0 };
	autocommitted c = { 0 };
	autoblobs blobs = { 0 };
	struct bytes manifest;
	int r = check_signature(repo, id, signers, &sums, e);

	if (r == 0)
		r = committed_open(repo, id, &c, e);
	if (r == 0)
		r = committed_manifest(&c, &manifest, e);
	if (r == 0)
		r = committed_contents(&c, false, &blobs, e);
	if (r == 0)
		r = read_all(&c, manifest, &blobs, progress, &sums, e);
	if (r == 0)
		r = check_tree(&c, manifest, &blobs, e);
	if (r < 0) {
		free(sums.principal);
		return r;
	}
	*ret = sums;
	return 0;
}
