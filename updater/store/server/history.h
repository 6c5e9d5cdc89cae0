/* SPDX-License-Identifier: MIT */
/* Releases of the store: finding one, and the commits of a channel. */
#ifndef SERVER_HISTORY_H
#define SERVER_HISTORY_H

#include "store/server/session.h"

/*
 * COMMIT and TAGs of what `selector` names (protocol.h).  Trailers are matched as text:
 * whether they are true is root's to find out.  Errors: E_NOTFOUND no such commit,
 * or its contents are gone; E_REMOTE it is there but incomplete, E_USAGE.
 */
int history_release(struct session *ss, const char *selector, struct error *e);

/*
 * Which commit `selector` names, of those before what is held and before `tip` (may be
 * NULL): one that is given by its id may not be here.  Errors: E_NOTFOUND, E_USAGE.
 */
int history_find(struct session *ss, const git_oid *tip, const char *selector,
	git_oid *ret, struct error *e);

/* The value of the line that begins with `trailer` in a commit's message, owned by the
 * caller; NULL: none. */
char *history_claimed(const char *message, const char *trailer);

/* COMMIT frames of a channel's first-parent history as far as it is here, newest first,
 * and of other releases that are held; at most `max`. */
int history_log(struct session *ss, uint32_t max, const char *channel, struct error *e);

#endif
