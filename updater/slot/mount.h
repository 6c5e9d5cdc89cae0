/* SPDX-License-Identifier: MIT */
/*
 * File systems of slots, mounted detached: a file descriptor no other process can
 * see and that the kernel unmounts when it closes, whatever happens to us.
 */
#ifndef SLOT_MOUNT_H
#define SLOT_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/progress.h"

#define FS_UUID_MAX 37

/*
 * Mount an ext4 slot detached: nodev, nosuid, noexec, and read-only or (writable)
 * errors=remount-ro.  *ret_root is the root directory (not O_PATH).
 */
int mount_slot(const char *device, bool writable, int *ret_root, struct error *e);

/*
 * A private, non-recursive view of the file system at "/", so that nothing mounted over
 * it hides it; read-only unless `writable`.  E_NOTFOUND when "/" is not on `device`.
 */
int mount_clone_root(dev_t device, bool writable, int *ret_root, struct error *e);

/* Refuse (E_UNTRUSTED) a device that holds something else than an ext file system:
 * nothing else is ever overwritten.  An empty or unreadable one is fine. */
int mount_require_ours(const char *device, struct error *e);

/*
 * Make the device mountable for writing: e2fsck -p unless it is clean; when that cannot
 * mend it, or there is no file system, mkfs.ext4 with features GRUB reads, keeping label
 * and UUID where they can be read.  `mountable`: it has just been mounted for reading;
 * `damaged`: but found broken, so check all of it.  Notes what it did through `p`.
 * Returns 1 when it changed something, 0 when there was nothing to mend.  Errors also as
 * mount_require_ours.
 */
int mount_repair(const char *device, bool mountable, bool damaged,
	const struct progress *p, struct error *e);

/* syncfs, close, and wait until the device is free again.  *root becomes -1. */
int mount_finish(const char *device, int *root, struct error *e);

/* The UUID in the superblock of the ext4 file system on `device`. */
int mount_uuid(const char *device, char ret[FS_UUID_MAX], struct error *e);

/*
 * What changes whenever the file system was mounted for writing, checked or tuned: the
 * digest of its superblock, in which the kernel counts mounts and notes their time before
 * anything else is written (ext4_setup_super).
 */
int mount_stamp(const char *device, struct digest *ret, struct error *e);

#endif
