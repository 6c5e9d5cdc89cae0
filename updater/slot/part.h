/* SPDX-License-Identifier: MIT */
/*
 * A file over 16 MiB while it comes, piece by piece: under a name that is always the same
 * for the same contents at the same path, so that pieces which came before an
 * interruption are found again.
 */
#ifndef SLOT_PART_H
#define SLOT_PART_H

#include "slot/write.h"

void part_name(const struct entry *entry, char ret[TEMP_NAME_MAX]);

/* Is the last component of `path` such a name? */
bool part_is(const char *path);

/*
 * The part of `entry` that was begun before, for reading and writing, or a new one, for
 * writing: *ret_old says which.  Nobody else's file is taken for one.
 */
int part_open(struct writer *w, const struct entry *entry, int *ret_fd, bool *ret_old,
	struct error *e);

/* Does `piece` stand at `offset` already? */
bool part_has(int fd, const struct piece *piece, uint64_t offset);

#endif
