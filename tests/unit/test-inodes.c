/* SPDX-License-Identifier: MIT */
/* What is read off an ext4 image is what was put there; what is not clean is not read. */
#include <stdio.h>
#include <sys/stat.h>

#include "scratch.h"
#include "slot/inodes.h"

#define FILES 300 /* so that a directory has several blocks */

TestSuite(inodes, .init = scratch_enter, .fini = scratch_leave);

static void debugfs(const char *request)
{
	const char *const argv[] = { "debugfs", "-w", "-R", request, "image", NULL };
	autobuf out = { 0 };

	cr_assert_eq(scratch_run(argv, NULL, &out), 0);
}

/* An image with dir/file-N of N bytes, each with a time of its own. */
static void make_image(void)
{
	const char *const argv[] = { "mkfs.ext4", "-q", "-F", "-I", "256", "-d", "tree",
		"image", "16M", NULL };
	autobuf out = { 0 };
	char path[64];

	cr_assert_eq(mkdir("tree", 0755), 0);
	cr_assert_eq(mkdir("tree/dir", 0755), 0);
	for (int i = 0; i < FILES; i++) {
		const struct timespec times[2] = { { .tv_sec = i },
			{ .tv_sec = -1000 - i } };
		int fd;

		(void)snprintf(path, sizeof(path), "tree/dir/file-%d", i);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
		cr_assert(fd >= 0 && ftruncate(fd, i) == 0 && futimens(fd, times) == 0);
		(void)close(fd);
	}
	cr_assert_eq(scratch_run(argv, NULL, &out), 0);
}

struct seen {
	uint64_t dir;
	uint64_t first; /* of file-0 */
	uint64_t last;	/* of file-299 */
	int files;
	int others;
};

static void on_name(void *ctx, const char *name, size_t size, uint64_t inode)
{
	struct seen *seen = ctx;
	char text[256] = "";
	int n;

	memcpy(text, name, size);
	if (strcmp(text, "dir") == 0)
		seen->dir = inode;
	else if (sscanf(text, "file-%d", &n) == 1) {
		seen->files++;
		if (n == 0)
			seen->first = inode;
		if (n == FILES - 1)
			seen->last = inode;
	} else {
		seen->others++;
	}
}

Test(inodes, names_and_inodes_are_those_that_were_written)
{
	struct seen seen = { 0 };
	struct inodes *x;
	struct stat st;

	make_image();
	x = inodes_open("image");
	cr_assert_not_null(x);
	cr_assert(inodes_names(x, INODES_ROOT, on_name, &seen));
	cr_assert(seen.dir != 0 && seen.others == 1); /* lost+found */
	cr_assert(inodes_names(x, seen.dir, on_name, &seen));
	cr_assert_eq(seen.files, FILES);
	cr_assert(inodes_stat(x, seen.dir, &st) && S_ISDIR(st.st_mode));
	cr_assert_eq(st.st_uid, getuid());
	cr_assert(inodes_stat(x, seen.last, &st));
	cr_assert(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640);
	cr_assert_eq(st.st_size, FILES - 1);
	cr_assert_eq(st.st_ino, seen.last);
	cr_assert_eq(st.st_nlink, 1);
	cr_assert_eq(st.st_mtim.tv_sec, -1000 - (FILES - 1));
	inodes_close(x);
}

Test(inodes, what_is_not_there_is_a_no)
{
	struct seen seen = { 0 };
	struct inodes *x;
	struct stat st;

	make_image();
	x = inodes_open("image");
	cr_assert(inodes_names(x, INODES_ROOT, on_name, &seen));
	cr_assert(inodes_names(x, seen.dir, on_name, &seen));
	cr_assert(!inodes_stat(x, 0, &st));
	cr_assert(!inodes_stat(x, UINT64_C(1) << 32, &st));
	cr_assert(!inodes_names(x, seen.first, on_name, &seen)); /* a file */
	cr_assert(!inodes_names(x, UINT64_C(1) << 32, on_name, &seen));
	inodes_close(x);
	debugfs("clri dir");
	x = inodes_open("image");
	cr_assert(!inodes_stat(x, seen.dir, &st));
	cr_assert(!inodes_names(x, seen.dir, on_name, &seen));
	inodes_close(x);
}

Test(inodes, a_file_system_that_is_not_clean_is_not_read)
{
	int fd;

	make_image();
	debugfs("ssv state 2"); /* errors were found */
	cr_assert_null(inodes_open("image"));
	debugfs("ssv state 0"); /* in use */
	cr_assert_null(inodes_open("image"));
	debugfs("ssv state 1");
	debugfs("ssv last_orphan 12");
	cr_assert_null(inodes_open("image"));
	debugfs("ssv last_orphan 0");
	debugfs("feature needs_recovery");
	cr_assert_null(inodes_open("image"));
	fd = open("image", O_WRONLY | O_CLOEXEC);
	cr_assert(pwrite(fd, "no super block", 14, 1024 + 50) == 14);
	(void)close(fd);
	cr_assert_null(inodes_open("image"));
	cr_assert_null(inodes_open("/nonexistent"));
	inodes_close(NULL);
}
