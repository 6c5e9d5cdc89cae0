/* SPDX-License-Identifier: MIT */
/* Bring a verified release into the inactive slot and arm it: the one way a slot is
 * written. */
#ifndef UPDATE_DEPLOY_H
#define UPDATE_DEPLOY_H

#include "slot/install.h"
#include "update/device.h"

struct deploy {
	const char *slot; /* named by a person, or NULL: the inactive one */
	bool asked;	  /* a person asked for exactly this release */
	bool full_check;
};

enum deploy_end {
	DEPLOY_ARMED,	 /* primary, on trial at the next boot */
	DEPLOY_CURRENT,	 /* nothing was booted: primary and good at once */
	DEPLOY_RECORDED, /* same contents as the booted slot: noted, no write, no reboot
			  */
};

struct deploy_result {
	enum deploy_end end;
	int slot;
	struct install_sums sums;
	bool wrote; /* false: the slot already held exactly this */
};

/* Errors: E_UNTRUSTED policy or phase (trial unconfirmed), E_BUSY target in use, and
 * those of offer_manifest, install_run and the hook. */
int deploy_release(struct device *d, const struct release *rel, const struct deploy *o,
	struct deploy_result *ret, struct error *e);

/*
 * Go on with what a crash interrupted between seal and arm.  Returns 1 when something
 * was armed, 0 when there was nothing to go on with; E_UNTRUSTED when the hook was asked
 * often enough and the release is denied instead.
 */
int deploy_resume(struct device *d, struct error *e);

#endif
