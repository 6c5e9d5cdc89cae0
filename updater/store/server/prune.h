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
 * Under the fetch lock, after held_update.  Best effort: what cannot be read, or does not
 * fit on the disk twice, stays for the next fetch to see to.  ss->repo is opened anew
 * where that is needed.
 */
void prune(struct session *ss);

#endif
