/* SPDX-License-Identifier: MIT */
/*
 * Health checks: is the booted release fit for its work?  Executables in required.d and
 * wanted.d below /usr/lib/osupdate/health and /etc/osupdate/health, and in greenboot's
 * /usr/lib/greenboot/check and /etc/greenboot/check; run in the order of their names,
 * one at a time.  Where systemd runs, reaching boot-complete.target is a required check.
 */
#ifndef UPDATE_HEALTH_H
#define UPDATE_HEALTH_H

#include "base/buf.h"
#include "base/progress.h"

struct health_options {
	int check_timeout_ms;		 /* for one check */
	int total_timeout_ms;		 /* for all of them */
	const struct progress *progress; /* a note for each check that fails */
};

struct health {
	unsigned n_checks;
	unsigned n_required_failed;
	unsigned n_wanted_failed;
	char reason[256]; /* the first required failure, one safe line */
	struct buf log;	  /* what failed checks printed, foreign */
};

void health_release(struct health *h);
#define autohealth CLEANUP(health_release) struct health

/*
 * Run all checks, also after a failure: a person wants to know all of it.
 * Errors: E_BUSY when the system is still coming up (systemd); E_UNTRUSTED a check or
 * its directory may be written by others than root; E_INTERRUPTED.
 */
int health_run(const struct health_options *o, struct health *ret, struct error *e);

#endif
