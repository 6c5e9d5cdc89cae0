/* SPDX-License-Identifier: MIT */
/* Packs (gitformat-pack(5)) taken apart, and put together with another object in them. */
#ifndef TESTS_MUTATIONS_PACK_H
#define TESTS_MUTATIONS_PACK_H

#include "mutate.h"

#define PACK_OBJECTS_MAX 512

struct pack_object {
	size_t at;   /* of its head in the pack */
	size_t data; /* of what is deflated */
	size_t end;
	size_t size; /* inflated */
	unsigned type;
};

struct pack_parts {
	struct bytes pack; /* borrowed; with its checksum */
	struct pack_object objects[PACK_OBJECTS_MAX];
	size_t n;
};

/* Ends the program when it is no whole pack, or has deltas by distance. */
void pack_parse(struct bytes pack, struct pack_parts *ret);
void pack_inflate(
	const struct pack_parts *p, const struct pack_object *o, struct buf *ret);

/* The pack with `data` in the place of `o`, deflated at `level`; without its checksum. */
void pack_put(const struct pack_parts *p, const struct pack_object *o, struct bytes data,
	int level, struct buf *out);

/* The checksum over all before it, as though nothing had happened. */
void pack_seal(struct buf *pack);

#endif
