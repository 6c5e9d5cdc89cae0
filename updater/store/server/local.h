/* SPDX-License-Identifier: MIT */
/*
 * Fetching from a repository on this machine (a USB stick, a mounted share).  libgit2's
 * own local transport repacks everything without reusing deltas; here the source's packs
 * are taken as they are, and loose objects are copied.
 */
#ifndef SERVER_LOCAL_H
#define SERVER_LOCAL_H

#include "store/server/session.h"

/* Where the channel stands there: 1 and *ret, 0 when there is none. */
int local_list(struct session *ss, const char *channel, git_oid *ret, struct error *e);

/*
 * Bring the release that the channel offers, and tags of ours on it and on what is held,
 * into `repo`; sets no ref but tags.  As local_list.  What the source itself lacks is
 * left out: see complete_check.
 */
int local_fetch(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, struct error *e);

/* The same of any commit there. */
int local_bring(
	struct session *ss, git_repository *repo, const git_oid *commit, struct error *e);

/* The newest commits of the channel, without what they hold; *ret is the newest. */
int local_history(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, struct error *e);

#endif
