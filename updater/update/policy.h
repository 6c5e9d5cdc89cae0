/* SPDX-License-Identifier: MIT */
/* May this verified release be taken?  Pure: reads nothing but its arguments. */
#ifndef UPDATE_POLICY_H
#define UPDATE_POLICY_H

#include "trust/release.h"
#include "update/config.h"
#include "update/freshness.h"
#include "update/state.h"

/*
 * `asked`: a person named exactly this release; it may then go below the floor, back in
 * time, have expired, and be one that was denied.  Product and channel hold for everyone.
 * Errors: E_UNTRUSTED with the reason and what would be accepted; E_STALE it passes all
 * that, but is over for sure.
 */
int policy_judge(const struct config *config, const struct state *state,
	const struct release_info *release, const struct known_time *now, bool asked,
	struct error *e);

/* E_STALE: the newest of the channel is over. */
int policy_stale(const struct config *config, const struct release_info *release,
	const struct known_time *now, struct error *e);

#endif
