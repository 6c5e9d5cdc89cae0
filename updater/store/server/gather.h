/* SPDX-License-Identifier: MIT */
/*
 * Several packs of GIT_DIR become one, with all objects or those that are wanted: copied
 * as they stand, so that it costs no inflating, except for deltas on what is left behind.
 * The new pack is whole on the disk before the old ones go.  What the packs and indexes
 * say is not believed.  Under the fetch lock; best effort: false, and all stays as it
 * was.
 */
#ifndef SERVER_GATHER_H
#define SERVER_GATHER_H

#include <stdbool.h>

#include "base/newfile.h"
#include "base/sha1.h"
#include "base/spool.h"
#include "store/server/pack-file.h"

struct gather_object;

struct gather_pack {
	char *name; /* of its index */
	struct pack_file file;
	struct spool spool;
	struct gather_object *objects; /* in the spool, in the order of their places */
	uint32_t n_taken;	       /* that are wanted and in no pack before it */
	uint64_t taken;		       /* their bytes, here and in the index */
};

/* An object inflated. */
struct gather_whole {
	unsigned type; /* enum pack_type */
	struct bytes data;
	void (*release)(struct gather_whole *w);
	void *owner;
};

/* Zeroed but what the caller sets: */
struct gather {
	/* NULL: all are.  `id` has OID_SIZE bytes. */
	bool (*wanted)(void *ctx, const unsigned char *id);
	/* NULL: no base is ever left behind. */
	int (*whole)(void *ctx, const unsigned char *id, struct gather_whole *ret);
	/* Now and then; negative ends it.  May be NULL. */
	int (*tick)(void *ctx);
	void *ctx;
	/* Objects that stand in no pack; `whole` reads them. */
	const struct oid *loose;
	size_t n_loose;

	/* After gather_open: in the order in which they are copied, for the caller to
	 * sort */
	struct gather_pack *old;
	size_t n;
	size_t cap;
	bool unreadable; /* there are others, which could not be opened */
	/* After gather_survey: */
	uint64_t bytes; /* of what is wanted, each object once, with its index */
	uint32_t n_records;
	/* Its own: */
	int dir;
	struct newfile pack;
	uint64_t size;
	uint64_t synced;
	struct buf pending; /* the last of `size` bytes */
	struct sha1 sum;
	struct spool records; /* struct pack_record */
};

/* All packs of at most `max` bytes. */
bool gather_open(struct gather *g, size_t max);
void gather_close(struct gather *g);
/* Keep the first `n` packs of the list. */
void gather_drop(struct gather *g, size_t n);
bool gather_has_room(const struct gather *g, uint64_t bytes);

/* What would be copied? */
bool gather_survey(struct gather *g);
/* Then: remove packs of which nothing would be; true if there were any. */
bool gather_remove_dead(struct gather *g);
/* Then: keep those that are dead for the most part and for whose rest there is room;
 * another survey follows. */
void gather_fit(struct gather *g);
/* Then: copy it and remove the old packs. */
bool gather_write(struct gather *g);

#endif
