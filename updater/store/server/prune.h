/* SPDX-License-Identifier: MIT */
/*
 * Letting go of what no held release needs, so that the store does not grow without
 * bound: when more than a fifth of it is such, all that is needed becomes one pack.
 * Commits stay (COMMITS_KEPT), to tell of older releases and to find them by name.
 */
#ifndef SERVER_PRUNE_H
#define SERVER_PRUNE_H

#include "store/server/session.h"

/*
 * Under the fetch lock, after held_update.  Best effort: what does not fit on the disk
 * twice stays for a later fetch, but for packs whose needed part does fit; what cannot be
 * read makes the next fetch begin anew.  ss->repo is opened anew where that is needed.
 * True: there is more room now.
 */
bool prune(struct session *ss);

/* Is there less room than the packs take, too little for another set of them? */
bool prune_is_short(void);

#endif
