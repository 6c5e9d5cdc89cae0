/* SPDX-License-Identifier: MIT */
/* Making a sealed slot again what it claims to be. */
#ifndef UPDATE_REPAIR_H
#define UPDATE_REPAIR_H

#include "slot/install.h"
#include "update/device.h"

/*
 * The release a slot is to hold: by its own signed proof, or when that is damaged, by the
 * slot's record and the store (which may fetch).  *ret_manifest is an owned mapping.
 * Errors: E_NOTFOUND neither says; E_UNTRUSTED; E_REMOTE.
 */
int repair_release(struct device *d, int slot, struct release **ret,
	struct bytes *ret_manifest, struct error *e);

/*
 * Read all of the slot and put right what differs, from the other slot or the store.
 * Nothing is armed, marked or unsealed.  Errors: E_UNTRUSTED it is on trial, or being
 * written, or is "/" and mounted read-only; else as install_run.
 */
int repair_slot(struct device *d, int slot, const struct release *rel,
	struct bytes manifest, struct install_sums *ret, struct error *e);

#endif
