/* SPDX-License-Identifier: MIT */
/* Making files: holes, metadata that survives chown, names nothing can lead out of. */
#include <errno.h>
#include <sys/xattr.h>

#include "scratch.h"
#include "slot/tree.h"
#include "slot/write.h"

static void enter(void)
{
	scratch_enter();
	cr_assert_eq(digest_init_once(NULL), 0);
}

TestSuite(write, .init = enter, .fini = scratch_leave);

/* Write `size` bytes of `data` in steps of `step`, and read them back. */
static struct stat sink(const unsigned char *data, size_t size, size_t step)
{
	autofd fd = open("sink", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct digest wanted = digest_of((struct bytes){ data, size });
	struct digest found;
	autobuf back = { 0 };
	struct sink s;
	struct stat st;

	sink_start(&s, fd, 0);
	for (size_t i = 0; i < size; i += step) {
		size_t n = size - i < step ? size - i : step;

		cr_assert_eq(sink_write(&s, (struct bytes){ data + i, n }, NULL), 0);
	}
	digest_finish(&s.state, &found);
	cr_assert(digest_equal(&found, &wanted));
	cr_assert_eq(sink_extend(&s, size, NULL), 0);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "sink", 1 << 24, &back, NULL), 0);
	cr_assert_eq(back.size, size);
	cr_assert(size == 0 || memcmp(back.data, data, size) == 0);
	cr_assert_eq(fstat(fd, &st), 0);
	return st;
}

Test(write, contents_arrive_whole_in_any_steps)
{
	static unsigned char data[70000];

	/* Zeros between, at places that are and are not blocks. */
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i / 5000 % 2 ? 0 : (unsigned char)(i * 7 + 1);
	for (size_t step = 1; step < sizeof(data); step = step * 3 + 1)
		(void)sink(data, sizeof(data), step);
	(void)sink(data, 0, 1);
}

Test(write, runs_of_zeros_become_holes)
{
	static unsigned char data[1 << 20];
	struct stat st;

	data[0] = 1;
	data[sizeof(data) / 2] = 2;
	st = sink(data, sizeof(data), 65536);
	cr_assert_leq(st.st_blocks, 64, "%ld blocks", (long)st.st_blocks);
	data[0] = 0;
	data[sizeof(data) / 2] = 0;
	st = sink(data, sizeof(data), sizeof(data));
	cr_assert_leq(st.st_blocks, 8);
}

Test(write, a_file_has_owner_mode_attributes_and_times_at_once)
{
	const struct xattr x = { "user.x", (const unsigned char *)"v", 1 };
	const struct entry entry = {
		.type = ENTRY_FILE,
		.mode = 06755,
		.uid = 4294967294,
		.gid = 7,
		.mtime = { -3, 999999999 },
		.xattrs = &x,
		.n_xattrs = 1,
	};
	autofd fd = -1;
	struct stat st;
	char value[8];

	cr_assert_eq(write_create(AT_FDCWD, "f", &fd, NULL), 0);
	cr_assert_eq(write_file_meta(fd, &entry, NULL), 0);
	cr_assert_eq(lstat("f", &st), 0);
	cr_assert_eq(st.st_mode & 07777, 06755);
	cr_assert_eq(st.st_uid, 4294967294);
	cr_assert_eq(st.st_gid, 7);
	cr_assert_eq(st.st_mtim.tv_sec, -3);
	cr_assert_eq(st.st_mtim.tv_nsec, 999999999);
	cr_assert_eq(getxattr("f", "user.x", value, sizeof(value)), 1);
}

Test(write, a_name_that_is_taken_is_not_written_through)
{
	struct error e = { 0 };
	int fd = -1;

	cr_assert_eq(symlink("/tmp/elsewhere", "taken"), 0);
	cr_assert_eq(write_create(AT_FDCWD, "taken", &fd, &e), E_SYSTEM);
	cr_assert_eq(e.sys, EEXIST);
}

Test(write, no_path_leads_through_a_symbolic_link)
{
	autofd root = -1;
	const char *name;
	struct writer w;
	int dirfd;

	cr_assert_eq(mkdir("root", 0755), 0);
	cr_assert_eq(mkdir("root/real", 0755), 0);
	cr_assert_eq(symlink("/tmp", "root/out"), 0);
	cr_assert_eq(symlink("real", "root/in"), 0);
	root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	writer_init(&w, root);
	cr_assert_eq(writer_parent(&w, "real/x", &dirfd, &name, NULL), 0);
	cr_assert_str_eq(name, "x");
	cr_assert_lt(writer_parent(&w, "out/x", &dirfd, &name, NULL), 0);
	cr_assert_lt(writer_parent(&w, "in/x", &dirfd, &name, NULL), 0);
	cr_assert_lt(writer_parent(&w, "../x", &dirfd, &name, NULL), 0);
	cr_assert_eq(writer_parent(&w, "x", &dirfd, &name, NULL), 0);
	writer_release(&w);
}

Test(write, a_subtree_is_summed_and_removed)
{
	struct tree_sums sums = { 0 };

	cr_assert_eq(mkdir("t", 0755), 0);
	cr_assert_eq(mkdir("t/u", 0), 0);
	scratch_put("t/u/f", bytes_of("x"));
	cr_assert_eq(link("t/u/f", "kept"), 0);
	cr_assert_eq(symlink("/", "t/slash"), 0);
	cr_assert_eq(tree_sum(AT_FDCWD, "t", &sums, NULL), 0);
	cr_assert_eq(sums.names, 4);
	cr_assert_eq(sums.inodes, 3); /* the file lives on under another name */
	cr_assert_eq(tree_remove(AT_FDCWD, "t", NULL), 0);
	cr_assert_eq(access("t", F_OK), -1);
	cr_assert_eq(access("kept", F_OK), 0);
	cr_assert_eq(tree_remove(AT_FDCWD, "t", NULL), 0);
}
