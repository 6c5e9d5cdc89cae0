/* SPDX-License-Identifier: MIT */
/*
 * Every fetch leaves a pack.  When there are many, the small ones become one, as
 * `git repack --geometric=2` does it: objects are copied as they stand, so that it costs
 * no inflating, and what is written is in proportion to what was fetched.  Large packs
 * (the first of a device) stay.
 */
#ifndef SERVER_REPACK_H
#define SERVER_REPACK_H

#include <stdbool.h>

#define REPACK_MAX 8 /* small packs that are left alone */

/*
 * Under the fetch lock: gather packs of GIT_DIR when there are more than REPACK_MAX.
 * True: open repositories must be opened again.  What cannot be read, or does not fit on
 * the disk twice, stays as it is: nothing depends on it.  A new pack is whole on the disk
 * before the old ones go.
 */
bool repack(void);

#endif
