/* SPDX-License-Identifier: MIT */
/* Confirm what is booted, or go back from it. */
#ifndef UPDATE_SWITCH_H
#define UPDATE_SWITCH_H

#include "update/device.h"
#include "update/failure.h"

/*
 * Is what is booted left at the next boot: denied in this boot, and the other slot
 * primary?  1, 0, or an error of the hook.  One that came up again is left no more.
 */
int switch_leaving(const struct device *d, struct error *e);

/*
 * Mark the booted slot good: ends a trial, sets the floor.  In idle it is idempotent.
 * Returns 1 when a trial was confirmed, 0 when there was none to end.
 * Errors: E_UNTRUSTED nothing is booted, it was rolled back, or an armed release waits
 * for its reboot.
 */
int switch_confirm(struct device *d, struct error *e);

enum rollback_end {
	ROLLBACK_DISARMED,  /* the armed release will not be tried; no reboot needed */
	ROLLBACK_ABANDONED, /* the half-written slot is left as it is, never booted */
	ROLLBACK_SWITCHED,  /* the other slot boots next */
};

/*
 * Go back, as the phase says: disarm, end the trial, or switch to the other slot.  What
 * is gone back from is denied, what is gone to or stays is not.  `force`: also onto a
 * slot the loader calls bad (then on trial).  Errors: E_UNTRUSTED the other slot is not
 * sealed, or bad without `force`.
 */
int switch_back(struct device *d, bool force, enum rollback_end *ret, struct error *e);

/* Do it, if the hook failed to go back to a good slot, or we were killed then. */
int switch_resume(struct device *d, struct error *e);

/* The armed release is not tried, and denied for `reason`: as switch_back does it. */
int switch_disarm(struct device *d, const char *reason, struct error *e);

/*
 * End the trial of what is booted: deny it for `reason`, make the other slot boot next.
 * `cause` is kept for people, unless NULL.
 * Errors: E_NOTHING it is not on trial; E_UNTRUSTED there is nothing to go back to.
 */
int switch_end_trial(struct device *d, const char *reason, const struct failure *cause,
	struct error *e);

#endif
