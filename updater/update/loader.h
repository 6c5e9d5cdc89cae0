/* SPDX-License-Identifier: MIT */
/*
 * The boot loader's view of this device's slots, by index: what the hook is told about a
 * slot, with the slot's root and its release's kernel arguments where a verb needs them.
 * Errors of all: those of boot/hook.h.
 */
#ifndef UPDATE_LOADER_H
#define UPDATE_LOADER_H

#include "update/device.h"

int loader_get_state(
	const struct device *d, int index, enum boot_state *ret, struct error *e);
int loader_set_state(
	const struct device *d, int index, enum boot_state state, struct error *e);

/* *ret: the slot that boots next; SLOT_NONE when the loader names none of ours. */
int loader_get_primary(const struct device *d, int *ret, struct error *e);
/* Also: what opening the slot gives, and E_INPUT for kernel arguments that cannot be. */
int loader_set_primary(const struct device *d, int index, struct error *e);

#endif
