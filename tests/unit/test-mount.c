/* SPDX-License-Identifier: MIT */
/* What a superblock says: whose file system it is, and whether it was left in order. */
#include "scratch.h"
#include "slot/mount.h"

#define UUID "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"

TestSuite(mount, .init = scratch_enter, .fini = scratch_leave);

static void run(const char *const *argv)
{
	autobuf out = { 0 };

	cr_assert_eq(scratch_run(argv, NULL, &out), 0);
}

static void make_image(void)
{
	const char *const argv[] = { "mkfs.ext4", "-q", "-F", "-U", UUID, "image", "8M",
		NULL };

	run(argv);
}

/* Change a field of the superblock, as something that broke off would leave it. */
static void set_field(const char *request)
{
	const char *const argv[] = { "debugfs", "-w", "-R", request, "image", NULL };

	run(argv);
}

Test(mount, reads_the_uuid)
{
	char uuid[FS_UUID_MAX];
	struct error e;

	make_image();
	cr_assert_eq(mount_uuid("image", uuid, &e), 0);
	cr_assert_str_eq(uuid, UUID);
}

Test(mount, no_file_system_has_no_uuid)
{
	const char *const argv[] = { "truncate", "-s", "1M", "image", NULL };
	char uuid[FS_UUID_MAX];
	struct error e;

	run(argv);
	cr_assert_eq(mount_uuid("image", uuid, &e), E_NOTFOUND);
	cr_assert(!mount_is_clean("image"));
}

Test(mount, a_new_file_system_is_clean)
{
	make_image();
	cr_assert(mount_is_clean("image"));
}

Test(mount, a_journal_to_replay_is_not_clean)
{
	make_image();
	set_field("feature needs_recovery");
	cr_assert(!mount_is_clean("image"));
}

Test(mount, one_with_errors_is_not_clean)
{
	make_image();
	set_field("ssv state 2");
	cr_assert(!mount_is_clean("image"));
}

Test(mount, one_that_is_mounted_is_not_clean)
{
	make_image();
	set_field("ssv state 0");
	cr_assert(!mount_is_clean("image"));
}

Test(mount, orphaned_inodes_are_not_clean)
{
	make_image();
	set_field("ssv last_orphan 12");
	cr_assert(!mount_is_clean("image"));
}
