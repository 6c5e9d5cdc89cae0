/* SPDX-License-Identifier: MIT */
/*
 * One pack with its index, mapped; nothing in it is believed: every offset is checked.
 * Format: gitformat-pack(5), packs and indexes of version 2.
 */
#ifndef SERVER_PACK_FILE_H
#define SERVER_PACK_FILE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"

#define PACK_HEAD 12 /* bytes: magic, version, number of objects */

enum pack_type {
	PACK_COMMIT = 1,
	PACK_TREE,
	PACK_BLOB,
	PACK_TAG,
	PACK_OFS_DELTA = 6,
	PACK_REF_DELTA
};

struct pack_file {
	struct bytes idx;
	struct bytes pack; /* without its checksum */
	uint32_t n;	   /* objects */
};

/* The pair of `idx_name` in `dirfd`; false when it is not one. */
bool pack_file_open(int dirfd, const char *idx_name, struct pack_file *ret);
void pack_file_close(struct pack_file *p);

/* Object `at` (below n) in the order of ids: its id, its place; false: out of
 * order. */
const unsigned char *pack_file_id(const struct pack_file *p, uint32_t at);
bool pack_file_offset(const struct pack_file *p, uint32_t at, size_t *ret);

/* Where the object `id` (20 bytes) stands; false when it is not here. */
bool pack_file_find(const struct pack_file *p, const unsigned char *id, size_t *ret);

/* The head of the object at *at, which moves behind it: type, and size when inflated. */
bool pack_read_head(struct bytes pack, size_t *at, unsigned *ret_type, size_t *ret_size);

/* Behind the head of an OFS_DELTA: how far before it its base begins. */
bool pack_read_distance(struct bytes pack, size_t *at, size_t *ret);

#endif
