/* SPDX-License-Identifier: MIT */
/*
 * Paths below a root that nothing in the tree can lead out of: openat2 with
 * RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV (openat2(2), Linux 5.6).
 * For calls openat2 does not protect (mkdirat, renameat, unlinkat ...), open the
 * parent with beneath_parent and pass the single component it returns.
 */
#ifndef BASE_BENEATH_H
#define BASE_BENEATH_H

#include <sys/stat.h>

#include "base/error.h"

/*
 * O_CLOEXEC, O_NOCTTY and O_NOFOLLOW are added.  `path` is relative; "." is root.
 * On E_SYSTEM/E_NOTFOUND e->sys tells ELOOP (a symlink in the way), EXDEV, ENOENT...
 */
int beneath_open(int root, const char *path, int flags, mode_t mode, int *ret_fd,
	struct error *e);

/*
 * Open the parent directory of `path` (O_PATH) and give its last component, which
 * points into `path`.  For "." E_INPUT.
 */
int beneath_parent(int root, const char *path, int *ret_fd, const char **ret_name,
	struct error *e);

#endif
