/* SPDX-License-Identifier: MIT */
/* Bringing a release that is not held: see fetch.h. */
#include "store/server/complete.h"
#include "store/server/fetch.h"
#include "store/server/held.h"
#include "store/server/history.h"
#include "store/server/local.h"
#include "store/server/smart.h"
#include "store/server/sweep.h"
#include "store/url.h"

/* Where fetches bring the history, it is here already. */
static int no_more(const char *selector, struct error *e)
{
	return err_set(e, E_NOTFOUND, "nobody knows of release %s", selector);
}

static int bring_history(struct session *ss, const char *channel, const char *selector,
	git_oid *ret_tip, struct error *e)
{
	int r = E_NOTHING;

	if (url_kind(ss->options.url) == URL_LOCAL)
		r = local_history(ss, ss->repo, channel, ret_tip, e);
	else if (url_kind(ss->options.url) == URL_HTTP)
		r = smart_history(ss, ss->repo, channel, ret_tip, e);
	return r == E_NOTHING ? no_more(selector, e) : r;
}

static int bring_release(
	struct session *ss, const git_oid *id, const char *selector, struct error *e)
{
	bool heal = false;
	int r = E_NOTHING;

	if (url_kind(ss->options.url) == URL_LOCAL)
		r = local_bring(ss, ss->repo, id, e);
	else if (url_kind(ss->options.url) == URL_HTTP)
		r = smart_bring(ss, ss->repo, id, &heal, e);
	if (r < 0 && heal)
		damage_set(); /* the next fetch sees to it */
	return r == E_NOTHING ? no_more(selector, e) : r;
}

/* By what is known here of older releases, else by what the server knows. */
static int find(struct session *ss, const char *channel, const char *selector,
	git_oid *ret, struct error *e)
{
	git_oid tip;
	int r = history_find(ss, NULL, selector, ret, e);

	if (r != E_NOTFOUND)
		return r;
	r = bring_history(ss, channel, selector, &tip, e);
	return r < 0 ? r : history_find(ss, &tip, selector, ret, e);
}

static int require_whole(struct session *ss, const git_oid *id, struct error *e)
{
	autofree char *missing = NULL;
	char hex[GIT_OID_HEXSZ + 1];
	autoheld held = { 0 };
	int r;

	held_read(ss->repo, &held);
	r = complete_check(
		ss, ss->repo, id, held.n > 0 ? &held.ids[0] : NULL, &missing, e);
	if (r < 0 || !missing)
		return r;
	return err_set(e, E_REMOTE, "%s: release %.12s is incomplete: %s is missing",
		ss->shown_url, git_oid_tostr(hex, sizeof(hex), id), missing);
}

int fetch_release(struct session *ss, const char *what, git_oid *ret, struct error *e)
{
	const char *blank = strchr(what, ' ');
	autofree char *channel = NULL;
	autofd lock = -1;
	int r;

	if (!blank)
		return err_set(e, E_USAGE, "BRING: no channel");
	channel = xstrndup(what, (size_t)(blank - what));
	r = fetch_lock(&lock, e);
	if (r < 0)
		return r;
	sweep_leftovers();
	r = repository_open(ss, e);
	if (r == 0)
		r = find(ss, channel, blank + 1, ret, e);
	if (r == 0)
		r = bring_release(ss, ret, blank + 1, e);
	if (r == 0)
		r = require_whole(ss, ret, e);
	if (r == 0)
		r = held_add(ss->repo, ret, e);
	return r < 0 ? r : 1;
}
