/* SPDX-License-Identifier: MIT */
/*
 * The network side of the store where a git server is asked over http(s): releases
 * without their history.  Of remote.h's shape; 0 and E_NOTFOUND there are the same here.
 */
#ifndef SERVER_SMART_H
#define SERVER_SMART_H

#include "store/server/session.h"

/*
 * Where the branch `channel` stands: 1 and *ret, 0 when there is none.
 * Errors: E_NOTHING the server speaks older protocols only (remote.h has them); E_REMOTE.
 */
int smart_list(struct session *ss, const char *channel, git_oid *ret, struct error *e);

/*
 * The same, and the release there is in `repo` afterwards if the server sent all of it,
 * with its tags.  *ret_heal on error: our own objects may be what is wrong.
 */
int smart_fetch(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, bool *ret_heal, struct error *e);

/*
 * Bring commits alone, of the newest releases of the channel: to find one by its
 * trailers; *ret is the newest. Errors: as smart_list; E_NOTFOUND the server does not
 * send commits without trees.
 */
int smart_history(struct session *ss, git_repository *repo, const char *channel,
	git_oid *ret, struct error *e);

/* Bring the release `commit`, not yet known to be complete, with its tags; *ret_heal is
 * as above. */
int smart_bring(struct session *ss, git_repository *repo, const git_oid *commit,
	bool *ret_heal, struct error *e);

#endif
