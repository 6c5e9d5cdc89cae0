/* SPDX-License-Identifier: MIT */
/* Content-defined cutting: see chunk.h. */
#include "build/chunk.h"

#include "base/digest.h"

#define WINDOW 64 /* a byte is shifted out of h after so many more */

void chunker_init(struct chunker *c)
{
	unsigned char seed[] = "osupdate-gear-1\0";
	const size_t n = sizeof(seed) - 1; /* the last one is the index */

	for (unsigned i = 0; i < 256; i++) {
		struct digest d;

		seed[n - 1] = (unsigned char)i;
		d = digest_of((struct bytes){ seed, n });
		c->gear[i] = 0;
		for (unsigned k = 0; k < 8; k++)
			c->gear[i] |= (uint64_t)d.b[k] << (8 * k);
	}
}

size_t chunk_next(const struct chunker *c, struct bytes data)
{
	size_t max = data.size < CHUNK_MAX ? data.size : CHUNK_MAX;
	uint64_t h = 0;

	for (size_t i = CHUNK_MIN - WINDOW; i < max; i++) {
		h = (h << 1) + c->gear[data.data[i]];
		if (i + 1 >= CHUNK_MIN && h >> (64 - CHUNK_BITS) == 0)
			return i + 1;
	}
	return max;
}
