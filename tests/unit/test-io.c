/* SPDX-License-Identifier: MIT */
/* Files: whole reads, durable replacement, spools without a name, ownership. */
#include <errno.h>
#include <sys/stat.h>

#include "scratch.h"

TestSuite(io, .init = scratch_enter, .fini = scratch_leave);

Test(io, reads_a_whole_file_up_to_a_limit)
{
	autobuf out = { 0 };
	struct error e;

	scratch_put("f", bytes_of("12345"));
	cr_assert_eq(io_read_file_at(AT_FDCWD, "f", 5, &out, &e), 0);
	cr_assert_str_eq(out.data, "12345");
	cr_assert_eq(io_read_file_at(AT_FDCWD, "f", 4, &out, &e), E_INPUT);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "none", 4, &out, &e), E_NOTFOUND);
}

Test(io, reads_only_regular_files_under_their_own_name)
{
	autobuf out = { 0 };
	struct error e;

	scratch_put("f", bytes_of("x"));
	cr_assert_eq(symlink("f", "link"), 0);
	cr_assert_eq(mkfifo("fifo", 0600), 0);
	cr_assert_lt(io_read_file_at(AT_FDCWD, "link", 10, &out, &e), 0);
	cr_assert_lt(io_read_file_at(AT_FDCWD, "fifo", 10, &out, &e), 0);
	cr_assert_lt(io_read_file_at(AT_FDCWD, ".", 10, &out, &e), 0);
	cr_assert_eq(out.size, 0);
}

Test(io, an_early_end_is_an_error)
{
	char data[4];
	autofd fd = -1;
	struct error e;

	scratch_put("f", bytes_of("abc"));
	fd = open("f", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(io_read_full(fd, data, 4, &e), E_INPUT);
	cr_assert_eq(io_pread_full(fd, data, 2, 1, &e), 0);
	cr_assert_eq(memcmp(data, "bc", 2), 0);
	cr_assert_eq(io_pread_full(fd, data, 3, 1, &e), E_INPUT);
}

Test(io, replaces_a_file_whole_and_leaves_nothing_else)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *const argv[] = { "ls", "-A", NULL };
	autobuf out = { 0 };
	autobuf names = { 0 };
	struct stat st;

	scratch_put("f", bytes_of("old and longer"));
	cr_assert_eq(io_replace_at(dir, "f", bytes_of("new"), 0640, NULL), 0);
	cr_assert_eq(io_read_file_at(dir, "f", 100, &out, NULL), 0);
	cr_assert_str_eq(out.data, "new");
	cr_assert_eq(stat("f", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(scratch_run(argv, NULL, &names), 0);
	cr_assert_str_eq(names.data, "f\n");
}

Test(io, a_replacement_that_fails_changes_nothing)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error e;

	cr_assert_eq(mkdir("d", 0700), 0);
	scratch_put("d/x", bytes_of(""));
	cr_assert_lt(io_replace_at(dir, "d", bytes_of("new"), 0600, &e), 0);
	cr_assert_eq(access("d/x", F_OK), 0);
	cr_assert_lt(io_replace_at(dir, "none/f", bytes_of("new"), 0600, &e), 0);
}

Test(io, a_spool_has_no_name)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *const argv[] = { "ls", "-A", NULL };
	autobuf names = { 0 };
	automap map = { 0 };
	autofd fd = -1;
	struct stat st;

	cr_assert_eq(io_spool(dir, &fd, NULL), 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_nlink, 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(io_map(fd, &map, NULL), 0);
	cr_assert_eq(map.size, 0);
	cr_assert_eq(io_write_full(fd, "abc", 3, NULL), 0);
	cr_assert_eq(io_sync(fd, NULL), 0);
	cr_assert_eq(io_map(fd, &map, NULL), 0);
	cr_assert_eq(map.size, 3);
	cr_assert_eq(memcmp(map.data, "abc", 3), 0);
	cr_assert_eq(scratch_run(argv, NULL, &names), 0);
	cr_assert_eq(names.size, 0);
}

Test(io, what_others_could_have_written_is_not_trusted)
{
	static const struct {
		mode_t mode;
		uid_t uid;
		const char *text;
	} cases[] = { { 0644, 0, NULL }, { 0600, 0, NULL },
		{ 0664, 0, "group or others" }, { 0646, 0, "group or others" },
		{ 0600, 1000, "uid 1000" } };

	scratch_put("f", bytes_of(""));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autofd fd = open("f", O_RDONLY | O_CLOEXEC);
		struct error e = { 0 };
		int r;

		cr_assert_eq(chown("f", cases[i].uid, 0), 0);
		cr_assert_eq(chmod("f", cases[i].mode), 0);
		r = io_require_root_owned(fd, "the file", &e);
		cr_expect_eq(r, cases[i].text ? E_UNTRUSTED : 0, "case %zu", i);
		if (cases[i].text) {
			cr_expect(strstr(e.text, cases[i].text), "%s", e.text);
			cr_expect(strstr(e.text, "the file"), "%s", e.text);
		}
	}
}
