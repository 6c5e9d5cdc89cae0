/* SPDX-License-Identifier: MIT */
/*
 * One merge of a manifest with the directories of a slot, in manifest order: what is
 * on both sides, missing, or too much.  Reads directories and stats; decides nothing.
 */
#ifndef SLOT_WALK_H
#define SLOT_WALK_H

#include <sys/stat.h>

#include "manifest/manifest.h"

enum walk_what {
	WALK_BOTH,
	WALK_MISSING, /* in the manifest only */
	WALK_EXTRA,   /* on the slot only; a directory stands for all below it */
};

struct walk_step {
	enum walk_what what;
	const struct entry *entry; /* NULL for WALK_EXTRA; lives until the next step */
	uint64_t index;		   /* of the entry, counted from 0 */
	uint64_t offset;	   /* of the entry, see manifest_at */
	uint64_t parent;	   /* index of the directory above it; its own for "." */
	const char *path;
	int dirfd;		   /* the directory above; -1 when the slot has none */
	const char *name;	   /* in dirfd */
	struct stat st;		   /* not for WALK_MISSING */
	const struct entry *known; /* what was sealed there, when that is all we go by */
};

/*
 * `manifest` was checked before.  `root` -1 is a slot with nothing in it.  lost+found
 * at the root, as long as it is empty and root's alone, and the manifest and release of
 * the slot itself are passed over on both sides.  A negative return of `each` ends the
 * walk and is returned. Errors: E_SYSTEM naming the path; e->sys EIO, EBADMSG, EUCLEAN:
 * damaged file system.
 */
int walk_slot(int root, struct bytes manifest,
	int (*each)(void *ctx, const struct walk_step *step, struct error *e), void *ctx,
	struct error *e);

#endif
