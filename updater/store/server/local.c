/* SPDX-License-Identifier: MIT */
/* Fetching from a repository on this machine: see local.h. */
#include "store/server/local.h"

#include "store/server/commits.h"
#include "store/server/feed.h"
#include "store/server/held.h"
#include "store/server/loose.h"
#include "store/server/oidset.h"
#include "store/server/tags.h"
#include "store/url.h"

struct walk {
	struct feed *feed;
	git_repository *repo; /* ours */
	struct held held;     /* releases whose tags count, too */
	git_oid release;      /* that is being brought */
	struct oidset trees;  /* seen already */
	size_t n_tags;
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

/* Without its parents: a device carries no history. */
static int bring_commit(struct walk *w, struct error *e)
{
	autogit(git_commit) commit = NULL;
	int r = feed_object(w->feed, &w->release, e);

	if (r < 0 || git_commit_lookup(&commit, w->repo, &w->release) < 0)
		return r;
	return bring_tree(w, git_commit_tree_id(commit), 2048, e);
}

/* A tag counts when it is a tag object on a release we brought or hold. */
static int bring_tag(struct walk *w, const git_reference *ref, struct error *e)
{
	const git_oid *id = git_reference_target(ref);
	git_oid commit;
	int r;

	if (!id || !tag_ref_is_valid(git_reference_name(ref)))
		return 0;
	r = feed_object(w->feed, id, e);
	if (r < 0 || !held_tagged(w->repo, id, &commit))
		return r;
	if (!git_oid_equal(&commit, &w->release) && !held_has(&w->held, &commit))
		return 0;
	w->n_tags++;
	return ref_write(w->repo, git_reference_name(ref), id, e);
}

static bool is_offered(void *ctx, const char *name, const git_oid *id)
{
	git_oid there;

	return git_reference_name_to_id(&there, ctx, name) == 0 &&
	       git_oid_equal(&there, id);
}

static int bring_tags(struct walk *w, git_repository *source, struct error *e)
{
	autogit(git_reference_iterator) it = NULL;
	int r = 0;

	if (git_reference_iterator_glob_new(&it, source, REF_TAGS "*") < 0)
		return err_git(e, E_REMOTE, "tags");
	tags_forget(w->repo, &w->release, is_offered, source);
	while (r == 0 && w->n_tags < TAGS_MAX) {
		autogit(git_reference) ref = NULL;

		if (git_reference_next(&ref, it) != 0)
			break;
		r = bring_tag(w, ref, e);
	}
	return r;
}

static int bring(struct session *ss, git_repository *source, git_repository *repo,
	const git_oid *release, struct error *e)
{
	struct feed feed = { 0 };
	struct walk w = { .feed = &feed, .repo = repo, .release = *release };
	int r = held_begin(repo, e);

	if (r == 0)
		r = feed_open(&feed, ss, source, repo, e);
	held_read(repo, &w.held);
	if (r == 0)
		r = bring_commit(&w, e);
	if (r == 0)
		r = bring_tags(&w, source, e);
	if (r == 0)
		r = feed_sync(&feed, e);
	feed_release(&feed);
	oidset_release(&w.trees);
	held_release(&w.held);
	return r;
}

int local_fetch(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, struct error *e)
{
	autogit(git_repository) source = NULL;
	int r = open_source(ss, &source, e);

	if (r == 0)
		r = source_tip(ss, source, channel, ret, e);
	if (r <= 0)
		return r;
	r = bring(ss, source, repo, ret, e);
	return r < 0 ? r : 1;
}

int local_bring(
	struct session *ss, git_repository *repo, const git_oid *commit, struct error *e)
{
	autogit(git_repository) source = NULL;
	int r = open_source(ss, &source, e);

	return r < 0 ? r : bring(ss, source, repo, commit, e);
}

static int copy_commit(
	git_repository *source, git_repository *repo, const git_oid *id, struct error *e)
{
	autogit(git_odb_object) object = NULL;
	autogit(git_odb) from = NULL;
	autogit(git_odb) to = NULL;
	git_oid written;

	if (git_repository_odb(&from, source) < 0 || git_repository_odb(&to, repo) < 0)
		return err_git(e, E_SYSTEM, "store");
	if (git_odb_exists(to, id))
		return 0;
	if (git_odb_read(&object, from, id) < 0)
		return err_git(e, E_REMOTE, "history");
	if (git_odb_write(&written, to, git_odb_object_data(object),
		    git_odb_object_size(object), GIT_OBJECT_COMMIT) < 0)
		return err_git(e, E_SYSTEM, "store");
	return 0;
}

int local_history(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, struct error *e)
{
	autogit(git_repository) source = NULL;
	autofree char *objects = NULL;
	autoobjectdirs dirs = { .n = 0 };
	git_oid id = { { 0 } };
	int r = open_source(ss, &source, e);

	if (r == 0)
		r = source_tip(ss, source, channel, &id, e);
	if (r == 0)
		r = err_set(
			e, E_NOTFOUND, "%s has no channel %s", ss->shown_url, channel);
	if (r < 0)
		return r;
	*ret = id;
	objects = xasprintf("%sobjects", git_repository_commondir(source));
	object_dirs_list(objects, &dirs);
	r = held_begin(repo, e);
	for (int n = 0; r == 0 && n < COMMITS_KEPT; n++) {
		autogit(git_commit) commit = NULL;
		autobuf file = { 0 };

		r = loose_read(&dirs, &id, &file, e);
		if (r < 0)
			return r;
		if (git_commit_lookup(&commit, source, &id) < 0)
			return err_git(e, E_REMOTE, "%s", ss->shown_url);
		r = copy_commit(source, repo, &id, e);
		if (!commit_parent(commit, &id))
			break;
	}
	return r;
}
