/* SPDX-License-Identifier: MIT */
/*
 * Which git blob holds the contents of a given digest: a hash table from BLAKE2b-256
 * to object id.  A claim (read from a parent's manifest) is believed only after the
 * object was looked at; what it says can make a release useless, never unsafe, because
 * devices check contents against the manifest alone.
 */
#ifndef BUILD_BLOBS_H
#define BUILD_BLOBS_H

#include <stdint.h>

#include "base/digest.h"

struct blob {
	struct digest digest;
	uint64_t size;
	struct oid oid;
	bool claimed; /* by a parent; not looked at yet */
};

/* Zeroed is empty. */
struct blobs {
	struct blob **slots;
	size_t n;
	size_t cap; /* a power of two, or 0 */
};

/* NULL when there is none.  The pointer lives as long as the table. */
struct blob *blobs_find(const struct blobs *b, const struct digest *digest);

/* The blob of that digest, made (with zero fields) when there is none. */
struct blob *blobs_add(struct blobs *b, const struct digest *digest);

void blobs_release(struct blobs *b);
#define autoblobs CLEANUP(blobs_release) struct blobs

#endif
