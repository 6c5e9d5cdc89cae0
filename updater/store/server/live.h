/* SPDX-License-Identifier: MIT */
/* All objects that the store needs. */
#ifndef SERVER_LIVE_H
#define SERVER_LIVE_H

#include "store/server/held.h"
#include "store/server/oidset.h"

/*
 * Of each release of `held` its commit, trees and blobs; our tags; the commits that are
 * known (commits.h).  Errors: E_REMOTE something of it cannot be read.
 */
int live_collect(
	struct session *ss, const struct held *held, struct oidset *ret, struct error *e);

#endif
