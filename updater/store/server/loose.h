/* SPDX-License-Identifier: MIT */
/* Objects of GIT_DIR that stand in a file each: those that were copied from this machine.
 */
#ifndef SERVER_LOOSE_H
#define SERVER_LOOSE_H

#include "base/digest.h"

struct loose {
	struct oid *ids;
	size_t n;
	size_t cap;
	uint64_t bytes;
};

void loose_list(struct loose *ret);
void loose_release(struct loose *l);
#define autoloose CLEANUP(loose_release) struct loose

/* Remove the files of those that `l` lists. */
void loose_remove(const struct loose *l);

#endif
