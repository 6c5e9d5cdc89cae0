/* SPDX-License-Identifier: MIT */
/* What stands on a slot against what a manifest entry says. */
#ifndef SLOT_COMPARE_H
#define SLOT_COMPARE_H

#include <sys/stat.h>

#include "manifest/diff.h"
#include "manifest/manifest.h"

#define PROC_PATH_MAX (sizeof("/proc/self/fd/2147483647/") + NAME_BYTES_MAX)

/*
 * A path for calls that take no directory descriptor and follow no final link
 * (lgetxattr(2) and its kin).  `name` is one component.
 */
void proc_path(int dirfd, const char *name, char ret[PROC_PATH_MAX]);

/*
 * `name` in `dirfd` (its lstat is `st`) against `entry`, which is not ENTRY_HARD.
 * *ret: enum change_flag, 0 = equal.  Contents of equal size are read and hashed
 * (their bytes are added to *bytes, which may be NULL).
 */
int compare_entry(int dirfd, const char *name, const struct stat *st,
	const struct entry *entry, unsigned *ret, uint64_t *bytes, struct error *e);

/* The BLAKE2b of a regular file; E_INPUT when it is none.  `direct`: past the page cache.
 */
int compare_digest(int dirfd, const char *name, bool direct, struct digest *ret,
	uint64_t *ret_size, struct error *e);

#endif
