/* SPDX-License-Identifier: MIT */
/* One unattended step: what `osupdate update`, the timer and osupdated all do. */
#ifndef UPDATE_UNATTENDED_H
#define UPDATE_UNATTENDED_H

#include "update/deploy.h"

struct unattended_result {
	struct deploy_result deploy;
	struct release_ref release; /* what was deployed, or the channel's newest */
	bool ready; /* it is armed, by this step or one before: a reboot tries it */
};

/*
 * Fetch, verify, judge, deploy, arm.  Errors: E_NOTHING up to date or waiting for a
 * reboot; E_STALE only expired news; E_UNTRUSTED refused; everything of offer.h and
 * deploy.h.  The failure is remembered for `status`; success, E_NOTHING and E_STALE clear
 * it.
 */
int unattended_step(struct device *d, bool full_check, struct unattended_result *ret,
	struct error *e);

/* Only as far as a judged candidate: fetch, verify, judge.  Same errors. */
int unattended_fetch(struct device *d, struct error *e);

#endif
