/* SPDX-License-Identifier: MIT */
/* Releases from a git server over http: see smart.h. */
#include "store/server/smart.h"

#include "store/server/commits.h"
#include "store/server/complete.h"
#include "store/server/git-v2.h"
#include "store/server/held.h"
#include "store/server/tags.h"

#define WANTS_MAX (1 + TAGS_MAX) /* a release and tags */

/* One visit to the server. */
struct visit {
	struct session *ss;
	git_repository *repo;
	struct git_v2 *server;
	struct git_v2_refs refs;
	struct held held;
	git_oid wants[WANTS_MAX];
	size_t n_wants;
	git_oid commits[WANTS_MAX];
	size_t n_commits;
};

static void visit_close(struct visit *v)
{
	git_v2_refs_release(&v->refs);
	held_release(&v->held);
	git_v2_close(v->server);
	v->server = NULL;
}
#define autovisit CLEANUP(visit_close) struct visit

/* `channel` may be NULL: tags alone; they are not asked for without a repository. */
static int visit_open(struct visit *v, const char *channel, struct error *e)
{
	autofree char *branch = xasprintf("refs/heads/%s", channel ? channel : "");
	const char *const prefixes[] = { v->repo ? REF_TAGS : branch,
		channel ? branch : NULL, NULL };
	int r = git_v2_open(v->ss, &v->server, e);

	if (r == 0)
		return err_set(e, E_NOTHING, "%s: the server does not speak version 2",
			v->ss->shown_url);
	if (r < 0)
		return r;
	if (v->repo)
		held_read(v->repo, &v->held);
	return git_v2_list(v->server, prefixes, &v->refs, e);
}

static const struct git_v2_ref *find_ref(const struct visit *v, const char *name)
{
	for (size_t i = 0; i < v->refs.n; i++)
		if (strcmp(v->refs.refs[i].name, name) == 0)
			return &v->refs.refs[i];
	return NULL;
}

static int find_branch(
	const struct visit *v, const char *channel, git_oid *ret, struct error *e)
{
	autofree char *branch = NULL;
	const struct git_v2_ref *ref;
	int r = channel_ref("refs/heads/", channel, &branch, e);

	if (r < 0)
		return r;
	ref = find_ref(v, branch);
	if (ref)
		*ret = ref->id;
	return ref != NULL;
}

int smart_list(struct session *ss, const char *channel, git_oid *ret, struct error *e)
{
	autovisit v = { .ss = ss };
	int r = visit_open(&v, channel, e);

	return r < 0 ? r : find_branch(&v, channel, ret, e);
}

/* --- what to ask for -------------------------------------------------------------- */

static void want(struct visit *v, const git_oid *id, const git_oid *commit)
{
	if (v->n_wants == WANTS_MAX)
		return;
	v->wants[v->n_wants++] = *id;
	v->commits[v->n_commits++] = *commit;
}

/* What was promoted was complete: to ask for it, and say that it is here, brings nothing.
 */
static int damaged(
	const git_oid *id, const char *missing, bool *ret_heal, struct error *e)
{
	char hex[GIT_OID_HEXSZ + 1];

	*ret_heal = true;
	return err_set(e, E_REMOTE, "the store's release %.12s is damaged: %s is missing",
		git_oid_tostr(hex, sizeof(hex), id), missing);
}

/* Is there nothing to bring?  What was promoted is complete, unless it was found not to
 * be; other things may be leftovers. */
static int want_release(
	struct visit *v, const git_oid *id, bool *ret_heal, struct error *e)
{
	autogit(git_odb) odb = NULL;
	autofree char *missing = NULL;
	int r;

	if (git_repository_odb(&odb, v->repo) < 0)
		return err_git(e, E_SYSTEM, "store");
	if (git_odb_exists(odb, id)) {
		r = complete_check(
			v->ss, v->repo, id, v->held.n ? v->held.ids : NULL, &missing, e);
		if (r < 0 || !missing)
			return r;
		if (held_has(&v->held, id))
			return damaged(id, missing, ret_heal, e);
	} else {
		r = announce(v->ss, e);
		if (r < 0)
			return r;
	}
	want(v, id, id);
	return 0;
}

static bool is_tag_for(
	const struct visit *v, const struct git_v2_ref *ref, const git_oid *release)
{
	return tag_ref_is_valid(ref->name) &&
	       (git_oid_equal(&ref->peeled, release) || held_has(&v->held, &ref->peeled));
}

static void want_tags(struct visit *v, const git_oid *release)
{
	autogit(git_odb) odb = NULL;

	if (git_repository_odb(&odb, v->repo) < 0)
		return;
	for (size_t i = 0; i < v->refs.n; i++)
		if (is_tag_for(v, &v->refs.refs[i], release) &&
			!git_odb_exists(odb, &v->refs.refs[i].id))
			want(v, &v->refs.refs[i].id, &v->refs.refs[i].peeled);
}

static bool is_offered(void *ctx, const char *name, const git_oid *id)
{
	const struct git_v2_ref *ref = find_ref(ctx, name);

	return ref && git_oid_equal(&ref->id, id);
}

/* Those that came and are what the server said; others are no signatures of ours.  Not
 * more than would be asked for: one tag may have any number of names. */
static int write_tags(struct visit *v, const git_oid *release, struct error *e)
{
	size_t written = 0;
	int r = 0;

	tags_forget(v->repo, release, is_offered, v);
	for (size_t i = 0; r == 0 && i < v->refs.n && written < TAGS_MAX; i++) {
		const struct git_v2_ref *ref = &v->refs.refs[i];
		git_oid commit;

		if (!is_tag_for(v, ref, release) ||
			!held_tagged(v->repo, &ref->id, &commit) ||
			!git_oid_equal(&commit, &ref->peeled))
			continue;
		r = ref_write(v->repo, ref->name, &ref->id, e);
		written++;
	}
	return r;
}

static int bring(struct visit *v, const git_oid *release, bool *ret_heal, struct error *e)
{
	struct git_v2_fetch f = { .wants = v->wants,
		.commits = v->commits,
		.haves = v->held.ids,
		.n_haves = v->held.n,
		.depth = 1 };
	int r = want_release(v, release, ret_heal, e);

	if (r < 0)
		return r;
	want_tags(v, release);
	f.n_wants = v->n_wants;
	f.n_commits = v->n_commits;
	if (f.n_wants > 0)
		r = git_v2_fetch(v->server, v->repo, &f, ret_heal, e);
	return r < 0 ? r : write_tags(v, release, e);
}

int smart_fetch(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, bool *ret_heal, struct error *e)
{
	autovisit v = { .ss = ss, .repo = repo };
	int r = visit_open(&v, channel, e);

	if (r == 0)
		r = find_branch(&v, channel, ret, e);
	if (r <= 0)
		return r;
	r = bring(&v, ret, ret_heal, e);
	return r < 0 ? r : 1;
}

int smart_bring(struct session *ss, git_repository *repo, const git_oid *commit,
	bool *ret_heal, struct error *e)
{
	autovisit v = { .ss = ss, .repo = repo };
	int r = visit_open(&v, NULL, e);

	return r < 0 ? r : bring(&v, commit, ret_heal, e);
}

int smart_history(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, struct error *e)
{
	autovisit v = { .ss = ss, .repo = repo };
	struct git_v2_fetch f = {
		.wants = v.wants, .n_wants = 1, .depth = COMMITS_KEPT, .no_trees = true
	};
	bool heal = false;
	int r = visit_open(&v, channel, e);

	if (r == 0)
		r = find_branch(&v, channel, &v.wants[0], e);
	if (r == 0)
		r = err_set(
			e, E_NOTFOUND, "%s has no channel %s", ss->shown_url, channel);
	else if (r > 0 && !git_v2_filters(v.server))
		r = err_set(e, E_NOTFOUND,
			"%s does not tell older releases (uploadpack.allowFilter)",
			ss->shown_url);
	*ret = v.wants[0];
	return r < 0 ? r : git_v2_fetch(v.server, repo, &f, &heal, e);
}
