/* SPDX-License-Identifier: MIT */
/* What a superblock says: whose file system it is. */
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
}
