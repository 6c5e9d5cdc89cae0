/* SPDX-License-Identifier: MIT */
/* Fetching from a repository on this machine: see local.h. */
#include "store/server/local.h"

#include "store/server/feed.h"
#include "store/server/oidset.h"
#include "store/server/repository.h"
#include "store/url.h"

struct walk {
	struct feed *feed;
	git_repository *repo; /* ours */
	struct oidset closed; /* commits we have with all they reach */
	struct oidset trees;  /* seen already */
	git_oid *queue; /* commits to look at */
	size_t n;
	size_t cap;
};

static int open_source(struct session *ss, git_repository **ret, struct error *e)
{
	autofree char *path = url_local_path(ss->options.url);

	if (!path)
		return err_set(e, E_USAGE, "url: %s: not a file:// URL of this machine",
			ss->shown_url);
	if (git_repository_open(ret, path) < 0)
		return err_git(e, E_REMOTE, "%s (it must be readable for user osupdate)",
			ss->shown_url);
	return 0;
}

static int source_tip(struct session *ss, git_repository *source, const char *channel,
	git_oid *ret, struct error *e)
{
	autofree char *branch = NULL;
	int r = channel_ref("refs/heads/", channel, &branch, e);

	if (r < 0)
		return r;
	r = git_reference_name_to_id(ret, source, branch);
	if (r == GIT_ENOTFOUND)
		return 0;
	return r < 0 ? err_git(e, E_REMOTE, "%s", ss->shown_url) : 1;
}

int local_list(struct session *ss, const char *channel, git_oid *ret, struct error *e)
{
	autogit(git_repository) source = NULL;
	int r = open_source(ss, &source, e);

	return r < 0 ? r : source_tip(ss, source, channel, ret, e);
}

static void enqueue(struct walk *w, const git_oid *commit)
{
	ARRAY_GROW(w->queue, w->n, w->cap);
	w->queue[w->n++] = *commit;
}

/* All that our promoted refs reach counts as closed. */
static void close_known(struct walk *w)
{
	autogit(git_revwalk) revs = NULL;
	git_oid id;

	/* On error less is closed and more is looked at. */
	if (git_revwalk_new(&revs, w->repo) < 0 ||
		git_revwalk_push_glob(revs, REF_CHANNELS "*") < 0)
		return;
	while (git_revwalk_next(&id, revs) == 0)
		(void)oidset_add(&w->closed, &id);
}

static int bring_tree(struct walk *w, const git_oid *id, unsigned depth, struct error *e)
{
	autogit(git_tree) tree = NULL;
	int r;

	if (!oidset_add(&w->trees, id))
		return 0;
	r = feed_object(w->feed, id, e);
	if (r < 0)
		return r;
	/* Not there, or deeper than any path: complete_check will say so. */
	if (depth == 0 || git_tree_lookup(&tree, w->repo, id) < 0)
		return 0;
	for (size_t i = 0; r == 0 && i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

		if (git_tree_entry_type(entry) == GIT_OBJECT_TREE)
			r = bring_tree(w, git_tree_entry_id(entry), depth - 1, e);
		else if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB)
			r = feed_object(w->feed, git_tree_entry_id(entry), e);
	}
	return r;
}

static int bring_commit(struct walk *w, const git_oid *id, struct error *e)
{
	autogit(git_commit) commit = NULL;
	int r;

	if (!oidset_add(&w->closed, id))
		return 0;
	r = feed_object(w->feed, id, e);
	if (r < 0 || git_commit_lookup(&commit, w->repo, id) < 0)
		return r;
	for (unsigned i = 0; i < git_commit_parentcount(commit); i++)
		enqueue(w, git_commit_parent_id(commit, i));
	return bring_tree(w, git_commit_tree_id(commit), 2048, e);
}

/* A tag counts when it is a tag object on a commit we brought or had. */
static int bring_tag(struct walk *w, const git_reference *ref, struct error *e)
{
	const git_oid *id = git_reference_target(ref);
	git_tag *tag = NULL;
	bool wanted;
	int r;

	if (!id)
		return 0;
	r = feed_object(w->feed, id, e);
	if (r < 0 || git_tag_lookup(&tag, w->repo, id) < 0)
		return r;
	wanted = oidset_has(&w->closed, git_tag_target_id(tag));
	git_tag_free(tag);
	return wanted ? ref_write(w->repo, git_reference_name(ref), id, e) : 0;
}

static int bring_tags(struct walk *w, git_repository *source, struct error *e)
{
	autogit(git_reference_iterator) it = NULL;
	int r = 0;

	if (git_reference_iterator_glob_new(&it, source, REF_TAGS "*") < 0)
		return err_git(e, E_REMOTE, "tags");
	while (r == 0) {
		autogit(git_reference) ref = NULL;

		if (git_reference_next(&ref, it) != 0)
			break;
		r = bring_tag(w, ref, e);
	}
	return r;
}

int local_fetch(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, struct error *e)
{
	autogit(git_repository) source = NULL;
	struct feed feed = { 0 };
	struct walk w = { .feed = &feed, .repo = repo };
	git_oid tip;
	int r = open_source(ss, &source, e);

	if (r == 0)
		r = source_tip(ss, source, channel, &tip, e);
	if (r <= 0)
		return r;
	r = feed_open(&feed, ss, source, repo, e);
	if (r == 0) {
		close_known(&w);
		enqueue(&w, &tip);
	}
	while (r == 0 && w.n > 0) {
		git_oid next = w.queue[--w.n];

		r = bring_commit(&w, &next, e);
	}
	if (r == 0)
		r = bring_tags(&w, source, e);
	if (r == 0)
		r = feed_sync(&feed, e);
	feed_release(&feed);
	oidset_release(&w.closed);
	oidset_release(&w.trees);
	free(w.queue);
	if (r < 0)
		return r;
	*ret = tip;
	return 1;
}
