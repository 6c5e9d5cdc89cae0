/* SPDX-License-Identifier: MIT */
/* Nothing in a tree leads out of it. */
#include <errno.h>
#include <sys/stat.h>

#include "base/beneath.h"
#include "scratch.h"

static int root = -1;

static void enter(void)
{
	scratch_enter();
	cr_assert_eq(mkdir("root", 0755), 0);
	cr_assert_eq(mkdir("root/a", 0755), 0);
	scratch_put("root/a/f", bytes_of("in"));
	scratch_put("outside", bytes_of("out"));
	cr_assert_eq(symlink("/etc/passwd", "root/absolute"), 0);
	cr_assert_eq(symlink("../outside", "root/relative"), 0);
	cr_assert_eq(symlink("a", "root/within"), 0);
	cr_assert_eq(symlink("/proc/self/root", "root/magic"), 0);
	root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void leave(void)
{
	cleanup_fd(&root);
	scratch_leave();
}

TestSuite(beneath, .init = enter, .fini = leave);

Test(beneath, opens_what_is_there)
{
	autofd fd = -1;
	autofd dir = -1;
	char data[2];

	cr_assert_eq(beneath_open(root, "a/f", O_RDONLY, 0, &fd, NULL), 0);
	cr_assert_eq(io_read_full(fd, data, 2, NULL), 0);
	cr_assert_eq(beneath_open(root, ".", O_RDONLY | O_DIRECTORY, 0, &dir, NULL), 0);
}

Test(beneath, refuses_every_way_out)
{
	static const struct {
		const char *path;
		int sys;
	} cases[] = { { "../outside", EXDEV }, { "/etc/passwd", EXDEV },
		{ "absolute", ELOOP }, { "relative", ELOOP }, { "within/f", ELOOP },
		{ "magic/etc/passwd", ELOOP }, { "a/../../outside", EXDEV },
		{ "none", ENOENT }, { "a/f/x", ENOTDIR } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = { 0 };
		int fd = -7;

		cr_expect_lt(beneath_open(root, cases[i].path, O_RDONLY, 0, &fd, &e), 0,
			"%s", cases[i].path);
		cr_expect_eq(e.sys, cases[i].sys, "%s: %s", cases[i].path, e.text);
		cr_expect_eq(fd, -7);
	}
}

Test(beneath, a_parent_and_its_last_component)
{
	const char *name;
	autofd fd = -1;
	autofd top = -1;
	int none = -7;

	cr_assert_eq(beneath_parent(root, "a/new", &fd, &name, NULL), 0);
	cr_assert_str_eq(name, "new");
	cr_assert_eq(mkdirat(fd, name, 0700), 0);
	cr_assert_eq(access("root/a/new", F_OK), 0);
	cr_assert_eq(beneath_parent(root, "x", &top, &name, NULL), 0);
	cr_assert_str_eq(name, "x");
	cr_assert_eq(beneath_parent(root, ".", &none, &name, NULL), E_INPUT);
	cr_assert_eq(beneath_parent(root, "a/..", &none, &name, NULL), E_INPUT);
	cr_assert_eq(beneath_parent(root, "a/", &none, &name, NULL), E_INPUT);
	cr_assert_lt(beneath_parent(root, "within/x", &none, &name, NULL), 0);
	cr_assert_eq(none, -7);
}
