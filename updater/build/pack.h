/* SPDX-License-Identifier: MIT */
/*
 * One new packfile with its index, written straight into a repository: objects are
 * named (SHA-1) and deflated by as many threads as there are cores, undeltified, each
 * once, and not at all when the repository has them.  Nothing is visible to git before
 * pack_finish.  Format: git's Documentation/gitformat-pack.txt, pack v2 and idx v2.
 */
#ifndef BUILD_PACK_H
#define BUILD_PACK_H

#include <git2.h>

#include "base/digest.h"
#include "base/error.h"

struct pack;

struct pack_sums {
	uint64_t objects; /* in the pack */
	uint64_t bytes;	  /* of the pack */
};

/* `objects_dir` is the repository's; `odb` (borrowed) tells what is there already. */
int pack_new(git_odb *odb, const char *objects_dir, struct pack **ret, struct error *e);
/* Without pack_finish nothing stays behind. */
void pack_free(struct pack *p);
static inline void pack_cleanup(struct pack **p)
{
	pack_free(*p);
}
#define autopack CLEANUP(pack_cleanup) struct pack *

/*
 * Add an object; `data` (from malloc, less than 4 GiB) is taken.  *ret_oid, which must
 * stay where it is, is set when pack_drain returns.  Errors: also those of objects
 * that were added before.
 */
int pack_add(struct pack *p, git_object_t type, void *data, size_t size,
	struct oid *ret_oid, struct error *e);

/* Add an object whose id is needed now. */
int pack_add_now(struct pack *p, git_object_t type, struct bytes data,
	struct oid *ret_oid, struct error *e);

/* Wait until everything added has its id. */
int pack_drain(struct pack *p, struct error *e);

/* Make it part of the repository, durably.  Without objects nothing is written. */
int pack_finish(struct pack *p, struct pack_sums *ret, struct error *e);

#endif
