/* SPDX-License-Identifier: MIT */
/* The tar writer, judged by GNU tar and by our own reader of extended headers. */
#include <criterion/criterion.h>

#include "build/pax.h"
#include "build/tar-write.h"
#include "scratch.h"

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
	scratch_enter();
}
TestSuite(tar_write, .init = init, .fini = scratch_leave);

static void list(const struct buf *tar, struct buf *out)
{
	const char *const argv[] = { "tar", "--numeric-owner", "--full-time", "--utc",
		"--quoting-style=escape", "-tvf", "x.tar", NULL };

	scratch_put("x.tar", buf_bytes(tar));
	cr_assert_eq(scratch_run(argv, NULL, out), 0);
}

/* The records of the extended header the tar begins with. */
static void read_first(const struct buf *tar, struct pax *ret)
{
	uint64_t size = strtoul(tar->data + 124, NULL, 8);

	cr_assert_eq(tar->data[156], 'x');
	cr_assert_eq(pax_read((struct bytes){ (unsigned char *)tar->data + 512, size },
			     ret, NULL),
		0);
}

Test(tar_write, is_read_by_gnu_tar)
{
	const struct entry entries[] = {
		{ .type = ENTRY_DIR, .mode = 01755, .path = "." },
		{ .type = ENTRY_DIR,
			.mode = 0755,
			.path = "d",
			.mtime = { 9, 500000000 } },
		{ .type = ENTRY_FILE,
			.mode = 04755,
			.uid = 4294967294,
			.path = "d/f",
			.size = 3,
			.mtime = { 1700000000, 123456789 } },
		{ .type = ENTRY_HARD, .path = "d/h", .target = "d/f" },
		{ .type = ENTRY_LINK, .mode = 0777, .path = "l", .target = "a b" },
		{ .type = ENTRY_CHAR,
			.mode = 0666,
			.path = "null",
			.major = 1,
			.minor = 3 },
		{ .type = ENTRY_BLOCK,
			.mode = 0660,
			.path = "disk",
			.major = 259,
			.minor = 1048575 },
		{ .type = ENTRY_FIFO, .mode = 0600, .gid = 7, .path = "pipe" },
	};
	static const char *const want[] = { "drwxr-xr-t 0/0", " ./\n",
		"1970-01-01 00:00:09.5 d/\n", "-rwsr-xr-x 4294967294/0",
		"3 2023-11-14 22:13:20.123456789 d/f\n", "d/h link to d/f\n",
		"l -> a b\n", "crw-rw-rw- 0/0", "1,3 ", "259,1048575 ",
		"prw------- 0/7" };
	autobuf tar = { 0 };
	autobuf out = { 0 };

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		tar_header(&entries[i], &tar);
		if (entries[i].type == ENTRY_FILE) {
			buf_adds(&tar, "abc");
			tar_pad(3, &tar);
		}
	}
	tar_end(&tar);
	list(&tar, &out);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		cr_assert_not_null(
			strstr(out.data, want[i]), "%s in\n%s", want[i], out.data);
}

Test(tar_write, says_what_does_not_fit_a_plain_header)
{
	static const unsigned char value[] = { 0, '\n', '=', 0xff };
	const struct xattr xattrs[] = { { "user.a=b%", value, sizeof(value) },
		{ "user.empty", value, 0 } };
	autofree char *path = xasprintf("%0255d/%0255d", 1, 2);
	autofree char *target = xasprintf("%04095d", 3);
	const struct entry entry = {
		.type = ENTRY_LINK,
		.path = path,
		.target = target,
		.mtime = { -2, 500000000 },
		.xattrs = xattrs,
		.n_xattrs = 2,
	};
	autobuf tar = { 0 };
	autopax p = { 0 };

	tar_header(&entry, &tar);
	read_first(&tar, &p);
	cr_assert_str_eq(p.path, path);
	cr_assert_str_eq(p.link, target);
	cr_assert_eq(p.mtime.tv_sec, -2);
	cr_assert_eq(p.mtime.tv_nsec, 500000000);
	cr_assert_eq(p.attributes.n_xattrs, 2);
	cr_assert_str_eq(p.attributes.xattrs[0].name, "user.a=b%");
	cr_assert_eq(p.attributes.xattrs[0].size, 4);
	cr_assert_eq(memcmp(p.attributes.xattrs[0].value, value, 4), 0);
}

Test(tar_write, counts_the_length_of_a_record_in)
{
	for (int n = 80; n < 110; n++) {
		autofree char *path = xasprintf("d/%0*d", n, 1);
		const struct entry entry = { .type = ENTRY_FILE, .path = path };
		autobuf tar = { 0 };
		autopax p = { 0 };

		tar_header(&entry, &tar);
		cr_assert_eq(tar.size % 512, 0);
		if (strlen(path) <= 100) {
			cr_assert_eq(tar.size, 512);
			continue;
		}
		read_first(&tar, &p);
		cr_assert_str_eq(p.path, path);
	}
}

/* GNU tar lists -0.5 as 0.5, but extracts it rightly. */
static void extract(const struct buf *tar, struct stat *ret)
{
	const char *const argv[] = { "tar", "-xf", "x.tar", NULL };
	autobuf out = { 0 };

	scratch_put("x.tar", buf_bytes(tar));
	cr_assert_eq(scratch_run(argv, NULL, &out), 0);
	cr_assert_eq(lstat("p", ret), 0);
}

Test(tar_write, round_trips_times)
{
	static const struct timespec times[] = { { -1, 0 }, { -1, 1 }, { -1, 500000000 },
		{ -1, 999999999 }, { -2, 1 }, { -2, 999999999 }, { 0, 1 },
		{ INT64_C(1) << 40, 0 }, { -(INT64_C(1) << 40), 5 } };

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		const struct entry entry = {
			.type = ENTRY_FILE, .mode = 0644, .path = "p", .mtime = times[i]
		};
		autobuf tar = { 0 };
		autopax p = { 0 };
		struct stat st;

		tar_header(&entry, &tar);
		read_first(&tar, &p);
		cr_assert_eq(p.mtime.tv_sec, times[i].tv_sec, "case %zu", i);
		cr_assert_eq(p.mtime.tv_nsec, times[i].tv_nsec, "case %zu", i);
		if (times[i].tv_sec > INT32_MAX || times[i].tv_sec < INT32_MIN)
			continue; /* beyond what file systems keep */
		tar_end(&tar);
		extract(&tar, &st);
		cr_assert_eq(st.st_mtim.tv_sec, times[i].tv_sec, "case %zu", i);
		cr_assert_eq(st.st_mtim.tv_nsec, times[i].tv_nsec, "case %zu", i);
	}
}

Test(tar_write, pads_to_whole_blocks)
{
	static const struct {
		uint64_t size;
		size_t pad;
	} cases[] = { { 0, 0 }, { 1, 511 }, { 511, 1 }, { 512, 0 }, { 513, 511 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autobuf out = { 0 };

		tar_pad(cases[i].size, &out);
		cr_assert_eq(out.size, cases[i].pad, "%d", (int)cases[i].size);
	}
}
