/* SPDX-License-Identifier: MIT */
/* What differs between two manifests. */
#include <criterion/criterion.h>

#include "manifest/diff.h"

#define HEAD "osupdate-manifest 1\nd 0755 0 0 0.000000000 - - .\n"
#define DA   "aa112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define DB   "bb112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
}

TestSuite(diff, .init = init);

static int each(void *ctx, const struct change *c, struct error *e)
{
	struct buf *out = ctx;

	(void)e;
	if (!c->a)
		buf_addf(out, "+%s ", c->b->path);
	else if (!c->b)
		buf_addf(out, "-%s ", c->a->path);
	else
		buf_addf(out, "%s:%u ", c->b->path, c->flags);
	return 0;
}

static void expect(const char *a, const char *b, const char *changes)
{
	autofree char *x = xasprintf(HEAD "%s", a);
	autofree char *y = xasprintf(HEAD "%s", b);
	struct error e = { 0 };
	autobuf out = { 0 };

	cr_expect_eq(
		manifest_diff(bytes_of(x), bytes_of(y), each, &out, &e), 0, "%s", e.text);
	cr_expect_str_eq(out.data ? out.data : "", changes);
}

#define F(mode, uid, time, digest, path)                                                 \
	"f " mode " " uid " 0 " time ".000000000 1 " digest " " path "\n"

Test(diff, equal_is_nothing)
{
	expect(F("0644", "0", "1", DA, "f"), F("0644", "0", "1", DA, "f"), "");
}

Test(diff, added_and_removed_come_in_order)
{
	expect("d 0755 0 0 0.000000000 - - a\n" F("0644", "0", "1", DA, "a/x")
			F("0644", "0", "1", DA, "c"),
		F("0644", "0", "1", DA, "b") F("0644", "0", "1", DA, "c"), "-a -a/x +b ");
}

Test(diff, every_change_has_its_flag)
{
	const char *f = F("0644", "0", "1", DA, "f");
	static const struct {
		const char *to;
		unsigned flags;
	} cases[] = {
		{ F("0644", "0", "1", DB, "f"), CHANGE_CONTENT },
		{ F("0755", "0", "1", DA, "f"), CHANGE_MODE },
		{ F("0644", "7", "1", DA, "f"), CHANGE_OWNER },
		{ F("0644", "0", "2", DA, "f"), CHANGE_MTIME },
		{ F("0644", "0", "1", DA, "f") "= user.a Zg==\n", CHANGE_XATTR },
		{ F("4755", "7", "2", DB, "f"),
			CHANGE_CONTENT | CHANGE_MODE | CHANGE_OWNER | CHANGE_MTIME },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autofree char *text = xasprintf("f:%u ", cases[i].flags);

		expect(f, cases[i].to, text);
	}
}

Test(diff, a_type_is_a_change_of_its_own)
{
	autobuf out = { 0 };
	const char *a = HEAD F("0644", "0", "1", DA, "f");
	const char *b = HEAD "l 0777 0 0 1.000000000 - t f\n";

	cr_assert_eq(manifest_diff(bytes_of(a), bytes_of(b), each, &out, NULL), 0);
	cr_assert_eq(strncmp(out.data, "f:", 2), 0);
	cr_assert(atoi(out.data + 2) & CHANGE_TYPE);
}

Test(diff, targets_and_device_numbers_are_contents)
{
	expect("l 0777 0 0 1.000000000 - t x\n", "l 0777 0 0 1.000000000 - u x\n",
		"x:2 ");
	expect("c 0600 0 0 1.000000000 - 1:3 x\n", "c 0600 0 0 1.000000000 - 1:5 x\n",
		"x:2 ");
}

Test(diff, a_broken_manifest_is_an_error)
{
	autobuf out = { 0 };
	struct error e = { 0 };

	cr_assert_eq(
		manifest_diff(bytes_of(HEAD), bytes_of("junk"), each, &out, &e), E_INPUT);
}
