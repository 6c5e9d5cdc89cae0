/* SPDX-License-Identifier: MIT */
/* See tree.h. */
#include "build/tree.h"

#include "base/text.h"

void leaves_release(struct leaves *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->at[i].path);
	free(l->at);
	*l = (struct leaves){ 0 };
}

static void place(const char *path, enum leaf_mode mode, struct placed *ret)
{
	ret->mode = mode;
	ret->path = path;
	if (!path_is_escaped(path))
		return;
	path_blob(&ret->digest, ret->blob);
	ret->path = ret->blob;
	ret->mode = LEAF_FILE;
}

bool entry_placed(
	const struct entry *entry, const char *path, size_t n, struct placed *ret)
{
	if (entry->type == ENTRY_LINK && n == 0) {
		ret->digest = digest_of(bytes_of(entry->target));
		ret->size = strlen(entry->target);
		place(path, LEAF_LINK, ret);
		return true;
	}
	if (entry->type != ENTRY_FILE)
		return false;
	if (n < entry->n_pieces) {
		ret->digest = entry->pieces[n].digest;
		ret->size = entry->pieces[n].size;
		ret->mode = LEAF_FILE;
		path_blob(&ret->digest, ret->blob);
		ret->path = ret->blob;
		return true;
	}
	if (n > 0 || entry->n_pieces > 0)
		return false;
	ret->digest = entry->digest;
	ret->size = entry->size;
	place(path, entry->mode & 0100 ? LEAF_EXECUTABLE : LEAF_FILE, ret);
	return true;
}

/* --- leaves ----------------------------------------------------------------------- */

static void add(
	struct leaves *l, const char *path, enum leaf_mode mode, const struct oid *oid)
{
	ARRAY_GROW(l->at, l->n, l->cap);
	l->at[l->n++] = (struct leaf){ .path = xstrdup(path), .mode = mode, .oid = *oid };
}

static int add_entry(const struct entry *entry, const char *path,
	const struct blobs *blobs, struct leaves *l, struct error *e)
{
	struct placed placed;

	for (size_t i = 0; entry_placed(entry, path, i, &placed); i++) {
		const struct blob *blob = blobs_find(blobs, &placed.digest);
		autobuf shown = { 0 };

		if (!blob) {
			text_escape(&shown, bytes_of(path), false);
			return err_set(e, E_INPUT, "%.300s: its contents are not there",
				shown.data);
		}
		add(l, placed.path, placed.mode, &blob->oid);
	}
	return 0;
}

/* Offsets of entries that hard links may name, in manifest order. */
struct targets {
	uint64_t *at;
	size_t n;
	size_t cap;
};

static void targets_release(struct targets *t)
{
	free(t->at);
}

/* The manifest was checked: the target is there, and before its link. */
static int find_target(const struct targets *t, struct manifest_reader *side,
	const char *path, struct entry *ret, struct error *e)
{
	size_t low = 0;
	size_t high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = manifest_at(side, t->at[middle], ret, e);
		int order;

		if (r < 0)
			return r;
		order = path_compare(ret->path, path);
		if (order == 0)
			return 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return err_set(e, E_INPUT, "a hard link to nothing");
}

static int by_path(const void *a, const void *b)
{
	const struct leaf *x = a;
	const struct leaf *y = b;

	return strcmp(x->path, y->path);
}

/* The same contents are wanted below blobs more than once. */
static void sort_unique(struct leaves *l)
{
	size_t kept = 0;

	qsort(l->at, l->n, sizeof(*l->at), by_path);
	for (size_t i = 0; i < l->n; i++) {
		if (kept > 0 && strcmp(l->at[kept - 1].path, l->at[i].path) == 0)
			free(l->at[i].path);
		else
			l->at[kept++] = l->at[i];
	}
	l->n = kept;
}

int leaves_of_manifest(struct bytes manifest, const struct blobs *blobs,
	const struct oid *own, struct leaves *ret, struct error *e)
{
	CLEANUP(targets_release) struct targets targets = { 0 };
	autoreader reader = manifest_reader_new(manifest);
	autoreader side = manifest_reader_new(manifest);
	autoleaves leaves = { 0 };
	struct entry entry = { 0 };
	int got;

	while ((got = manifest_next(reader, &entry, e)) > 0) {
		struct entry target = { 0 };
		int r = 0;

		if (entry.type == ENTRY_HARD) {
			r = find_target(&targets, side, entry.target, &target, e);
			if (r == 0)
				r = add_entry(&target, entry.path, blobs, &leaves, e);
		} else if (entry.type != ENTRY_DIR) {
			ARRAY_GROW(targets.at, targets.n, targets.cap);
			targets.at[targets.n++] = manifest_offset(reader);
			r = add_entry(&entry, entry.path, blobs, &leaves, e);
		}
		if (r < 0)
			return r;
	}
	if (got < 0)
		return got;
	add(&leaves, PATH_MANIFEST, LEAF_FILE, own);
	sort_unique(&leaves);
	*ret = leaves;
	leaves = (struct leaves){ 0 };
	return 0;
}

/* --- trees ------------------------------------------------------------------------ */

/* A run of leaves that are all below one directory, whose path has `skip` bytes. */
struct range {
	size_t from;
	size_t to;
	size_t skip;
};

static int build(const struct leaves *l, struct range in, const struct tree_sink *sink,
	struct oid *ret, struct error *e);

static void print_entry(const char *name, size_t n, unsigned mode, const struct oid *oid,
	struct buf *tree)
{
	buf_addf(tree, "%o ", mode);
	buf_add(tree, name, n);
	buf_add(tree, "", 1);
	buf_add(tree, oid->b, OID_SIZE);
}

/* All leaves from `from` on that share its first component. */
static size_t end_of_dir(const struct leaves *l, struct range in, size_t n)
{
	size_t end = in.from;

	while (end < in.to &&
		strncmp(l->at[end].path + in.skip, l->at[in.from].path + in.skip, n) == 0)
		end++;
	return end;
}

/* Leaves are in git's order already: "a-b", "a/c", "a0" as git sorts a tree a. */
static int build(const struct leaves *l, struct range in, const struct tree_sink *sink,
	struct oid *ret, struct error *e)
{
	autobuf tree = { 0 };

	while (in.from < in.to) {
		const char *name = l->at[in.from].path + in.skip;
		const char *slash = strchr(name, '/');
		struct range below = { .from = in.from };
		struct oid oid;
		int r;

		if (!slash) {
			print_entry(name, strlen(name), l->at[in.from].mode,
				&l->at[in.from].oid, &tree);
			in.from++;
			continue;
		}
		below.to = end_of_dir(l, in, (size_t)(slash - name) + 1);
		below.skip = in.skip + (size_t)(slash - name) + 1;
		r = build(l, below, sink, &oid, e);
		if (r < 0)
			return r;
		print_entry(name, (size_t)(slash - name), 040000, &oid, &tree);
		in.from = below.to;
	}
	return sink->put(sink->ctx, buf_bytes(&tree), ret, e);
}

int tree_build(const struct leaves *l, const struct tree_sink *sink, struct oid *ret,
	struct error *e)
{
	return build(l, (struct range){ .to = l->n }, sink, ret, e);
}

static int name_only(void *ctx, struct bytes tree, struct oid *ret, struct error *e)
{
	(void)ctx;
	(void)e;
	*ret = oid_of("tree", tree);
	return 0;
}

const struct tree_sink tree_name_only = { .put = name_only };
