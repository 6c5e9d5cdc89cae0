/* SPDX-License-Identifier: MIT */
/*
 * Objects that stand in a file each.  In GIT_DIR that are those that were copied from a
 * repository on this machine.
 */
#ifndef SERVER_LOOSE_H
#define SERVER_LOOSE_H

#include "store/server/object-dirs.h"
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
 * Read the file of `id`, as it is, from where it stands in `dirs` into `ret`, which is
 * empty: 1; 0 when there is none.  E_REMOTE: it is not the object; libgit2 1.5 must not
 * read it then: one that is cut it reads for ever, of one that is longer than it says it
 * writes the rest behind its memory.
 */
int loose_read(const struct object_dirs *dirs, const git_oid *id, struct buf *ret,
	struct error *e);

#endif
