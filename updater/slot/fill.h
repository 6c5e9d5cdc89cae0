/* SPDX-License-Identifier: MIT */
/*
 * Contents of files to be made: copied from where this machine has them, else asked
 * from the store.  Every byte is hashed on its way in.
 */
#ifndef SLOT_FILL_H
#define SLOT_FILL_H

#include "slot/plan.h"
#include "slot/write.h"

struct fill;

struct fill *fill_new(const struct install *in, const struct plan *plan, struct writer *w,
	struct install_sums *sums);
void fill_free(struct fill *f);

/*
 * Make the file of `entry`, the plan's number `index`, now if its contents are at hand
 * (`local`: under its own path), else note it for fill_fetch.
 */
int fill_file(struct fill *f, const struct entry *entry, uint64_t index, bool local,
	struct error *e);

/* Fetch and make everything that was noted. */
int fill_fetch(struct fill *f, struct error *e);

#endif
