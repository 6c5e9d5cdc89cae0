/* SPDX-License-Identifier: MIT */
/* Bringing a channel into the store: quarantine, completeness, promotion, healing. */
#ifndef SERVER_FETCH_H
#define SERVER_FETCH_H

#include "store/server/session.h"

/*
 * Fetch `channel` and promote it once it is complete: 1 and *ret, 0 when the server has
 * no such channel.  A store that lacks objects it should have is built anew, once.
 * Errors: E_REMOTE (also: incomplete, path named), E_SPACE, E_SYSTEM, E_USAGE, E_BUSY.
 */
int fetch_channel(struct session *ss, const char *channel, git_oid *ret, struct error *e);

/*
 * Bring one release whose contents are not held: `what` is "CHANNEL SELECTOR"
 * (protocol.h). It stays until the next fetch that is not told to keep it.  Errors: as
 * fetch_channel; E_NOTFOUND nobody knows of it.
 */
int fetch_release(struct session *ss, const char *what, git_oid *ret, struct error *e);

#endif
