/* SPDX-License-Identifier: MIT */
/*
 * Slots: partitions that can hold a release, which of them is booted, and whether
 * one may be written.
 */
#ifndef SLOT_SLOT_H
#define SLOT_SLOT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define SLOT_NAME_MAX 31 /* [A-Za-z0-9_.-]+, not starting with '.' or '-' */
#define SLOT_COUNT    2

struct slot {
	char name[SLOT_NAME_MAX + 1];
	char bootname[SLOT_NAME_MAX + 1]; /* what the boot loader calls it */
	char *device;			  /* owned; path of the block device */
};

bool slot_name_valid(const char *name);

/* The block device behind the slot now.  Errors name the slot and the device. */
int slot_device(const struct slot *slot, dev_t *ret, struct error *e);

/*
 * The slot the kernel command line names (`osupdate.slot=` or `rauc.slot=`, matched
 * against bootnames), index or -1 when it names none.  `cmdline` is its text.
 * Errors: E_INPUT it names a slot that is not configured.
 */
int slot_by_cmdline(
	const struct slot *slots, const char *cmdline, int *ret, struct error *e);

/* The slot whose device holds the file system mounted at "/", index or -1. */
int slot_by_root(const struct slot *slots, int *ret, struct error *e);

/*
 * Refuse (E_BUSY) a target whose device is mounted anywhere (mountinfo by
 * major:minor, hidden mounts included), has holders, is the device under "/", or
 * cannot be opened exclusively; or (E_INPUT) that is the other slot's device by another
 * name.  `ours`: a detached mount of our own has it, so the last cannot be asked.
 */
int slot_require_free(const struct slot *slots, int target, bool ours, struct error *e);

#endif
