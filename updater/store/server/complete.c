/* SPDX-License-Identifier: MIT */
/* Completeness of a release in the store: see complete.h. */
#include "store/server/complete.h"

#include "base/text.h"
#include "manifest/path.h"
#include "store/server/oidset.h"

struct walk {
	struct session *ss;
	git_repository *repo;
	git_odb *odb;
	struct oidset seen; /* trees; also what keeps a tree of repeated trees small */
	struct buf path;
	char *missing;
};

/* 0 and w->missing. */
static int lacks(struct walk *w, const git_oid *id)
{
	char hex[GIT_OID_HEXSZ + 1];
	autobuf shown = { 0 };

	text_escape(&shown, buf_bytes(&w->path), false);
	w->missing = xasprintf("%s (object %.12s)", shown.size ? shown.data : "its tree",
		git_oid_tostr(hex, sizeof(hex), id));
	return 0;
}

static int walk_tree(
	struct walk *w, const git_oid *id, const git_tree *known, struct error *e);

static int walk_entry(struct walk *w, const git_tree_entry *entry, const git_tree *known,
	struct error *e)
{
	const char *name = git_tree_entry_name(entry);
	const git_oid *id = git_tree_entry_id(entry);
	const git_tree_entry *twin = known ? git_tree_entry_byname(known, name) : NULL;
	autogit(git_tree) below = NULL;
	size_t size = w->path.size;
	int r = 0;

	/* As a file anything does: it was not looked into. */
	if (twin && git_oid_equal(git_tree_entry_id(twin), id) &&
		git_tree_entry_type(twin) == git_tree_entry_type(entry))
		return 0;
	buf_addf(&w->path, "%s%s", size ? "/" : "", name);
	if (w->path.size > PATH_BYTES_MAX)
		return err_set(
			e, E_REMOTE, "a path of more than %d bytes", PATH_BYTES_MAX);
	switch (git_tree_entry_type(entry)) {
	case GIT_OBJECT_TREE:
		if (twin && git_tree_entry_type(twin) == GIT_OBJECT_TREE)
			(void)git_tree_lookup(&below, w->repo, git_tree_entry_id(twin));
		r = walk_tree(w, id, below, e);
		break;
	case GIT_OBJECT_BLOB:
		if (!git_odb_exists(w->odb, id))
			r = lacks(w, id);
		break;
	default: /* a foreign enum: a submodule, or a mode git does not know */
		return err_set(
			e, E_REMOTE, "%s: not a file, link or directory", w->path.data);
	}
	if (r == 0 && !w->missing) {
		w->path.size = size;
		w->path.data[size] = '\0';
	}
	return r;
}

static int walk_tree(
	struct walk *w, const git_oid *id, const git_tree *known, struct error *e)
{
	autogit(git_tree) tree = NULL;
	int r;

	if (!oidset_add(&w->seen, id))
		return 0;
	/* Unreadable is as bad as missing, and helped by the same means. */
	if (git_tree_lookup(&tree, w->repo, id) < 0)
		return lacks(w, id);
	r = reply_progress(w->ss, e);
	for (size_t i = 0; r == 0 && !w->missing && i < git_tree_entrycount(tree); i++) {
		r = walk_entry(w, git_tree_entry_byindex(tree, i), known, e);
		w->ss->done[1]++;
	}
	return r;
}

int complete_check(struct session *ss, git_repository *repo, const git_oid *id,
	const git_oid *known, char **ret_missing, struct error *e)
{
	autogit(git_commit) commit = NULL;
	autogit(git_commit) known_commit = NULL;
	autogit(git_tree) known_tree = NULL;
	autogit(git_odb) odb = NULL;
	struct walk w = { .ss = ss, .repo = repo };
	int r = 0;

	if (git_repository_odb(&odb, repo) < 0)
		return err_git(e, E_SYSTEM, "store");
	w.odb = odb;
	if (known && git_commit_lookup(&known_commit, repo, known) == 0)
		(void)git_commit_tree(&known_tree, known_commit); /* else all is walked */
	if (git_commit_lookup(&commit, repo, id) < 0)
		r = lacks(&w, id);
	else if (!known_tree ||
		 !git_oid_equal(git_tree_id(known_tree), git_commit_tree_id(commit)))
		r = walk_tree(&w, git_commit_tree_id(commit), known_tree, e);
	oidset_release(&w.seen);
	buf_release(&w.path);
	if (r < 0) {
		free(w.missing);
		return r;
	}
	*ret_missing = w.missing;
	return 0;
}
