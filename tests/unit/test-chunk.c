/* SPDX-License-Identifier: MIT */
/* Where big files are cut: limits, average, and what an insertion moves. */
#include <criterion/criterion.h>

#include "base/digest.h"
#include "build/chunk.h"

#define MIB ((size_t)1 << 20)

static struct chunker chunker;

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
	chunker_init(&chunker);
}
TestSuite(chunk, .init = init);

/* The same bytes in every run. */
static unsigned char *noise(size_t n)
{
	static const unsigned char seed[randombytes_SEEDBYTES] = "chunk";
	unsigned char *data = xmalloc(n);

	randombytes_buf_deterministic(data, n, seed);
	return data;
}

static size_t cut(struct bytes data, size_t *cuts, size_t max)
{
	size_t at = 0;
	size_t n = 0;

	while (at < data.size) {
		size_t size = chunk_next(
			&chunker, (struct bytes){ data.data + at, data.size - at });

		cr_assert_gt(size, 0);
		cr_assert_leq(size, CHUNK_MAX);
		cr_assert(size >= CHUNK_MIN || at + size == data.size);
		at += size;
		cr_assert_lt(n, max);
		cuts[n++] = at;
	}
	return n;
}

Test(chunk, keeps_its_limits_and_its_average)
{
	const size_t size = 256 * MIB;
	autofree unsigned char *data = noise(size);
	size_t cuts[64];
	size_t n = cut((struct bytes){ data, size }, cuts, 64);

	cr_assert_geq(n, 25, "%zu pieces", n);
	cr_assert_leq(n, 43, "%zu pieces", n);
}

Test(chunk, cuts_monotonous_bytes_at_the_most)
{
	const size_t size = 40 * MIB;
	autofree unsigned char *data = xcalloc(1, size);
	size_t cuts[64];

	cr_assert_eq(cut((struct bytes){ data, size }, cuts, 64), 3);
	cr_assert_eq(cuts[0], CHUNK_MAX);
	cr_assert_eq(cuts[1], 2 * CHUNK_MAX);
}

Test(chunk, gives_what_is_left_when_it_is_little)
{
	autofree unsigned char *data = noise(MIB);

	cr_assert_eq(chunk_next(&chunker, (struct bytes){ data, MIB }), MIB);
	cr_assert_eq(chunk_next(&chunker, (struct bytes){ data, 1 }), 1);
	cr_assert_eq(chunk_next(&chunker, (struct bytes){ data, 0 }), 0);
}

Test(chunk, does_not_look_beyond_its_most)
{
	autofree unsigned char *data = noise(64 * MIB);
	size_t all = chunk_next(&chunker, (struct bytes){ data, 64 * MIB });

	cr_assert_eq(chunk_next(&chunker, (struct bytes){ data, CHUNK_MAX }), all);
}

Test(chunk, finds_its_cuts_again_after_an_insertion)
{
	const size_t size = 128 * MIB;
	autofree unsigned char *data = noise(size);
	autofree unsigned char *other = xmalloc(size + 100);
	size_t before[64];
	size_t after[64];
	size_t n;
	size_t m;
	size_t shared = 0;

	memcpy(other, data, 20 * MIB);
	memset(other + 20 * MIB, 'x', 100);
	memcpy(other + 20 * MIB + 100, data + 20 * MIB, size - 20 * MIB);
	n = cut((struct bytes){ data, size }, before, 64);
	m = cut((struct bytes){ other, size + 100 }, after, 64);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			shared += after[k] == before[i] || after[k] == before[i] + 100;
	cr_assert_geq(shared + 5, n, "%zu of %zu cuts kept", shared, n);
}

/* Releases made by other versions should be cut alike: the first cut, written down. */
Test(chunk, has_the_documented_table)
{
	unsigned char seed[16] = "osupdate-gear-1";
	struct digest d;

	for (unsigned i = 0; i < 256; i += 51) {
		uint64_t want = 0;

		seed[15] = (unsigned char)i;
		d = digest_of((struct bytes){ seed, sizeof(seed) });
		for (unsigned k = 8; k-- > 0;)
			want = want << 8 | d.b[k];
		cr_assert_eq(chunker.gear[i], want, "gear[%u]", i);
	}
}
