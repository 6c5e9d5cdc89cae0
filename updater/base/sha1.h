/* SPDX-License-Identifier: MIT */
/*
 * SHA-1 (RFC 3174), because git names objects by it.  Nothing here is trusted
 * for being unforgeable: BLAKE2b digests carry the trust.
 */
#ifndef BASE_SHA1_H
#define BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

struct sha1 {
	uint32_t h[5];
	uint64_t length;
	unsigned char block[64];
};

void sha1_start(struct sha1 *st);
void sha1_update(struct sha1 *st, const void *data, size_t size);
void sha1_finish(struct sha1 *st, unsigned char out[20]);

#endif
