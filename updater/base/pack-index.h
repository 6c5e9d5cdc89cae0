/* SPDX-License-Identifier: MIT */
/* The index of a git pack, version 2.  Format: gitformat-pack(5), pack-*.idx. */
#ifndef BASE_PACK_INDEX_H
#define BASE_PACK_INDEX_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"

struct pack_record {
	struct oid oid;
	uint32_t crc; /* of the object as it stands in the pack */
	uint64_t offset;
};

/*
 * Write the index of `records` (sorted here, distinct) to `fd`, for the pack that ends
 * with the checksum `pack`.  Needs no memory that grows with `n`.
 */
int pack_index_write(int fd, struct pack_record *records, size_t n,
	const struct oid *pack, struct error *e);

#endif
