/* SPDX-License-Identifier: MIT */
/* BLAKE2b-256 and git's object ids, against values other programs print. */
#include <criterion/criterion.h>

#include "base/digest.h"
#include "base/sha1.h"

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
}

TestSuite(digest, .init = init);

static void expect_digest(const char *data, const char *hex)
{
	struct digest d = digest_of(bytes_of(data));
	char found[DIGEST_HEX_MAX];

	digest_hex(&d, found);
	cr_expect_str_eq(found, hex);
}

/* printf '' | b2sum -l 256, printf abc | b2sum -l 256 */
Test(digest, is_blake2b_256)
{
	expect_digest(
		"", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
	expect_digest("abc",
		"bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

Test(digest, of_parts_is_that_of_the_whole)
{
	struct digest whole = digest_of(bytes_of("hello, world"));
	struct digest_state st;
	struct digest parts;

	digest_start(&st);
	digest_update(&st, "hello", 5);
	digest_update(&st, "", 0);
	digest_update(&st, ", world", 7);
	digest_finish(&st, &parts);
	cr_assert(digest_equal(&whole, &parts));
	parts.b[31] ^= 1;
	cr_assert_not(digest_equal(&whole, &parts));
}

Test(digest, is_read_in_one_form)
{
	struct digest d = digest_of(bytes_of(""));
	char hex[DIGEST_HEX_MAX];
	struct digest back;

	digest_hex(&d, hex);
	cr_assert(digest_parse(hex, 64, &back));
	cr_assert(digest_equal(&d, &back));
	cr_assert_not(digest_parse(hex, 63, &back));
	hex[0] = 'G';
	cr_assert_not(digest_parse(hex, 64, &back));
}

/* git hash-object -t blob /dev/null; printf hello | git hash-object --stdin */
Test(digest, object_ids_are_gits)
{
	static const char *const cases[][2] = {
		{ "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" },
		{ "hello", "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0" }
	};

	for (size_t i = 0; i < 2; i++) {
		struct oid id = oid_of("blob", bytes_of(cases[i][0]));
		char hex[OID_HEX_MAX];
		struct oid back;

		oid_hex(&id, hex);
		cr_expect_str_eq(hex, cases[i][1]);
		cr_expect(oid_parse(hex, 40, &back));
		cr_expect(oid_equal(&id, &back));
		cr_expect_not(oid_parse(hex, 39, &back));
	}
}

/* RFC 3174, TEST1 and TEST3: blocks cut anywhere give the same. */
Test(digest, sha1_takes_any_pieces)
{
	static unsigned char a[1000000];
	static const char hex[] = "34aa973cd4c4daa4f61eeb2bdbad27316534016f";
	unsigned char out[20];
	char found[41];

	memset(a, 'a', sizeof(a));
	for (size_t step = 1; step < sizeof(a); step = step * 7 + 3) {
		struct sha1 st;

		sha1_start(&st);
		for (size_t i = 0; i < sizeof(a); i += step)
			sha1_update(
				&st, a + i, sizeof(a) - i < step ? sizeof(a) - i : step);
		sha1_finish(&st, out);
		for (int i = 0; i < 20; i++)
			(void)snprintf(found + i * 2, 3, "%02x", out[i]);
		cr_expect_str_eq(found, hex, "step %zu", step);
	}
}
