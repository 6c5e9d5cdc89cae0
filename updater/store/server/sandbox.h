/* SPDX-License-Identifier: MIT */
/*
 * What is left to the store process: its own directory, what it takes to reach the
 * configured server, and the calls for that.  It comes on top of what root has done
 * (process.c): another user, no capabilities, limits.  It only ever shrinks.
 *
 * Files are named when it is entered: one that is replaced meanwhile (resolv.conf, on a
 * machine that changes networks) is out of reach until the next run.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>

#include "store/server/session.h"

struct sandbox {
	bool entered;
	bool filtered;	 /* the kernel filters calls */
	bool no_network; /* already */
};

/* Before anything comes that root did not say; again is nothing.  Without what the kernel
 * does not have: root tells the operator (kernel_unconfined). */
int sandbox_enter(struct sandbox *s, const struct options *o, struct error *e);

/* All that is still wanted is here.  LIST, FETCH and BRING cannot come any more. */
int sandbox_end_network(struct sandbox *s, struct error *e);

#endif
