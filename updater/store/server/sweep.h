/* SPDX-License-Identifier: MIT */
/*
 * What killed store processes leave behind: locks, half-written packs, a half-built
 * repository.  Only under the fetch lock, because they could be another process's.
 */
#ifndef SERVER_SWEEP_H
#define SERVER_SWEEP_H

#include "base/error.h"

/*
 * One fetch at a time; held until *ret_fd is closed.  Waits 10 s for one that is ending.
 * Errors: E_BUSY.
 */
int fetch_lock(int *ret_fd, struct error *e);

/* Remove leftovers below the working directory. */
void sweep_leftovers(void);

/* Remove a directory and all below it; absent is fine. */
int remove_tree(const char *path, struct error *e);

#endif
