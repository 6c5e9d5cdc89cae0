/* SPDX-License-Identifier: MIT */
/*
 * Bring a slot to exactly one release: plan (read-only), apply, seal.  First install
 * and in-place update are the same walk.  Never called on a booted or mounted slot
 * (slot_require_free is the caller's); knows nothing of boot loaders.
 */
#ifndef SLOT_INSTALL_H
#define SLOT_INSTALL_H

#include "slot/slot.h"
#include "store/client.h"
#include "trust/release.h"

struct install {
	int state_dirfd;
	const struct slot *slot;
	const struct slot *booted; /* where equal contents may be copied from, or NULL */
	const struct release *release;
	struct bytes manifest; /* of the release: digest and manifest_check passed */
	struct store *store;
	struct survey *survey; /* of the slot, waited for; or NULL */
	/*
	 * The slot holds this release and some of it is damaged: put that right where it
	 * is.  The slot stays sealed meanwhile (every step brings it nearer to what it
	 * claims to be), all is read, and what machines fill themselves is left alone.
	 */
	bool repair;
	bool live;	 /* with `repair`: the slot is "/", and writable */
	bool full_check; /* read everything that is kept, whatever the stat index says */
	bool read_back;	 /* read written files from the disk before the seal */
	const struct progress *progress;
	/*
	 * Called once, after plan and space check and before the slot is touched in any
	 * way (also before e2fsck or mkfs): the state machine records the phase and tells
	 * the boot loader.  Not called when there is nothing to write.
	 */
	int (*before_write)(void *ctx, struct error *e);
	void *ctx;
};

struct install_sums {
	uint64_t kept;	  /* entries that were right already */
	uint64_t written; /* files, links, nodes made anew */
	uint64_t removed;
	uint64_t bytes_fetched; /* from the store */
	uint64_t bytes_copied;	/* from this or the booted slot */
};

/*
 * On success the slot is sealed, unmounted, and its record and stat index are saved.
 * Returns 1 instead of 0 when the slot already held exactly this (nothing written).
 * On failure before `before_write` nothing was touched; after it the slot record says
 * dirty, and the next call goes on from there.
 * Errors: E_SPACE with bytes or inodes needed and there, E_BUSY the device is in use,
 *         E_REMOTE contents missing or wrong (path named), E_INTERRUPTED.
 */
int install_run(const struct install *in, struct install_sums *ret, struct error *e);

#endif
