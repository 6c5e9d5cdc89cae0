/* SPDX-License-Identifier: MIT */
/*
 * The verdict on a trial: by health checks, or because none came in time.  A failed trial
 * is recorded with its cause, denied, and the other slot boots next; rebooting is left to
 * the caller.
 */
#ifndef UPDATE_TRIAL_H
#define UPDATE_TRIAL_H

#include "update/device.h"
#include "update/health.h"

enum verdict {
	VERDICT_CONFIRMED, /* the trial ended well */
	VERDICT_FIT,	   /* nothing was on trial; all required checks pass */
	VERDICT_UNFIT,	   /* nothing was on trial; a required check fails */
	VERDICT_FAILED,	   /* the trial was ended: reboot */
};

/* Is what is booted on trial? */
bool trial_running(const struct device *d);

/* Seconds left until trial-timeout, counted from power-on; 0 when it has passed. */
uint32_t trial_left(const struct device *d);

/*
 * Run the health checks and act on them.  Errors: those of health_run, switch_confirm and
 * switch_end_trial (E_UNTRUSTED: it failed, but there is nothing to go back to).
 */
int trial_check(
	struct device *d, enum verdict *ret, struct health *ret_health, struct error *e);

/* No verdict came in time: end the trial.  Errors: those of switch_end_trial. */
int trial_expire(struct device *d, struct error *e);

#endif
