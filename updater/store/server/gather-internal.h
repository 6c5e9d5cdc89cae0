/* SPDX-License-Identifier: MIT */
/* What gather.c and gather-write.c share. */
#ifndef SERVER_GATHER_INTERNAL_H
#define SERVER_GATHER_INTERNAL_H

#include "store/server/gather.h"
#include "store/server/session.h"

#define PACK_DIR GIT_DIR "/objects/pack"

/* An object of an old pack. */
struct gather_object {
	uint64_t from; /* its place there */
	uint64_t to;   /* and in the new one */
	uint32_t at;   /* in the old index */
	bool again;    /* an earlier pack has it, too */
	bool left;     /* it is not wanted */
};

/* The one that begins there; NULL: none does. */
struct gather_object *gather_object_at(const struct gather_pack *old, uint64_t from);
/* The same object in a pack before number `k`. */
struct gather_object *gather_earlier(
	const struct gather *g, size_t k, const unsigned char *id);
/* Where the object number `i` of a pack ends. */
size_t gather_end_of(const struct gather_pack *old, uint32_t i);
void gather_remove_pack(const struct gather *g, const char *idx);

#endif
