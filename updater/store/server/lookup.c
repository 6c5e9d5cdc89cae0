/* SPDX-License-Identifier: MIT */
/* From path to blob in one tree: see lookup.h. */
#include "store/server/lookup.h"

static void push(struct lookup *l, git_tree *tree, size_t end)
{
	size_t n = l->n;

	ARRAY_GROW(l->ends, n, l->cap_ends);
	ARRAY_GROW(l->trees, n, l->cap);
	l->ends[l->n] = end;
	l->trees[l->n++] = tree;
}

int lookup_open(
	struct lookup *l, git_repository *repo, const git_oid *commit, struct error *e)
{
	autogit(git_commit) c = NULL;
	git_tree *tree = NULL;
	char hex[GIT_OID_HEXSZ + 1];

	(void)git_oid_tostr(hex, sizeof(hex), commit);
	l->repo = repo;
	if (git_commit_lookup(&c, repo, commit) < 0)
		return err_set(e, E_NOTFOUND, "the store has no release %.12s", hex);
	if (git_commit_tree(&tree, c) < 0)
		return err_git(e, E_REMOTE, "release %.12s: tree", hex);
	buf_add(&l->dir, "", 0);
	push(l, tree, 0);
	return 0;
}

void lookup_release(struct lookup *l)
{
	while (l->n > 0)
		git_tree_free(l->trees[--l->n]);
	free(l->trees);
	free(l->ends);
	buf_release(&l->dir);
	*l = (struct lookup){ 0 };
}

/* Does the component of `dir` that ends at `end` stand at the same place in `path`? */
static bool shares(const struct lookup *l, const char *path, size_t end)
{
	return strncmp(path, l->dir.data, end) == 0 && path[end] == '/';
}

static void pop_to_common(struct lookup *l, const char *path)
{
	while (l->n > 1 && !shares(l, path, l->ends[l->n - 1]))
		git_tree_free(l->trees[--l->n]);
	l->dir.size = l->ends[l->n - 1];
	l->dir.data[l->dir.size] = '\0';
}

static const git_tree_entry *entry_named(
	const struct lookup *l, const char *name, size_t n)
{
	autofree char *copy = xstrndup(name, n);

	return git_tree_entry_byname(l->trees[l->n - 1], copy);
}

bool lookup_blob(struct lookup *l, const char *path, git_oid *ret)
{
	const git_tree_entry *entry;
	const char *name;
	const char *slash;

	pop_to_common(l, path);
	name = path + l->dir.size + (l->dir.size ? 1 : 0);
	while ((slash = strchr(name, '/'))) {
		git_tree *tree = NULL;

		entry = entry_named(l, name, (size_t)(slash - name));
		if (!entry || git_tree_entry_type(entry) != GIT_OBJECT_TREE ||
			git_tree_lookup(&tree, l->repo, git_tree_entry_id(entry)) < 0)
			return false;
		buf_reset(&l->dir);
		buf_add(&l->dir, path, (size_t)(slash - path));
		push(l, tree, l->dir.size);
		name = slash + 1;
	}
	entry = entry_named(l, name, strlen(name));
	if (!entry || git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
		return false;
	git_oid_cpy(ret, git_tree_entry_id(entry));
	return true;
}
