/* SPDX-License-Identifier: MIT */
/* What somebody else could have put there, or in the way, is refused. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/trusted.h"
#include "scratch.h"

#define NOBODY 65534

static void enter(void)
{
	scratch_enter();
	cr_assert_eq(mkdir("a", 0755), 0);
	cr_assert_eq(mkdir("a/b", 0755), 0);
	scratch_put("a/b/f", bytes_of("text"));
	cr_assert_eq(symlink("a/b/f", "relative"), 0);
	cr_assert_eq(symlink("../../relative", "a/b/up"), 0);
	cr_assert_eq(symlink(scratch_dir, "absolute"), 0);
	cr_assert_eq(symlink("loop", "loop"), 0);
	cr_assert_eq(symlink("nothing", "dangling"), 0);
}

TestSuite(trusted, .init = enter, .fini = scratch_leave);

static int try(const char *path, struct error *e)
{
	autobuf text = { 0 };
	int r = trusted_read(path, 100, &text, e);

	cr_expect(r < 0 || (text.size == 4 && memcmp(text.data, "text", 4) == 0), "%s",
		path);
	return r;
}

Test(trusted, opens_what_is_root_s_alone)
{
	static const char *const paths[] = { "a/b/f", "./a//b/../b/f", "relative",
		"a/b/up", "absolute/a/b/f", "absolute/a/b/up" };
	autofree char *whole = xasprintf("%s/a/b/f", scratch_dir);
	struct error e;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		cr_expect_eq(try(paths[i], &e), 0, "%s: %s", paths[i], e.text);
	cr_expect_eq(try(whole, &e), 0, "%s", e.text);
}

Test(trusted, takes_a_directory_where_one_is_asked_for)
{
	autofd fd = -1;
	autofd root = -1;
	struct error e;

	cr_expect_eq(trusted_open("a/b/", O_RDONLY | O_DIRECTORY, &fd, &e), 0);
	cr_expect_eq(faccessat(fd, "f", F_OK, 0), 0);
	cr_expect_eq(trusted_open("/", O_RDONLY | O_DIRECTORY, &root, &e), E_INPUT);
}

Test(trusted, names_what_is_at_fault)
{
	static const struct {
		const char *at;
		uid_t uid;
		mode_t mode;
		const char *path;
		const char *text;
	} cases[] = {
		{ "a/b/f", NOBODY, 0644, "a/b/f", "/a/b/f: belongs to uid 65534" },
		{ "a/b/f", 0, 0664, "a/b/f", "/a/b/f: writable by group" },
		{ "a/b", 0, 0775, "a/b/f", "/a/b/: writable by group" },
		{ "a/b", NOBODY, 0755, "a/b/f", "/a/b/: belongs to" },
		{ "a", NOBODY, 0755, "a/b/f", "/a/: belongs to" },
		{ "a", 0, 0757, "relative", "/a/: writable by group" },
		{ "a", NOBODY, 01755, "a/b/f", "/a/: belongs to" },
		{ "a", NOBODY, 0755, "absolute/a/b/f", "/a/: belongs to" },
		{ "a", NOBODY, 0755, "a/b/../../relative", "/a/: belongs to" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = { 0 };

		cr_assert_eq(chown(cases[i].at, cases[i].uid, 0), 0);
		cr_assert_eq(chmod(cases[i].at, cases[i].mode), 0);
		cr_expect_eq(
			try(cases[i].path, &e), E_UNTRUSTED, "case %zu: %s", i, e.text);
		cr_expect(strstr(e.text, cases[i].text), "case %zu: %s", i, e.text);
		cr_assert_eq(chown(cases[i].at, 0, 0), 0);
		cr_assert_eq(chmod(cases[i].at, 0755), 0);
		cr_expect_eq(try(cases[i].path, &e), 0, "case %zu: %s", i, e.text);
	}
}

Test(trusted, a_sticky_directory_of_root_keeps_what_is_root_s)
{
	struct error e = { 0 };

	cr_assert_eq(chmod("a", 01777), 0);
	cr_expect_eq(try("a/b/f", &e), 0, "%s", e.text);
	cr_assert_eq(chown("a/b", NOBODY, 0), 0);
	cr_expect_eq(try("a/b/f", &e), E_UNTRUSTED);
}

Test(trusted, refuses_the_links_of_others)
{
	struct error e = { 0 };

	cr_assert_eq(lchown("relative", NOBODY, 0), 0);
	cr_expect_eq(try("relative", &e), E_UNTRUSTED);
	cr_expect(strstr(e.text, "/relative: a link of uid 65534"), "%s", e.text);
	cr_expect_eq(try("a/b/up", &e), E_UNTRUSTED);
}

Test(trusted, ends_with_links_that_do_not)
{
	struct error e = { 0 };

	cr_expect_lt(try("loop", &e), 0);
	cr_expect_eq(e.sys, ELOOP);
	cr_expect_eq(try("dangling", &e), E_NOTFOUND);
	cr_expect_eq(try("no/such", &e), E_NOTFOUND);
	cr_expect_lt(try("a/b/f/more", &e), 0);
	cr_expect_eq(e.sys, ENOTDIR);
}

Test(trusted, reads_regular_files_within_the_limit_alone)
{
	autobuf text = { 0 };
	struct error e = { 0 };

	cr_expect_eq(trusted_read("a/b/f", 3, &text, &e), E_INPUT);
	cr_assert_eq(mkfifo("fifo", 0600), 0);
	cr_expect_eq(trusted_read("fifo", 100, &text, &e), E_INPUT, "%s", e.text);
	cr_expect_eq(trusted_read("a/b", 100, &text, &e), E_INPUT, "%s", e.text);
}
