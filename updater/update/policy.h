/* SPDX-License-Identifier: MIT */
/* May this verified release be taken?  Pure: reads nothing but its arguments. */
#ifndef UPDATE_POLICY_H
#define UPDATE_POLICY_H

#include "trust/release.h"
#include "update/config.h"
#include "update/state.h"

/*
 * `asked`: a person named exactly this release; it may then go below the floor, back in
 * time, and be one that was denied.  Product and channel hold for everyone.
 * Errors: E_UNTRUSTED with the reason and what would be accepted.
 */
int policy_judge(const struct config *config, const struct state *state,
	const struct release_info *release, bool asked, struct error *e);

#endif
