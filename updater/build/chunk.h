/* SPDX-License-Identifier: MIT */
/*
 * Where files over 16 MiB are cut into pieces: at places their contents choose, so that
 * an insertion moves few cuts.  Part of the format in so far as equal contents should
 * give equal pieces from release to release; devices take any cut.
 *
 * Gear hash (Xia et al., FastCDC, USENIX ATC 2016): h = (h << 1) + gear[byte], begun 64
 * bytes before the least size; a piece ends behind the first byte where the upper
 * CHUNK_BITS bits of h are zero.  gear[i] = the first 8 bytes, little-endian, of
 * BLAKE2b-256("osupdate-gear-1" i), i being one byte.
 */
#ifndef BUILD_CHUNK_H
#define BUILD_CHUNK_H

#include <stdint.h>

#include "base/buf.h"

#define CHUNK_MIN  (4u << 20)
#define CHUNK_MAX  (16u << 20)
#define CHUNK_BITS 22 /* 4 MiB on average after the least size: 8 MiB pieces */

struct chunker {
	uint64_t gear[256];
};

void chunker_init(struct chunker *c);

/*
 * The size of the first piece of `data`, which is all that is left of the file or at
 * least CHUNK_MAX bytes of it; never 0 unless data is empty.
 */
size_t chunk_next(const struct chunker *c, struct bytes data);

#endif
