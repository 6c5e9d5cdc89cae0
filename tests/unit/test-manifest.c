/* SPDX-License-Identifier: MIT */
/* The manifest: one canonical form; everything else is refused with line and path. */
#include <criterion/criterion.h>

#include "manifest/manifest.h"

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
}

TestSuite(manifest, .init = init);

#define HEAD "osupdate-manifest 1\n"
#define ROOT "d 0755 0 0 0.000000000 - - .\n"
#define D64  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OWN                                                                              \
	"d 0755 0 0 0.000000000 - - usr\nd 0755 0 0 0.000000000 - - usr/lib\n"           \
	"d 0755 0 0 0.000000000 - - usr/lib/osupdate\n"

static const char every_type[] =
	HEAD ROOT "d 0755 0 0 1700000000.000000000 - - dev\n"
		  "c 0666 0 0 -1.500000000 - 1:3 dev/null\n"
		  "b 0660 0 6 0.000000000 - 4095:1048575 dev/sda\n"
		  "p 0600 1 2 9007199254740992.999999999 - - dev/pipe\\040\\012\n"
		  "f 4755 4294967294 4294967294 1700000000.123456789 3 " D64 " file\n"
		  "= security.capability AQAAAgAgAAAAAAAAAAAAAAAAAAA=\n"
		  "= user.empty -\n"
		  "= user.na\\040me Zg==\n"
		  "h - - - - - file file2\n"
		  "f 0644 0 0 0.000000000 16777217 " D64 " large\n"
		  "+ 16777216 " D64 "\n"
		  "+ 1 " D64 "\n"
		  "= user.x Zg==\n"
		  "l 0777 0 0 0.000000000 - ../a\\040b link\n"
		  "h - - - - - link link2\n" OWN;

/* The fields are sorted here as the reader wants them, so that cases stay readable. */
static int read_all(const char *text, struct buf *out, struct error *e)
{
	autoreader r = manifest_reader_new(bytes_of(text));
	struct entry entry;
	int got;

	buf_adds(out, MANIFEST_HEADER);
	while ((got = manifest_next(r, &entry, e)) > 0)
		entry_print(&entry, out);
	return got;
}

/* dev/pipe must come before dev/sda: build the text in order. */
static char *ordered(void)
{
	autofree char *pipe = NULL;
	struct buf out = { 0 };
	const char *sda = strstr(every_type, "b 0660");
	const char *fifo = strstr(every_type, "p 0600");
	const char *file = strstr(every_type, "f 4755");
	const char *null = strstr(every_type, "c 0666");

	buf_add(&out, every_type, (size_t)(null - every_type));
	buf_add(&out, null, (size_t)(sda - null));
	pipe = xstrndup(fifo, (size_t)(file - fifo));
	buf_adds(&out, pipe);
	buf_add(&out, sda, (size_t)(fifo - sda));
	buf_adds(&out, file);
	return buf_take(&out);
}

Test(manifest, what_is_read_prints_the_same)
{
	autofree char *text = ordered();
	struct error e = { 0 };
	autobuf out = { 0 };

	cr_assert_eq(read_all(text, &out, &e), 0, "%s", e.text);
	cr_assert_str_eq(out.data, text);
}

Test(manifest, is_summed_up)
{
	autofree char *text = ordered();
	struct manifest_sums sums;
	struct error e = { 0 };

	cr_assert_eq(manifest_check(bytes_of(text), &sums, &e), 0, "%s", e.text);
	cr_assert_eq(sums.entries, 13);
	cr_assert_eq(sums.inodes, 11);
	cr_assert_eq(sums.directories, 5);
	cr_assert_eq(sums.file_bytes, 3 + 16777217);
}

Test(manifest, entries_are_found_again)
{
	autofree char *text = ordered();
	autoreader r = manifest_reader_new(bytes_of(text));
	autoreader at = manifest_reader_new(bytes_of(text));
	struct entry entry;
	struct entry again;

	cr_assert_eq(manifest_find(r, "large", &entry, NULL), 1);
	cr_assert_eq(entry.n_pieces, 2);
	cr_assert_eq(entry.n_xattrs, 1);
	cr_assert_eq(manifest_at(at, manifest_offset(r), &again, NULL), 0);
	cr_assert_str_eq(again.path, "large");
	cr_assert_eq(again.pieces[1].size, 1);
	cr_assert_eq(manifest_at(at, 1 << 20, &again, NULL), E_INPUT);
	manifest_reader_free(r);
	r = manifest_reader_new(bytes_of(text));
	cr_assert_eq(manifest_find(r, "nowhere", &entry, NULL), 0);
	cr_assert_eq(manifest_find(r, ".", &entry, NULL), 1);
	cr_assert_eq(entry.type, ENTRY_DIR);
	cr_assert_eq(manifest_find(r, "", &entry, NULL), 0);
}

Test(manifest, names_are_found_as_they_are_written)
{
	static const char text[] =
		MANIFEST_HEADER "d 0755 0 0 1.000000000 - - .\n"
				"l 0777 0 0 1.000000000 - one 1\n"
				"l 0777 0 0 1.000000000 - b a\n"
				"l 0777 0 0 1.000000000 - x\\040b a\\040b\n"
				"= user.b YQ==\n"
				"l 0777 0 0 1.000000000 - x b\n";
	autoreader r = manifest_reader_new(bytes_of(text));
	struct entry entry;

	cr_assert_eq(manifest_find(r, "a b", &entry, NULL), 1);
	cr_assert_str_eq(entry.target, "x b");
	cr_assert_eq(manifest_find(r, "b", &entry, NULL), 1);
	cr_assert_str_eq(entry.target, "x");
	cr_assert_eq(manifest_find(r, "YQ==", &entry, NULL), 0);
	/* The first line, which is no entry's, ends so, too. */
	cr_assert_eq(manifest_find(r, "1", &entry, NULL), 1);
	cr_assert_str_eq(entry.target, "one");
}

static const struct {
	const char *why;
	const char *text;
} bad[] = {
	{ "empty", "" },
	{ "another version", "osupdate-manifest 2\n" ROOT },
	{ "CR in the header", "osupdate-manifest 1\r\n" ROOT },
	{ "no entries", HEAD },
	{ "no root", HEAD "d 0755 0 0 0.000000000 - - a\n" },
	{ "root is a file", HEAD "f 0755 0 0 0.000000000 0 " D64 " .\n" },
	{ "root twice", HEAD ROOT ROOT },
	{ "no newline at the end", HEAD "d 0755 0 0 0.000000000 - - ." },
	{ "CR", HEAD "d 0755 0 0 0.000000000 - - .\r\n" },
	{ "unknown type", HEAD ROOT "s 0755 0 0 0.000000000 - - a\n" },
	{ "two spaces", HEAD ROOT "d 0755  0 0 0.000000000 - - a\n" },
	{ "leading space", HEAD ROOT " d 0755 0 0 0.000000000 - - a\n" },
	{ "trailing space", HEAD ROOT "d 0755 0 0 0.000000000 - - a \n" },
	{ "field missing", HEAD ROOT "d 0755 0 0 0.000000000 - a\n" },
	{ "field too many", HEAD ROOT "d 0755 0 0 0.000000000 - - a b\n" },
	{ "empty line", HEAD ROOT "\n" },
	{ "mode of three digits", HEAD ROOT "d 755 0 0 0.000000000 - - a\n" },
	{ "mode with 8", HEAD ROOT "d 0788 0 0 0.000000000 - - a\n" },
	{ "mode of a link", HEAD ROOT "l 0755 0 0 0.000000000 - t a\n" },
	{ "leading zero in uid", HEAD ROOT "d 0755 00 0 0.000000000 - - a\n" },
	{ "uid -1", HEAD ROOT "d 0755 4294967295 0 0.000000000 - - a\n" },
	{ "negative gid", HEAD ROOT "d 0755 0 -1 0.000000000 - - a\n" },
	{ "mtime without nanoseconds", HEAD ROOT "d 0755 0 0 0 - - a\n" },
	{ "mtime with eight digits", HEAD ROOT "d 0755 0 0 0.00000000 - - a\n" },
	{ "mtime minus zero", HEAD ROOT "d 0755 0 0 -0.000000000 - - a\n" },
	{ "mtime leading zero", HEAD ROOT "d 0755 0 0 01.000000000 - - a\n" },
	{ "directory with a size", HEAD ROOT "d 0755 0 0 0.000000000 0 - a\n" },
	{ "directory with a reference", HEAD ROOT "d 0755 0 0 0.000000000 - x a\n" },
	{ "file without a size", HEAD ROOT "f 0755 0 0 0.000000000 - " D64 " a\n" },
	{ "file without a digest", HEAD ROOT "f 0755 0 0 0.000000000 1 - a\n" },
	{ "digest in capitals", HEAD ROOT "f 0755 0 0 0.000000000 1 AA" D64 " a\n" },
	{ "device without a number", HEAD ROOT "c 0600 0 0 0.000000000 - - a\n" },
	{ "major too large", HEAD ROOT "c 0600 0 0 0.000000000 - 4096:0 a\n" },
	{ "minor too large", HEAD ROOT "c 0600 0 0 0.000000000 - 1:1048576 a\n" },
	{ "absolute path", HEAD ROOT "d 0755 0 0 0.000000000 - - /a\n" },
	{ "dots", HEAD ROOT "d 0755 0 0 0.000000000 - - ..\n" },
	{ "dots below", HEAD ROOT "d 0755 0 0 0.000000000 - - a\n"
				  "d 0755 0 0 0.000000000 - - a/..\n" },
	{ "empty component", HEAD ROOT "d 0755 0 0 0.000000000 - - a\n"
				       "d 0755 0 0 0.000000000 - - a//b\n" },
	{ "duplicate", HEAD ROOT
		"d 0755 0 0 0.000000000 - - a\nd 0755 0 0 0.000000000 - - a\n" },
	{ "order", HEAD ROOT
		"d 0755 0 0 0.000000000 - - b\nd 0755 0 0 0.000000000 - - a\n" },
	{ "child before its sibling's contents", HEAD ROOT
		"d 0755 0 0 0.000000000 - - a\n"
		"d 0755 0 0 0.000000000 - - a-b\nd 0755 0 0 0.000000000 - - a/b\n" },
	{ "child of nothing", HEAD ROOT "d 0755 0 0 0.000000000 - - a/b\n" },
	{ "child of a link", HEAD ROOT "l 0777 0 0 0.000000000 - t a\n"
				       "d 0755 0 0 0.000000000 - - a/b\n" },
	{ "unescaped backslash", HEAD ROOT "d 0755 0 0 0.000000000 - - a\\b\n" },
	{ "escape of a letter", HEAD ROOT "d 0755 0 0 0.000000000 - - \\141\n" },
	{ "escape of two digits", HEAD ROOT "d 0755 0 0 0.000000000 - - a\\04\n" },
	{ "escaped NUL", HEAD ROOT "d 0755 0 0 0.000000000 - - a\\000\n" },
	{ "raw tab", HEAD ROOT "d 0755 0 0 0.000000000 - - a\tb\n" },
	{ "raw DEL", HEAD ROOT "d 0755 0 0 0.000000000 - - a\177\n" },
	{ "reserved name", HEAD ROOT OWN "f 0644 0 0 0.000000000 0 " D64
					 " usr/lib/osupdate/manifest\n" },
	{ "xattr of nothing", HEAD "= user.a Zg==\n" ROOT },
	{ "xattr that is not allowed", HEAD ROOT "= security.evil Zg==\n" },
	{ "xattr without a namespace", HEAD ROOT "= a Zg==\n" },
	{ "xattr order", HEAD ROOT "= user.b Zg==\n= user.a Zg==\n" },
	{ "xattr twice", HEAD ROOT "= user.a Zg==\n= user.a Zg==\n" },
	{ "xattr base64", HEAD ROOT "= user.a Zg=\n" },
	{ "xattr with unused bits", HEAD ROOT "= user.a Zh==\n" },
	{ "xattr with an empty value", HEAD ROOT "= user.a \n" },
	{ "xattr of a hard link", HEAD ROOT "f 0600 0 0 0.000000000 0 " D64
					    " a\nh - - - - - a b\n= user.a Zg==\n" },
	{ "hard link with a mode",
		HEAD ROOT "f 0600 0 0 0.000000000 0 " D64 " a\nh 0600 - - - - a b\n" },
	{ "pieces of a small file",
		HEAD ROOT "f 0600 0 0 0.000000000 1 " D64 " a\n+ 1 " D64 "\n" },
	{ "large file without pieces",
		HEAD ROOT "f 0600 0 0 0.000000000 16777217 " D64 " a\n" },
	{ "pieces that do not add up", HEAD ROOT "f 0600 0 0 0.000000000 16777217 " D64
						 " a\n+ 16777216 " D64 "\n" },
	{ "pieces that are too many",
		HEAD ROOT "f 0600 0 0 0.000000000 16777217 " D64 " a\n+ 16777216 " D64
			  "\n+ 1 " D64 "\n+ 1 " D64 "\n" },
	{ "piece that is too large", HEAD ROOT "f 0600 0 0 0.000000000 16777217 " D64
					       " a\n+ 16777217 " D64 "\n" },
	{ "piece of nothing",
		HEAD ROOT "f 0600 0 0 0.000000000 16777217 " D64 " a\n+ 0 " D64
			  "\n+ 16777216 " D64 "\n+ 1 " D64 "\n" },
	{ "piece after an xattr",
		HEAD ROOT "f 0600 0 0 0.000000000 16777217 " D64
			  " a\n= user.a Zg==\n+ 16777216 " D64 "\n+ 1 " D64 "\n" },
};

Test(manifest, anything_the_printer_would_not_print_is_refused)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error e = { 0 };
		autobuf out = { 0 };

		cr_expect_eq(read_all(bad[i].text, &out, &e), E_INPUT, "%s", bad[i].why);
		cr_expect(strstr(e.text, "manifest"), "%s: %s", bad[i].why, e.text);
	}
}

Test(manifest, a_cut_manifest_is_never_taken_for_a_whole_line)
{
	autofree char *text = ordered();
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++) {
		autofree char *part = xstrndup(text, i);
		autobuf out = { 0 };
		int r = read_all(part, &out, NULL);

		/* A cut at the end of a line may give a shorter, but canonical manifest.
		 */
		cr_expect(r == E_INPUT ||
				  (text[i - 1] == '\n' && strcmp(out.data, part) == 0),
			"%zu bytes", i);
	}
}

Test(manifest, no_manifest_has_no_lines)
{
	struct bytes none = { 0 };
	struct bytes line;
	size_t at = 0;

	cr_assert_not(manifest_line(none, &at, &line));
}

Test(manifest, faults_are_told_with_line_and_path)
{
	struct error e = { 0 };
	autobuf out = { 0 };

	cr_assert_eq(read_all(HEAD ROOT "d 0755 0 0 0.000000000 - - a/b\n", &out, &e),
		E_INPUT);
	cr_assert(strstr(e.text, "line 3"), "%s", e.text);
	cr_assert(strstr(e.text, "a/b"), "%s", e.text);
}

static const struct {
	const char *why;
	const char *text;
} unwhole[] = {
	{ "no osupdate directory", HEAD ROOT },
	{ "hard link to nothing", HEAD ROOT "h - - - - - a b\n" OWN },
	{ "hard link to a later name",
		HEAD ROOT "h - - - - - b a\nf 0600 0 0 0.000000000 0 " D64 " b\n" OWN },
	{ "hard link to itself", HEAD ROOT "h - - - - - a a\n" OWN },
	{ "hard link to a directory",
		HEAD ROOT "d 0755 0 0 0.000000000 - - a\nh - - - - - a b\n" OWN },
	{ "hard link to a hard link",
		HEAD ROOT "f 0600 0 0 0.000000000 0 " D64
			  " a\nh - - - - - a b\nh - - - - - b c\n" OWN },
};

Test(manifest, the_whole_is_checked_for_what_a_stream_cannot_see)
{
	for (size_t i = 0; i < sizeof(unwhole) / sizeof(unwhole[0]); i++) {
		struct manifest_sums sums;
		struct error e = { 0 };

		cr_expect_eq(manifest_check(bytes_of(unwhole[i].text), &sums, &e),
			E_INPUT, "%s", unwhole[i].why);
	}
}

Test(manifest, attributes_that_belong_into_a_release)
{
	static const char *const good[] = { "user.a", "trusted.overlay",
		"security.capability", "security.selinux", "security.ima",
		"system.posix_acl_access", "system.posix_acl_default" };
	static const char *const evil[] = { "user.", "user", "", "security.evm",
		"system.nfs4_acl", "btrfs.x", "security.apparmor",
		"system.posix_acl_other" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect_null(xattr_fault(good[i]), "%s", good[i]);
	for (size_t i = 0; i < sizeof(evil) / sizeof(evil[0]); i++)
		cr_expect_not_null(xattr_fault(evil[i]), "%s", evil[i]);
}
