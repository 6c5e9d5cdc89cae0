/* SPDX-License-Identifier: MIT */
/* ACL text to raw attributes and back: what tars carry, and what must be refused. */
#include <criterion/criterion.h>

#include "base/digest.h"
#include "base/text.h"
#include "build/acl.h"

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
}
TestSuite(acl, .init = init);

#define NONE	 "ffffffff"
#define BASE_ACL "0200000001000700" NONE "04000500" NONE "20000000" NONE

static void convert(const char *text, bool access, struct buf *hex)
{
	struct error e = { 0 };
	autobuf raw = { 0 };

	cr_assert_eq(acl_from_text(bytes_of(text), access, &raw, &e), 0, "%s: %s", text,
		e.text);
	buf_reserve(hex, raw.size * 2 + 1);
	text_hex(buf_bytes(&raw), hex->data);
	hex->size = raw.size * 2;
}

Test(acl, makes_what_the_kernel_keeps)
{
	static const struct {
		const char *text;
		bool access;
		const char *hex;
	} cases[] = {
		{ "user::rwx,group::r-x,other::---", false, BASE_ACL },
		{ "user::rwx,group::r-x,other::---", true, "" },
		{ "", true, "" },
		{ "\n", false, "" },
		{ "user::rw-\nuser:1000:r--\ngroup::r--\nmask::rw-\nother::---\n", true,
			"0200000001000600" NONE "02000400e8030000"
			"04000400" NONE "10000600" NONE "20000000" NONE },
		/* libarchive: a name, and the number at the end */
		{ "user::rwx,user:lisa:r-x:502,group::r-x,mask::r-x,other::r-x", true,
			"0200000001000700" NONE "02000500f6010000"
			"04000500" NONE "10000500" NONE "20000500" NONE },
		/* setfacl's comments, blanks, one letter, no qualifier, any order */
		{ "o:r-x, m:rwx,g:4294967294:rwx #effective:r--,u::rwx,g::---", true,
			"0200000001000700" NONE "04000000" NONE
			"08000700feffffff10000700" NONE "20000500" NONE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autobuf hex = { 0 };

		convert(cases[i].text, cases[i].access, &hex);
		cr_assert_str_eq(hex.data, cases[i].hex, "%s", cases[i].text);
	}
}

Test(acl, sorts_named_entries_by_number)
{
	autobuf one = { 0 };
	autobuf two = { 0 };

	convert("user::r--,user:7:r--,user:3:-w-,group::r--,mask::r--,other::r--", true,
		&one);
	convert("user:3:-w-,other::r--,mask::r--,user:7:r--,group::r--,user::r--", true,
		&two);
	cr_assert_str_eq(one.data, two.data);
}

Test(acl, refuses_what_it_cannot_say)
{
	static const struct {
		const char *text;
		const char *why;
	} cases[] = {
		{ "user::rwx,user:lisa:r-x,group::r-x,mask::r-x,other::r-x",
			"a name without a number" },
		{ "user::rwx,user:4294967295:r-x,group::r-x,mask::r-x,other::r-x",
			"a name without a number" },
		{ "user::rwx,group::r-x", "without user::, group:: or other::" },
		{ "user::rwx,user:1:r-x,group::r-x,other::r-x", "without mask::" },
		{ "user::rwx,user::r-x,group::r-x,other::r-x", "twice" },
		{ "user::rwx,user:1:r--,user:1:r--,group::r-x,mask::r--,other::r-x",
			"twice" },
		{ "user::rwxx,group::r-x,other::r-x", "malformed permissions" },
		{ "user::xwr,group::r-x,other::r-x", "malformed permissions" },
		{ "user:rwx,group::r-x,other::r-x", "malformed permissions" },
		{ "owner@:rwx::allow", "unknown tag" },
		{ "mask:5:rwx", "unknown tag" },
		{ "mask::rwx:5", "an id where none belongs" },
		{ "user", "not \"tag:qualifier:permissions\"" },
		{ "user:1:rwx:1:x", "not \"tag:qualifier:permissions\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = { 0 };
		autobuf raw = { 0 };

		cr_assert_eq(acl_from_text(bytes_of(cases[i].text), true, &raw, &e),
			E_INPUT, "%s", cases[i].text);
		cr_assert_not_null(
			strstr(e.text, cases[i].why), "%s: %s", cases[i].text, e.text);
		cr_assert_eq(raw.size, 0);
	}
}

Test(acl, refuses_more_entries_than_anyone_has)
{
	struct error e = { 0 };
	autobuf text = { 0 };
	autobuf raw = { 0 };

	for (unsigned i = 0; i < 5000; i++)
		buf_addf(&text, "user:%u:r--\n", i);
	cr_assert_eq(acl_from_text(buf_bytes(&text), true, &raw, &e), E_INPUT);
	cr_assert_not_null(strstr(e.text, "more than"), "%s", e.text);
}

Test(acl, prints_what_it_reads)
{
	static const char text[] = "user::rw-,user:0:r--,user:4294967294:rwx,group::r--,"
				   "group:5:--x,mask::rwx,other::---";
	autobuf raw = { 0 };
	autobuf again = { 0 };

	cr_assert_eq(acl_from_text(bytes_of(text), true, &raw, NULL), 0);
	cr_assert(acl_to_text(buf_bytes(&raw), &again));
	cr_assert_str_eq(again.data, text);
}

Test(acl, prints_only_version_2)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{ "", 0 },
		{ "\2\0\0", 3 },
		{ "\1\0\0\0", 4 },
		{ "\2\0\0\0\1\0\7\0", 8 },
		{ "\2\0\0\0\3\0\7\0\377\377\377\377", 12 },
		{ "\2\0\0\0\1\0\10\0\377\377\377\377", 12 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autobuf out = { 0 };

		cr_assert_not(
			acl_to_text((struct bytes){ (const unsigned char *)cases[i].bytes,
					    cases[i].size },
				&out));
	}
}
