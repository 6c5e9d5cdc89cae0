/* SPDX-License-Identifier: MIT */
/* Carry out a plan on a slot that is mounted for writing; and seal it. */
#ifndef SLOT_APPLY_H
#define SLOT_APPLY_H

#include "slot/plan.h"

/*
 * Everything but the slot's own manifest and release.  Begins by removing the release,
 * so that a half-written slot does not pass for a sealed one.
 * Errors: E_REMOTE contents missing or wrong (path named); E_SPACE; E_INTERRUPTED.
 */
int apply_run(const struct install *in, int root, const struct plan *plan,
	struct install_sums *sums, struct error *e);

/*
 * Manifest and release under other names, sync, read back what was made, rename, sync.
 * Then the slot is its release, and plan->items is its stat index.
 */
int seal_run(const struct install *in, int root, struct plan *plan, struct error *e);

/* Look up the items of the stat index that the plan left open. */
int seal_index(const struct install *in, int root, struct plan *plan, struct error *e);

#endif
