/* SPDX-License-Identifier: MIT */
/* The index of a pack, version 2.  Format: gitformat-pack.txt, pack-*.idx. */
#ifndef BUILD_PACK_INDEX_H
#define BUILD_PACK_INDEX_H

#include <stdint.h>

#include "base/digest.h"

struct pack_record {
	struct oid oid;
	uint32_t crc; /* of the object as it stands in the pack */
	uint64_t offset;
};

/* Append the index of `records` (sorted here, distinct) of the pack named `pack`. */
void pack_index_print(
	struct pack_record *records, size_t n, const struct oid *pack, struct buf *out);

#endif
