/* SPDX-License-Identifier: MIT */
/* The network side of the store, through libgit2's transports. */
#ifndef SERVER_REMOTE_H
#define SERVER_REMOTE_H

#include "store/server/session.h"

/*
 * Where the branch `channel` of the configured url stands, without a download: 1 and
 * *ret, 0 when there is none.  Errors: E_REMOTE, E_USAGE.
 */
int remote_list(struct session *ss, const char *channel, git_oid *ret, struct error *e);

/*
 * Download the channel to its incoming ref in `repo`, and all tags of ours.  As
 * remote_list; *ret_is_damage on error: our own objects seem to be what is wrong.
 */
int remote_fetch(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, bool *ret_is_damage, struct error *e);

#endif
