/* SPDX-License-Identifier: MIT */
/* Bringing a channel into the store: see fetch.h. */
#include "store/server/fetch.h"

#include "store/server/complete.h"
#include "store/server/held.h"
#include "store/server/local.h"
#include "store/server/prune.h"
#include "store/server/remote.h"
#include "store/server/repack.h"
#include "store/server/smart.h"
#include "store/server/sweep.h"
#include "store/url.h"

static int stop_at_first(const git_oid *id, void *payload)
{
	(void)id;
	(void)payload;
	return GIT_EUSER;
}

static bool has_objects(git_repository *repo)
{
	autogit(git_odb) odb = NULL;

	return git_repository_odb(&odb, repo) == 0 &&
	       git_odb_foreach(odb, stop_at_first, NULL) != 0;
}

static int promote(
	git_repository *repo, const char *channel, const git_oid *tip, struct error *e)
{
	autofree char *name = NULL;
	int r = channel_ref(REF_CHANNELS, channel, &name, e);

	return r < 0 ? r : ref_write(repo, name, tip, e);
}

static void drop_incoming(git_repository *repo, const char *channel)
{
	autofree char *name = xasprintf("%s%s", REF_INCOMING, channel);

	(void)git_reference_remove(
		repo, name); /* it is replaced by the next fetch anyway */
}

/* 0 when `tip` is complete; *ret_heal: a fresh download may have what is missing. */
static int check(struct session *ss, git_repository *repo, const char *channel,
	const git_oid *tip, bool *ret_heal, struct error *e)
{
	autofree char *name = NULL;
	autofree char *missing = NULL;
	git_oid known;
	int r = channel_ref(REF_CHANNELS, channel, &name, e);

	if (r == 0)
		r = ref_read(repo, name, &known, e);
	if (r >= 0)
		r = complete_check(ss, repo, tip, r > 0 ? &known : NULL, &missing, e);
	if (r < 0)
		return r;
	if (!missing)
		return 0;
	*ret_heal = true;
	return err_set(e, E_REMOTE, "%s: channel %s is incomplete: %s is missing",
		ss->shown_url, channel, missing);
}

/* libgit2's transports, which take it that a commit here has all its history here. */
static int download_by_libgit2(struct session *ss, git_repository *repo,
	const char *channel, git_oid *ret, bool *ret_heal, struct error *e)
{
	if (held_is_shallow(repo)) {
		*ret_heal = true;
		return err_set(e, E_REMOTE,
			"%s: the store has no history, which this transport needs",
			ss->shown_url);
	}
	return remote_fetch(ss, repo, channel, ret, ret_heal, e);
}

/* *ret_holds: releases came without history, so that what is held can be told. */
static int download(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, bool *ret_heal, bool *ret_holds, struct error *e)
{
	int r;

	*ret_holds = false;
	switch (url_kind(ss->options.url)) {
	case URL_LOCAL:
		r = local_fetch(ss, repo, channel, ret, e);
		*ret_holds = r > 0;
		return r;
	case URL_HTTP:
		r = smart_fetch(ss, repo, channel, ret, ret_heal, e);
		/* The store would be made anew for one answer of an odd machine. */
		if (r == E_NOTHING && held_is_shallow(repo))
			r = smart_fetch(ss, repo, channel, ret, ret_heal, e);
		*ret_holds = r > 0;
		if (r != E_NOTHING)
			return r;
		break;
	case URL_GIT:
	case URL_SSH:
	case URL_UNKNOWN:
		break;
	}
	return download_by_libgit2(ss, repo, channel, ret, ret_heal, e);
}

/* Download into `repo`, check, promote there: 1, 0 or an error. */
static int fetch_into(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, bool *ret_heal, struct error *e)
{
	bool holds;
	int r = download(ss, repo, channel, ret, ret_heal, &holds, e);

	if (r <= 0)
		return r;
	r = check(ss, repo, channel, ret, ret_heal, e);
	if (r == 0)
		r = promote(repo, channel, ret, e);
	drop_incoming(repo, channel);
	if (r == 0 && holds)
		r = held_update(ss, repo, channel, ret, e);
	return r < 0 ? r : 1;
}

static int fetch_anew(
	struct session *ss, const char *channel, git_oid *ret, struct error *e)
{
	autogit(git_repository) repo = NULL;
	struct error ignored; /* the first error is the one to tell */
	bool heal = false;
	int r = repository_new(&repo, e);

	if (r == 0)
		r = fetch_into(ss, repo, channel, ret, &heal, e);
	git_repository_free(repo);
	repo = NULL;
	if (r <= 0) {
		(void)remove_tree(GIT_DIR_NEW, &ignored);
		return r < 0 ? err_prefix(e, r, "fetching everything again") : 0;
	}
	r = repository_replace(ss, e);
	return r < 0 ? r : 1;
}

static int fetch_or_heal(
	struct session *ss, const char *channel, git_oid *ret, struct error *e)
{
	bool heal = false;
	bool was_empty;
	int r;

	if (damage_is_set() || repository_open(ss, e) < 0)
		return fetch_anew(ss, channel, ret, e);
	/* It may be marked as one without history all the same: that is mended anew. */
	was_empty = !has_objects(ss->repo) && !held_is_shallow(ss->repo);
	r = fetch_into(ss, ss->repo, channel, ret, &heal, e);
	/* What an empty store got was the whole: asking again would bring the same. */
	if (r < 0 && heal && !was_empty)
		return fetch_anew(ss, channel, ret, e);
	return r;
}

/*
 * What the last fetch could not let go of, for want of room or because it was needed
 * then. Before this one, which ends with the process when the disk is full.
 */
static void make_room(struct session *ss, const char *channel)
{
	autofree char *name = NULL;
	struct error ignored; /* the fetch says what is wrong */
	git_oid tip;

	if (repository_open(ss, &ignored) < 0 || !held_is_shallow(ss->repo) ||
		!prune_is_short() ||
		channel_ref(REF_CHANNELS, channel, &name, &ignored) < 0 ||
		ref_read(ss->repo, name, &tip, &ignored) <= 0)
		return;
	if (held_update(ss, ss->repo, channel, &tip, &ignored) == 0)
		(void)prune(ss);
}

int fetch_channel(struct session *ss, const char *channel, git_oid *ret, struct error *e)
{
	autofd lock = -1;
	int r = fetch_lock(&lock, e);

	if (r < 0)
		return r;
	sweep_leftovers();
	if (repack()) {
		git_repository_free(ss->repo);
		ss->repo = NULL;
	}
	memset(ss->done, 0, sizeof(ss->done));
	if (!damage_is_set())
		make_room(ss, channel);
	r = fetch_or_heal(ss, channel, ret, e);
	if (r > 0)
		(void)prune(ss);
	return r;
}
