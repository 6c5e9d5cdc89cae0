/* SPDX-License-Identifier: MIT */
/* Whole subtrees of a slot: what removing one would free, and removing it. */
#ifndef SLOT_TREE_H
#define SLOT_TREE_H

#include <stdint.h>

#include "base/error.h"

struct tree_sums {
	uint64_t bytes;	 /* on disk, of inodes with this one name only */
	uint64_t inodes; /* likewise */
	uint64_t names;
};

/* Adds to *ret. */
int tree_sum(int at, const char *name, struct tree_sums *ret, struct error *e);

/* Removes `name`, children first, also what was made immutable.  Missing is no error. */
int tree_remove(int at, const char *name, struct error *e);

/* Clear the inode flags (immutable, append-only) that keep root from changing a file.
 * Best effort: the change itself reports what is still wrong. */
void tree_unlock(int at, const char *name);

#endif
