/* SPDX-License-Identifier: MIT */
/* SHA-1, straight from RFC 3174 section 6: see sha1.h. */
#include "base/sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t v, unsigned n)
{
	return (v << n) | (v >> (32 - n));
}

static uint32_t mix(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (t < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void compress(struct sha1 *st, const unsigned char *p)
{
	uint32_t w[80];
	uint32_t v[5];

	for (unsigned t = 0; t < 16; t++)
		w[t] = (uint32_t)p[t * 4] << 24 | (uint32_t)p[t * 4 + 1] << 16 |
			(uint32_t)p[t * 4 + 2] << 8 | (uint32_t)p[t * 4 + 3];
	for (unsigned t = 16; t < 80; t++)
		w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	memcpy(v, st->h, sizeof(v));
	for (unsigned t = 0; t < 80; t++) {
		uint32_t temp = rotate(v[0], 5) + mix(t, v[1], v[2], v[3]) + v[4] + w[t];

		v[4] = v[3];
		v[3] = v[2];
		v[2] = rotate(v[1], 30);
		v[1] = v[0];
		v[0] = temp;
	}
	for (unsigned i = 0; i < 5; i++)
		st->h[i] += v[i];
}

void sha1_start(struct sha1 *st)
{
	*st = (struct sha1){
		.h = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 },
	};
}

void sha1_update(struct sha1 *st, const void *data, size_t size)
{
	const unsigned char *p = data;

	while (size > 0) {
		size_t at = st->length % 64;
		size_t n = size < 64 - at ? size : 64 - at;

		memcpy(st->block + at, p, n);
		st->length += n;
		p += n;
		size -= n;
		if (at + n == 64)
			compress(st, st->block);
	}
}

void sha1_finish(struct sha1 *st, unsigned char out[20])
{
	static const unsigned char pad[64] = { 0x80 };
	uint64_t bits = st->length * 8;
	unsigned char tail[8];

	for (unsigned i = 0; i < 8; i++)
		tail[i] = (unsigned char)(bits >> (56 - 8 * i));
	sha1_update(st, pad, 1 + (119 - st->length % 64) % 64);
	sha1_update(st, tail, sizeof(tail));
	for (unsigned i = 0; i < 20; i++)
		out[i] = (unsigned char)(st->h[i / 4] >> (24 - 8 * (i % 4)));
}
