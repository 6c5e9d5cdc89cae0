/* SPDX-License-Identifier: MIT */
/*
 * As walk_slot, of a slot that a survey found to be as it was sealed: what stands there
 * is what its own manifest says, so only what differs is looked at.
 */
#ifndef SLOT_RECALL_H
#define SLOT_RECALL_H

#include "slot/record.h"
#include "slot/walk.h"

struct recall {
	int root;
	struct bytes sealed; /* the slot's manifest, the one `index` is parallel to */
	const struct slot_index *index;
};

/*
 * `manifest` and `each` as walk_slot; step->known is what was sealed under that path, and
 * step->st of an entry that does not differ is made up from it: type, inode, number of
 * names, ctime.  Errors: E_INPUT the slot is not what the index says.
 */
int recall_slot(const struct recall *rc, struct bytes manifest,
	int (*each)(void *ctx, const struct walk_step *step, struct error *e), void *ctx,
	struct error *e);

#endif
