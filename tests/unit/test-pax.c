/* SPDX-License-Identifier: MIT */
/* Raw extended headers: times, names, attributes, and malformed records. */
#include <criterion/criterion.h>

#include "base/digest.h"
#include "build/pax.h"

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
}
TestSuite(pax, .init = init);

/* A record of at most 99 bytes, with its length in front. */
static void put(struct buf *out, const char *key, const char *value)
{
	size_t n = strlen(key) + strlen(value) + 5;

	n -= n < 11 ? 1 : 0;
	buf_addf(out, "%zu %s=%s\n", n, key, value);
}

Test(pax, counts_times_forward)
{
	static const struct {
		const char *text;
		int64_t seconds;
		long nano;
	} cases[] = {
		{ "0", 0, 0 },
		{ "1.5", 1, 500000000 },
		{ "-1.5", -2, 500000000 },
		{ "-0.5", -1, 500000000 },
		{ "-0.000000001", -1, 999999999 },
		{ "-1", -1, 0 },
		{ "-1.0", -1, 0 },
		{ "-0", 0, 0 },
		{ "1700000000.123456789", 1700000000, 123456789 },
		{ "1.1234567899", 1, 123456789 },
		{ "-1.1234567891", -2, 876543210 },
		{ "-1.0000000001", -2, 999999999 },
		{ "007.5", 7, 500000000 },
		{ "3.", 3, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct timespec t = { 0 };

		cr_assert(pax_time(bytes_of(cases[i].text), &t), "%s", cases[i].text);
		cr_assert_eq(t.tv_sec, cases[i].seconds, "%s", cases[i].text);
		cr_assert_eq(t.tv_nsec, cases[i].nano, "%s", cases[i].text);
	}
}

Test(pax, refuses_times_that_are_none)
{
	static const char *const cases[] = { "", "-", ".5", "-.5", "1e3", "+1", "--1",
		"1.x", "1.5 ", " 1", "99999999999999999999" };
	struct timespec t;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_not(pax_time(bytes_of(cases[i]), &t), "%s", cases[i]);
}

Test(pax, reads_names_as_bytes)
{
	autobuf text = { 0 };
	autopax p = { 0 };

	put(&text, "path", "caf\xe9\nx=y");
	put(&text, "linkpath", "\xff");
	put(&text, "GNU.sparse.name", "real");
	put(&text, "ctime", "whatever");
	put(&text, "mtime", "-1.5");
	cr_assert_eq(pax_read(buf_bytes(&text), &p, NULL), 0);
	cr_assert_str_eq(p.path, "caf\xe9\nx=y");
	cr_assert_str_eq(p.link, "\xff");
	cr_assert_str_eq(p.sparse_path, "real");
	cr_assert(p.has_mtime);
	cr_assert_eq(p.mtime.tv_sec, -2);
}

Test(pax, decodes_attributes_of_both_writers)
{
	autobuf text = { 0 };
	autopax p = { 0 };
	autoinode inode = { 0 };

	put(&text, "SCHILY.xattr.user.a%3Db%25c%41", "v\nw");
	put(&text, "LIBARCHIVE.xattr.user.d%20e", "dmFsdWU");
	put(&text, "SCHILY.xattr.user.same", "value");
	put(&text, "LIBARCHIVE.xattr.user.same", "dmFsdWU");
	put(&text, "LIBARCHIVE.xattr.user.none", "");
	cr_assert_eq(pax_read(buf_bytes(&text), &p, NULL), 0);
	cr_assert_eq(pax_apply(&p, &inode, NULL), 0);
	cr_assert_eq(inode.n_xattrs, 4);
	cr_assert_str_eq(inode.xattrs[0].name, "user.a=b%c%41");
	cr_assert_eq(inode.xattrs[0].size, 3);
	cr_assert_str_eq(inode.xattrs[1].name, "user.d e");
	cr_assert_eq(inode.xattrs[1].size, 5);
	cr_assert_eq(memcmp(inode.xattrs[1].value, "value", 5), 0);
	cr_assert_eq(inode.xattrs[3].size, 0);
}

Test(pax, prefers_raw_acls_and_adds_what_selinux_keeps)
{
	autobuf text = { 0 };
	autopax p = { 0 };
	autoinode inode = { 0 };

	put(&text, "SCHILY.xattr.system.posix_acl_access", "raw");
	put(&text, "SCHILY.acl.access", "user:lisa:rwx");
	put(&text, "SCHILY.acl.default", "user::rwx,group::r-x,other::r-x");
	put(&text, "RHT.security.selinux", "u:o:t:s0");
	cr_assert_eq(pax_read(buf_bytes(&text), &p, NULL), 0);
	cr_assert_eq(pax_apply(&p, &inode, NULL), 0);
	cr_assert_eq(inode.n_xattrs, 3);
	cr_assert_eq(inode.xattrs[0].size, 3);
	cr_assert_str_eq(inode.xattrs[1].name, "system.posix_acl_default");
	cr_assert_eq(inode.xattrs[1].size, 28);
	cr_assert_str_eq(inode.xattrs[2].name, "security.selinux");
	cr_assert_eq(inode.xattrs[2].size, 9);
}

Test(pax, refuses_malformed_records)
{
	static const char *const cases[] = { "x", "5", "0 a=b\n", "6 a=b\n\n", "7 a=b\n",
		"5 a=b\n", "06 a=b\n", "6 abb\n", "3 \n", "-6 a=b\n",
		"99999999999999999999 a=b\n" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = { 0 };
		autopax p = { 0 };

		cr_assert_eq(
			pax_read(bytes_of(cases[i]), &p, &e), E_INPUT, "%s", cases[i]);
		cr_assert_not_null(
			strstr(e.text, "malformed extended header"), "%s", e.text);
	}
}

Test(pax, refuses_records_no_release_can_hold)
{
	static const struct {
		const char *key;
		const char *value;
		const char *why;
	} cases[] = {
		{ "SCHILY.xattr.security.evm", "x", "not part of a release" },
		{ "SCHILY.xattr.user.", "x", "not part of a release" },
		{ "LIBARCHIVE.xattr.user.a%00b", "eA", "NUL" },
		{ "LIBARCHIVE.xattr.user.a", "!", "base64" },
		{ "SCHILY.acl.ace", "x", "NFSv4" },
		{ "mtime", "soon", "malformed time \"soon\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = { 0 };
		autobuf text = { 0 };
		autopax p = { 0 };

		put(&text, cases[i].key, cases[i].value);
		cr_assert_eq(
			pax_read(buf_bytes(&text), &p, &e), E_INPUT, "%s", cases[i].key);
		cr_assert_not_null(strstr(e.text, cases[i].why), "%s", e.text);
	}
}

Test(pax, refuses_an_attribute_with_two_values)
{
	struct error e = { 0 };
	autobuf text = { 0 };
	autopax p = { 0 };

	put(&text, "SCHILY.xattr.user.a", "1");
	put(&text, "SCHILY.xattr.user.a", "2");
	cr_assert_eq(pax_read(buf_bytes(&text), &p, &e), E_INPUT);
	cr_assert_not_null(strstr(e.text, "stands twice"), "%s", e.text);
}

Test(pax, refuses_a_name_with_a_nul)
{
	static const unsigned char record[] = "11 path=a\0b\n";
	struct error e = { 0 };
	autopax p = { 0 };

	cr_assert_eq(
		pax_read((struct bytes){ record, 12 }, &p, &e), E_INPUT, "%s", e.text);
	buf_reset(&p.selinux);
}

Test(pax, lets_global_headers_only_comment)
{
	struct error e = { 0 };
	autobuf text = { 0 };

	put(&text, "comment", "made by hand");
	cr_assert_eq(pax_check_global(buf_bytes(&text), &e), 0);
	put(&text, "uid", "0");
	cr_assert_eq(pax_check_global(buf_bytes(&text), &e), E_INPUT);
	cr_assert_not_null(strstr(e.text, "\"uid\""), "%s", e.text);
}
