/* SPDX-License-Identifier: MIT */
/*
 * Objects that stand in a file each.  In GIT_DIR that are those that were copied from a
 * repository on this machine.
 */
#ifndef SERVER_LOOSE_H
#define SERVER_LOOSE_H

#include "store/server/session.h"

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

#define LOOSE_NAME (GIT_OID_HEXSZ + 2) /* "ab/cdef..." */

void loose_name(const git_oid *id, char ret[LOOSE_NAME]);

/*
 * Read the file of `id`, as it is, from the objects directory at `objects`, which ends
 * with a slash, into `ret`, which is empty: 1; 0 when there is none.  E_REMOTE: it is
 * damaged; libgit2 1.5 must not read it then, for it reads one that is cut for ever.
 */
int loose_read(const char *objects, const git_oid *id, struct buf *ret, struct error *e);

#endif
