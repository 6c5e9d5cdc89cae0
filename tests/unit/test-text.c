/* SPDX-License-Identifier: MIT */
/* Strict text: one form each, and everything else refused. */
#include <criterion/criterion.h>

#include "base/text.h"

Test(text, integers_have_one_form)
{
	static const struct {
		const char *s;
		uint64_t max;
		bool good;
		uint64_t value;
	} cases[] = {
		{ "0", 10, true, 0 },
		{ "10", 10, true, 10 },
		{ "11", 10, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999", UINT64_MAX, false, 0 },
		{ "", 10, false, 0 },
		{ "00", 10, false, 0 },
		{ "01", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "0x1", 10, false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 77;
		bool good =
			text_u64(cases[i].s, strlen(cases[i].s), cases[i].max, &value);

		cr_expect_eq(good, cases[i].good, "\"%s\"", cases[i].s);
		if (good)
			cr_expect_eq(value, cases[i].value, "\"%s\"", cases[i].s);
	}
}

Test(text, hex_is_lower_case_and_whole)
{
	unsigned char out[2];
	char hex[5];

	cr_assert(text_unhex("00ff", 4, out, 2));
	cr_assert_eq(out[1], 255);
	text_hex((struct bytes){ out, 2 }, hex);
	cr_assert_str_eq(hex, "00ff");
	cr_assert_not(text_unhex("00FF", 4, out, 2));
	cr_assert_not(text_unhex("00f", 3, out, 2));
	cr_assert_not(text_unhex("00ff0", 5, out, 2));
	cr_assert_not(text_unhex("0g", 2, out, 1));
}

/* RFC 4648, section 10 */
Test(text, base64_is_padded_and_canonical)
{
	static const char *const vectors[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" } };
	static const char *const bad[] = { "Zg",
		"Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "Zm9v\n", " Zm9v", "Zm-v",
		"Zg==Zg==", "====" };

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		autobuf to = { 0 };
		autobuf from = { 0 };

		text_base64(bytes_of(vectors[i][0]), &to);
		cr_expect_str_eq(to.data ? to.data : "", vectors[i][1]);
		cr_expect(text_unbase64(vectors[i][1], strlen(vectors[i][1]), &from));
		cr_expect_str_eq(from.data ? from.data : "", vectors[i][0]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autobuf out = { 0 };

		cr_expect_not(text_unbase64(bad[i], strlen(bad[i]), &out), "%s", bad[i]);
	}
}

Test(text, utf8_is_well_formed)
{
	static const struct {
		const char *s;
		bool good;
	} cases[] = {
		{ "", true },
		{ "abc", true },
		{ "\303\251", true },
		{ "\342\202\254", true },
		{ "\360\237\230\200", true },
		{ "\364\217\277\277", true },
		{ "\303", false },
		{ "\200", false },
		{ "\300\257", false },	       /* overlong / */
		{ "\340\200\257", false },     /* overlong */
		{ "\355\240\200", false },     /* surrogate */
		{ "\364\220\200\200", false }, /* over U+10FFFF */
		{ "\370\210\200\200\200", false },
		{ "\377", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(
			text_is_utf8(bytes_of(cases[i].s)), cases[i].good, "case %zu", i);
	cr_expect_not(text_is_utf8((struct bytes){ (const unsigned char *)"a\0b", 3 }));
}

Test(text, times_are_rfc_3339_in_utc)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = { { 0, "1970-01-01T00:00:00Z" },
		{ 951782400, "2000-02-29T00:00:00Z" },
		{ 1793786400, "2026-11-04T10:00:00Z" },
		{ 4102444799, "2099-12-31T23:59:59Z" } };
	static const char *const bad[] = { "", "2026-11-04", "2026-11-04T10:00:00",
		"2026-11-04 10:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-11-04T24:00:00Z", "2026-11-04T10:00:60Z",
		"2026-11-04T10:00:00+01:00", "2026-1-04T10:00:00Z" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[TEXT_TIME_MAX];
		int64_t back = -1;

		text_time(cases[i].seconds, text);
		cr_expect_str_eq(text, cases[i].text);
		cr_expect(text_untime(text, strlen(text), &back));
		cr_expect_eq(back, cases[i].seconds);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t back;

		cr_expect_not(text_untime(bad[i], strlen(bad[i]), &back), "%s", bad[i]);
	}
}

Test(text, sizes_are_short)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = { { 0, "0 B" }, { 512, "512 B" }, { 37000, "37 kB" },
		{ 1200000000, "1.2 GB" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[TEXT_SIZE_MAX];

		text_size(cases[i].bytes, text);
		cr_expect_str_eq(text, cases[i].text);
	}
}

Test(text, foreign_text_is_safe_and_comes_back)
{
	static const struct {
		const char *foreign;
		bool spaces;
		const char *escaped;
	} cases[] = {
		{ "plain", false, "plain" },
		{ "two words", false, "two words" },
		{ "two words", true, "two\\040words" },
		{ "\033[31mred", false, "\\033[31mred" },
		{ "a\nb", false, "a\\012b" },
		{ "back\\slash", false, "back\\134slash" },
		{ "\177\377", false, "\\177\\377" },
		{ "caf\303\251", false, "caf\303\251" },
		{ "cut\303", false, "cut\\303" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autobuf out = { 0 };
		autobuf back = { 0 };

		text_escape(&out, bytes_of(cases[i].foreign), cases[i].spaces);
		cr_expect_str_eq(out.data, cases[i].escaped);
		cr_expect(text_unescape(out.data, out.size, &back), "%s", out.data);
		cr_expect_str_eq(back.data, cases[i].foreign);
	}
}

Test(text, only_what_escaping_prints_is_unescaped)
{
	static const char *const bad[] = { "\\", "\\1", "\\12", "\\8", "\\999", "\\101",
		"\\x41", "a\\" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autobuf out = { 0 };

		cr_expect_not(text_unescape(bad[i], strlen(bad[i]), &out), "%s", bad[i]);
	}
}
