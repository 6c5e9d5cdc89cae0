/* SPDX-License-Identifier: MIT */
/* What the store needs: see live.h. */
#include "store/server/live.h"

#include "store/server/commits.h"

#define DEPTH_MAX 2048 /* of directories: more than any path has */

struct walk {
	struct session *ss;
	struct oidset *live;
	struct oidset trees; /* seen already; a tree may also stand somewhere as a file */
};

static int add_tree(struct walk *w, const git_oid *id, unsigned depth, struct error *e)
{
	autogit(git_tree) tree = NULL;
	int r;

	(void)oidset_add(w->live, id);
	if (!oidset_add(&w->trees, id))
		return 0;
	if (depth == 0 || git_tree_lookup(&tree, w->ss->repo, id) < 0)
		return err_git(e, E_REMOTE, "a tree");
	w->ss->done[1]++;
	r = reply_progress(w->ss, e);
	for (size_t i = 0; r == 0 && i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

		if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
			r = add_tree(w, git_tree_entry_id(entry), depth - 1, e);
		else
			(void)oidset_add(w->live, git_tree_entry_id(entry));
	}
	return r;
}

static int add_release(struct walk *w, const git_oid *id, struct error *e)
{
	autogit(git_commit) commit = NULL;

	if (git_commit_lookup(&commit, w->ss->repo, id) < 0)
		return err_git(e, E_REMOTE, "a commit");
	(void)oidset_add(w->live, id);
	return add_tree(w, git_commit_tree_id(commit), DEPTH_MAX, e);
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
	struct walk w = { .ss = ss, .live = ret };
	int r = 0;

	for (size_t i = 0; r == 0 && i < held->n; i++)
		r = add_release(&w, &held->ids[i], e);
	oidset_release(&w.trees);
	if (r < 0)
		return r;
	commits_list(ss->repo, NULL, COMMITS_KEPT, &commits);
	for (size_t i = 0; i < commits.n; i++)
		(void)oidset_add(ret, &commits.ids[i]);
	each_ref(ss->repo, REF_TAGS "*", add_tag, ret);
	return 0;
}
