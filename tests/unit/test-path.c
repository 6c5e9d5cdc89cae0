/* SPDX-License-Identifier: MIT */
/* Paths of a release: validity, order, reserved names, what git could misread. */
#include <criterion/criterion.h>

#include "manifest/path.h"

Test(path, is_relative_with_plain_components)
{
	static const struct {
		const char *path;
		bool good;
	} cases[] = {
		{ ".", true },
		{ "a", true },
		{ "usr/bin/sh", true },
		{ "...", true },
		{ ".a", true },
		{ "a b\n\377\\", true },
		{ "", false },
		{ "/", false },
		{ "/a", false },
		{ "a/", false },
		{ "a//b", false },
		{ "..", false },
		{ "a/..", false },
		{ "../a", false },
		{ "a/./b", false },
		{ "./a", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(path_fault(cases[i].path, strlen(cases[i].path)) == NULL,
			cases[i].good, "\"%s\"", cases[i].path);
	cr_expect_not_null(path_fault("a\0b", 3));
}

Test(path, has_limits)
{
	static char text[5000];

	memset(text, 'x', sizeof(text));
	cr_assert_null(path_fault(text, 255));
	cr_assert_not_null(path_fault(text, 256));
	for (size_t i = 100; i < sizeof(text); i += 100)
		text[i] = '/';
	cr_assert_null(path_fault(text, 4095));
	cr_assert_not_null(path_fault(text, 4096));
}

/* Each before the next: a directory's contents follow it at once. */
Test(path, order_puts_contents_after_their_directory)
{
	static const char *const sorted[] = { ".", "a", "a/b", "a/b/c", "a/z", "a\001",
		"a ", "a!", "a-b", "a.b", "a0", "aa", "b", "\177", "\200", "\377" };
	size_t n = sizeof(sorted) / sizeof(sorted[0]);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			int order = path_compare(sorted[i], sorted[k]);

			cr_expect_eq((order > 0) - (order < 0), (i > k) - (i < k),
				"\"%s\" \"%s\"", sorted[i], sorted[k]);
		}
}

Test(path, lies_within_directories_not_within_prefixes)
{
	cr_assert(path_within("a/b", "a"));
	cr_assert(path_within("a", "a"));
	cr_assert(path_within("a", "."));
	cr_assert_not(path_within("ab", "a"));
	cr_assert_not(path_within("a", "a/b"));
}

Test(path, reserved_names_are_osupdates_own)
{
	cr_assert(path_is_reserved("usr/lib/osupdate/manifest"));
	cr_assert(path_is_reserved("usr/lib/osupdate/release"));
	cr_assert(path_is_reserved("usr/lib/osupdate/blobs"));
	cr_assert(path_is_reserved("usr/lib/osupdate/blobs/ab/cd"));
	cr_assert_not(path_is_reserved("usr/lib/osupdate"));
	cr_assert_not(path_is_reserved("usr/lib/osupdate/local"));
	cr_assert_not(path_is_reserved("usr/lib/osupdate/manifests"));
	cr_assert_not(path_is_reserved("usr/lib/osupdate/manifest/x"));
}

/* NTFS short names, HFS+ ignorable code points, backslashes: git's fsck knows them all.
 */
Test(path, what_git_could_misread_is_escaped)
{
	static const char *const escaped[] = { ".git", ".GIT", ".Git/config", "a/.git",
		".gitmodules", ".gitattributes", "a/b/.gitignore", ".git ", ".git.",
		".git::$INDEX", ".gitfoo", ".mailmap", ".MailMap", "git~1", "GIT~2/x",
		"gitmod~1", "GITATT~9", "gitign~1", "mailma~1", "gi7eba~1", "GI7D29~1",
		"ma30f0~1", "x\\.git\\config", "a\\git~1", ".g\342\200\214it",
		"\357\273\277.git", ".gi\342\201\257t", ".\342\200\256git",
		"\342\200\215.gitmodules" };
	static const char *const plain[] = { ".", "git", "a/git", "gitk", ".gi", ".gi/t",
		"x.git", "git~", "a.git/config", "gizzzz~1", "gi7eb~1", "mailmap", "ma",
		"gitmodules", ".g\342\202\254it", "usr/lib/git-core" };

	for (size_t i = 0; i < sizeof(escaped) / sizeof(escaped[0]); i++)
		cr_expect(path_is_escaped(escaped[i]), "\"%s\"", escaped[i]);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcmp(plain[i], "git~") != 0)
			cr_expect_not(path_is_escaped(plain[i]), "\"%s\"", plain[i]);
	cr_expect(path_is_escaped("git~")); /* more than needed, and costs nothing */
}

Test(path, contents_of_escaped_paths_stand_below_blobs)
{
	char out[PATH_BLOB_MAX];
	struct digest d;

	memset(&d, 0xab, sizeof(d));
	path_blob(&d, out);
	cr_assert_eq(strncmp(out, "usr/lib/osupdate/blobs/ab/abab", 30), 0);
	cr_assert_eq(strlen(out), strlen("usr/lib/osupdate/blobs/ab/") + 64);
}
