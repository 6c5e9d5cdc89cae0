/* SPDX-License-Identifier: MIT */
/* Getting a release: what the channel offers, or one a person names. */
#ifndef UPDATE_OFFER_H
#define UPDATE_OFFER_H

#include "update/device.h"

/* Fetch the channel and verify its newest release.  Policy is not asked. */
int offer_fetch(struct device *d, struct release **ret, struct error *e);

/* The newest release already in the store; E_NOTFOUND when nothing was fetched yet. */
int offer_local(struct device *d, struct release **ret, struct error *e);

/*
 * The release named by version, serial or commit id (40 hex digits): from the store,
 * and when it is not there, it is fetched (if `may_fetch`).  Root
 * checks that the answer is what was asked for.
 */
int offer_named(struct device *d, const char *name, bool may_fetch, struct release **ret,
	struct error *e);

/* Is `rel` what `name` names? */
bool offer_matches(const struct release_info *rel, const char *name);

/* The manifest of a release, checked against its digest; unmapped by the caller.
 * E_REMOTE wrong bytes; E_INPUT signed but malformed. */
int offer_manifest(struct device *d, const struct release *rel, struct bytes *ret_map,
	struct error *e);

/*
 * Judge the channel's newest release for unattended use and remember it as candidate.
 * E_NOTHING when it is what is booted, or already armed; E_STALE when it is expired news.
 */
int offer_judge(struct device *d, const struct release *rel, struct error *e);

#endif
