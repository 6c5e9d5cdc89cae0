/* SPDX-License-Identifier: MIT */
/* See committed.h. */
#include "build/committed.h"

#include <inttypes.h>

#include "base/text.h"

int committed_open(git_repository *repo, const struct oid *id, struct committed *ret,
	struct error *e)
{
	autocommitted c = { .repo = repo, .id = *id };
	autogit(git_odb_object) object = NULL;
	autobuf payload = { 0 };
	autobuf armor = { 0 };
	char hex[OID_HEX_MAX];
	int r;

	oid_hex(id, hex);
	if (git_repository_odb(&c.odb, repo) < 0)
		return err_git(e, E_SYSTEM, "repository");
	if (git_odb_read(&object, c.odb, git_id(id)) < 0)
		return err_git(e, E_NOTFOUND, "commit %.12s", hex);
	buf_add(&c.raw, git_odb_object_data(object), git_odb_object_size(object));
	r = release_split_commit(buf_bytes(&c.raw), &payload, &armor, e);
	if (r == 0)
		r = release_read_payload(buf_bytes(&payload), &c.info, e);
	if (r < 0)
		return err_prefix(e, r, "commit %.12s is not a release", hex);
	*ret = c;
	memset(&c, 0, sizeof(c)); /* given away */
	return 0;
}

void committed_release(struct committed *c)
{
	if (!c)
		return;
	git_odb_object_free(c->manifest);
	git_odb_free(c->odb);
	buf_release(&c->raw);
	*c = (struct committed){ 0 };
}

/* --- looking up ------------------------------------------------------------------- */

/*
 * A stack of open trees: neighbours in a manifest share most of their path, and opening
 * a tree is what costs.
 */
struct ladder {
	git_repository *repo;
	git_tree **trees;
	size_t *ends; /* ends[i]: bytes of `dir` that trees[i] stands for */
	size_t n;
	size_t cap;
	size_t cap_ends;
	struct buf dir;
};

static void ladder_release(struct ladder *l)
{
	while (l->n > 0)
		git_tree_free(l->trees[--l->n]);
	free(l->trees);
	free(l->ends);
	buf_release(&l->dir);
}

static bool ladder_push(struct ladder *l, const git_oid *id, size_t end)
{
	git_tree *tree = NULL;
	size_t n = l->n;

	if (git_tree_lookup(&tree, l->repo, id) < 0)
		return false;
	ARRAY_GROW(l->ends, n, l->cap_ends);
	ARRAY_GROW(l->trees, n, l->cap);
	l->ends[l->n] = end;
	l->trees[l->n++] = tree;
	return true;
}

static const git_tree_entry *child(const struct ladder *l, const char *name, size_t n)
{
	autofree char *copy = xstrndup(name, n);

	return git_tree_entry_byname(l->trees[l->n - 1], copy);
}

static void ladder_down(struct ladder *l, const char *path)
{
	while (l->n > 1) {
		size_t end = l->ends[l->n - 1];

		if (strncmp(path, l->dir.data, end) == 0 && path[end] == '/')
			break;
		git_tree_free(l->trees[--l->n]);
	}
	/* The root is always there. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	l->dir.size = l->ends[l->n - 1];
}

/* NULL when the tree holds no blob there. */
static const git_oid *ladder_find(struct ladder *l, const char *path)
{
	const git_tree_entry *entry;
	const char *slash;
	const char *name;

	ladder_down(l, path);
	name = path + l->dir.size + (l->dir.size ? 1 : 0);
	while ((slash = strchr(name, '/'))) {
		entry = child(l, name, (size_t)(slash - name));
		if (!entry || git_tree_entry_type(entry) != GIT_OBJECT_TREE)
			return NULL;
		buf_reset(&l->dir);
		buf_add(&l->dir, path, (size_t)(slash - path));
		if (!ladder_push(l, git_tree_entry_id(entry), l->dir.size)) {
			l->dir.size = l->ends[l->n - 1];
			return NULL;
		}
		name = slash + 1;
	}
	entry = child(l, name, strlen(name));
	if (!entry || git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
		return NULL;
	return git_tree_entry_id(entry);
}

static int ladder_open(struct committed *c, struct ladder *ret, struct error *e)
{
	ret->repo = c->repo;
	buf_add(&ret->dir, "", 0);
	if (!ladder_push(ret, git_id(&c->info.tree), 0))
		return err_git(e, E_INPUT, "the commit's tree");
	return 0;
}

/* --- manifest and contents -------------------------------------------------------- */

static int load_manifest(struct committed *c, struct error *e)
{
	CLEANUP(ladder_release) struct ladder ladder = { 0 };
	const git_oid *id;
	int r = ladder_open(c, &ladder, e);

	if (r < 0)
		return r;
	id = ladder_find(&ladder, PATH_MANIFEST);
	if (!id)
		return err_set(e, E_INPUT, "%s: not in the tree", PATH_MANIFEST);
	c->manifest_id = oid_of_git(id);
	if (git_odb_read(&c->manifest, c->odb, id) < 0)
		return err_git(e, E_INPUT, "%s", PATH_MANIFEST);
	return 0;
}

static int check_manifest(const struct committed *c, struct bytes text, struct error *e)
{
	struct manifest_sums sums;
	struct digest digest;

	if (text.size != c->info.manifest_size)
		return err_set(e, E_INPUT, "%s: %zu bytes, the commit says %" PRIu64,
			PATH_MANIFEST, text.size, c->info.manifest_size);
	digest = digest_of(text);
	if (!digest_equal(&digest, &c->info.manifest))
		return err_set(
			e, E_INPUT, "%s: not the one the commit names", PATH_MANIFEST);
	return manifest_check(text, &sums, e);
}

int committed_manifest(struct committed *c, struct bytes *ret, struct error *e)
{
	int r = c->manifest ? 0 : load_manifest(c, e);
	struct bytes text;

	if (r < 0)
		return r;
	text = (struct bytes){ git_odb_object_data(c->manifest),
		git_odb_object_size(c->manifest) };
	r = check_manifest(c, text, e);
	if (r == 0)
		*ret = text;
	return r;
}

static int claim(struct ladder *ladder, const struct entry *entry, bool lenient,
	struct blobs *blobs, struct error *e)
{
	struct placed placed;

	for (size_t i = 0; entry_placed(entry, entry->path, i, &placed); i++) {
		const git_oid *id = ladder_find(ladder, placed.path);
		autobuf shown = { 0 };
		struct blob *blob;

		if (!id && lenient)
			continue;
		if (!id) {
			text_escape(&shown, bytes_of(entry->path), false);
			return err_set(e, E_INPUT,
				"%.300s: its contents are not in the tree", shown.data);
		}
		blob = blobs_add(blobs, &placed.digest);
		blob->oid = oid_of_git(id);
		blob->size = placed.size;
		blob->claimed = true;
	}
	return 0;
}

int committed_contents(
	struct committed *c, bool lenient, struct blobs *blobs, struct error *e)
{
	CLEANUP(ladder_release) struct ladder ladder = { 0 };
	autoreader reader = NULL;
	struct entry entry;
	struct bytes text = { 0 };
	int got = committed_manifest(c, &text, e);

	if (got == 0)
		got = ladder_open(c, &ladder, e);
	if (got < 0)
		return got;
	reader = manifest_reader_new(text);
	while ((got = manifest_next(reader, &entry, e)) > 0) {
		int r = claim(&ladder, &entry, lenient, blobs, e);

		if (r < 0)
			return r;
	}
	return got;
}

int committed_read(struct committed *c, const struct blob *blob, git_odb_object **ret,
	struct error *e)
{
	autogit(git_odb_object) object = NULL;
	struct digest digest;

	if (git_odb_read(&object, c->odb, git_id(&blob->oid)) < 0)
		return err_git(e, E_INPUT, "contents");
	if (git_odb_object_type(object) != GIT_OBJECT_BLOB ||
		git_odb_object_size(object) != blob->size)
		return err_set(
			e, E_INPUT, "contents of another size than the manifest says");
	digest = digest_of((struct bytes){
		git_odb_object_data(object), git_odb_object_size(object) });
	if (!digest_equal(&digest, &blob->digest))
		return err_set(e, E_INPUT, "other contents than the manifest says");
	*ret = take_ptr(&object);
	return 0;
}

int committed_tags(git_repository *repo, const struct oid *id,
	void (*take)(void *ctx, struct bytes raw), void *ctx, struct error *e)
{
	autogit(git_reference_iterator) it = NULL;
	autogit(git_odb) odb = NULL;
	char line[sizeof("object ") + OID_HEX_MAX];
	char hex[OID_HEX_MAX];
	int n = 0;

	if (git_repository_odb(&odb, repo) < 0 ||
		git_reference_iterator_glob_new(&it, repo, "refs/tags/osupdate/*") < 0)
		return err_git(e, E_SYSTEM, "tags");
	oid_hex(id, hex);
	(void)snprintf(line, sizeof(line), "object %s\n", hex);
	while (n < RELEASE_TAGS_MAX) {
		autogit(git_odb_object) tag = NULL;
		autogit(git_reference) ref = NULL;
		struct bytes raw;

		if (git_reference_next(&ref, it) != 0)
			break;
		if (!git_reference_target(ref) ||
			git_odb_read(&tag, odb, git_reference_target(ref)) < 0 ||
			git_odb_object_type(tag) != GIT_OBJECT_TAG)
			continue;
		raw = (struct bytes){ git_odb_object_data(tag),
			git_odb_object_size(tag) };
		if (raw.size <= strlen(line) || memcmp(raw.data, line, strlen(line)) != 0)
			continue;
		take(ctx, raw);
		n++;
	}
	return 0;
}
