/* SPDX-License-Identifier: MIT */
/* `store/` of the state directory: the store user's own, and nobody else's. */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include <sys/types.h>

#include "base/error.h"

/*
 * Open `store/` below the state directory, made if need be, for the user to work in.
 * System users' numbers may change from release to release while the state directory
 * stays: a store that belongs to another number is handed over, file by file.
 */
int store_directory(int state_dirfd, uid_t uid, gid_t gid, int *ret_fd, struct error *e);

#endif
