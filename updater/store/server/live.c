/* SPDX-License-Identifier: MIT */
/* What the store needs: see live.h. */
#include "store/server/live.h"

#include "store/server/commits.h"

#define DEPTH_MAX 2048 /* of directories: more than any path has */

static int add_tree(struct session *ss, const git_oid *id, unsigned depth,
	struct oidset *ret, struct error *e)
{
	autogit(git_tree) tree = NULL;
	int r;

	if (!oidset_add(ret, id))
		return 0;
	if (depth == 0 || git_tree_lookup(&tree, ss->repo, id) < 0)
		return err_git(e, E_REMOTE, "a tree");
	ss->done[1]++;
	r = reply_progress(ss, e);
	for (size_t i = 0; r == 0 && i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

		if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
			r = add_tree(ss, git_tree_entry_id(entry), depth - 1, ret, e);
		else
			(void)oidset_add(ret, git_tree_entry_id(entry));
	}
	return r;
}

static int add_release(
	struct session *ss, const git_oid *id, struct oidset *ret, struct error *e)
{
	autogit(git_commit) commit = NULL;

	if (git_commit_lookup(&commit, ss->repo, id) < 0)
		return err_git(e, E_REMOTE, "a commit");
	(void)oidset_add(ret, id);
	return add_tree(ss, git_commit_tree_id(commit), DEPTH_MAX, ret, e);
}

static void add_tag(void *ctx, git_repository *repo, const git_reference *ref)
{
	(void)repo;
	(void)oidset_add(ctx, git_reference_target(ref));
}

int live_collect(
	struct session *ss, const struct held *held, struct oidset *ret, struct error *e)
{
	autocommits commits = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < held->n; i++)
		r = add_release(ss, &held->ids[i], ret, e);
	if (r < 0)
		return r;
	commits_list(ss->repo, NULL, COMMITS_KEPT, &commits);
	for (size_t i = 0; i < commits.n; i++)
		(void)oidset_add(ret, &commits.ids[i]);
	each_ref(ss->repo, REF_TAGS "*", add_tag, ret);
	return 0;
}
