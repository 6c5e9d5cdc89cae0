/* SPDX-License-Identifier: MIT */
/*
 * What a slot needs to become a release: read-only, before anything is touched.
 * What there is of every manifest entry is in spools; carrying a plan out costs what is
 * to be done, not what there is.
 */
#ifndef SLOT_PLAN_H
#define SLOT_PLAN_H

#include "base/spool.h"
#include "manifest/manifest.h"
#include "slot/install.h"
#include "slot/links.h"
#include "slot/record.h"

/* What to do with an entry, and notes about it. */
enum plan_flag {
	PLAN_META = 1 << 0,    /* right but for what can be mended in place: a directory's
				* metadata, another's mtime */
	PLAN_MAKE = 1 << 1,    /* make it anew (a new inode) and put it in its place */
	PLAN_LOCAL = 1 << 2,   /* with MAKE: the file there now has the right contents */
	PLAN_TOUCHED = 1 << 3, /* a directory in which names come or go */
};

struct plan {
	unsigned char *entries; /* enum plan_flag, by index in the manifest */
	uint64_t *offsets;	/* where it begins (manifest_at); 0: not ours to touch */
	struct index_item *items; /* inode 0: to be looked up when all is done */
	uint64_t count;
	struct spool spools[3]; /* which hold the three */
	struct buf removals;	/* paths, each ended by NUL, parents before children */
	struct links *links;	/* groups that are kept */
	bool own_right;		/* the slot's manifest and release are those wanted */
	uint64_t kept;
	uint64_t make;	     /* entries with PLAN_MAKE */
	uint64_t removed;    /* names */
	uint64_t make_bytes; /* of files to be made */
	/* for the space check: */
	uint64_t grow;	  /* bytes the slot grows by, before removals */
	uint64_t largest; /* the largest new file: the old one stays until it is whole */
	uint64_t new_inodes;
	uint64_t freed_bytes; /* by the removals */
	uint64_t freed_inodes;
};

/*
 * `root` -1: the slot cannot be mounted, all is to be made, and `key` is NULL.  Of `key`
 * the manifest is found out here.  Errors: as walk_slot and manifest_next; E_SPACE for
 * the spools; E_INTERRUPTED.
 */
int plan_make(const struct install *in, int root, const struct index_key *key,
	struct plan *ret, struct error *e);
void plan_release(struct plan *p);
#define autoplan CLEANUP(plan_release) struct plan

/* The number of the entry `path`.  `reader` is one of the manifest planned for. */
int plan_find(const struct plan *p, struct manifest_reader *reader, const char *path,
	uint64_t *ret, struct error *e);

/* Is there nothing at all to write? */
bool plan_is_empty(const struct plan *p);

/* Does it fit?  On the mounted `root`, or on an empty `device`.  Errors: E_SPACE. */
int plan_check_space(
	const struct plan *p, const struct install *in, int root, struct error *e);

#endif
