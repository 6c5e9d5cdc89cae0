/* SPDX-License-Identifier: MIT */
/*
 * Detached mounts through the mount API of Linux 5.2 (fsopen(2), fsmount(2),
 * open_tree(2)): see mount.h.  Trusts the kernel; follows no path of a slot.
 */
#include "slot/mount.h"

#include <endian.h>
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/io.h"

#define FREE_TRIES    100 /* times 20 ms until a device must be free again */
#define FREE_PAUSE_NS 20000000L

/* The kernel's own words about a failed mount ("e ext4: bad superblock …"), or "". */
static void context_log(int context, char *ret, size_t size)
{
	ssize_t n = read(context, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static int context_set(int context, const char *device, bool writable)
{
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", device, 0) < 0)
		return -1;
	if (!writable && fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return -1;
	if (fsconfig(context, FSCONFIG_SET_STRING, "errors", "remount-ro", 0) < 0)
		return -1;
	/* A superblock may ask for the opposite, and then what was synced is not on the
	 * disk (tune2fs -o nobarrier). */
	if (writable && fsconfig(context, FSCONFIG_SET_FLAG, "barrier", NULL, 0) < 0)
		return -1;
	/* mke2fs leaves inode tables to be zeroed in the background, some each time it is
	 * mounted: writes that belong to no update. */
	if (writable &&
		fsconfig(context, FSCONFIG_SET_FLAG, "noinit_itable", NULL, 0) < 0)
		return -1;
	return fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

/* The root of a detached mount for reading directories; the mount lives as long. */
static int open_root(int mount, int *ret_root, struct error *e)
{
	int fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open the mounted file system");
	*ret_root = fd;
	return 0;
}

int mount_slot(const char *device, bool writable, int *ret_root, struct error *e)
{
	unsigned attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
			      MOUNT_ATTR_NOATIME | (writable ? 0 : MOUNT_ATTR_RDONLY);
	autofd context = fsopen("ext4", FSOPEN_CLOEXEC);
	autofd mount = -1;
	char log[256];

	if (context < 0)
		return err_sys(e, "%s: this kernel has no ext4", device);
	if (context_set(context, device, writable) < 0) {
		int sys = errno;

		context_log(context, log, sizeof(log));
		errno = sys;
		return sys == EBUSY ? err_set(e, E_BUSY, "%s: already in use", device)
				    : err_sys(e, "%s: mount%s%s%s", device,
					      log[0] ? " (" : "", log, log[0] ? ")" : "");
	}
	mount = fsmount(context, FSMOUNT_CLOEXEC, attributes);
	if (mount < 0)
		return err_sys(e, "%s: fsmount", device);
	return open_root(mount, ret_root, e);
}

int mount_clone_root(dev_t device, bool writable, int *ret_root, struct error *e)
{
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
			    (writable ? 0 : MOUNT_ATTR_RDONLY),
	};
	autofd mount = -1;
	struct stat st;

	if (stat("/", &st) < 0)
		return err_sys(e, "/");
	if (st.st_dev != device)
		return err_set(e, E_NOTFOUND, "/ is on another device");
	mount = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (mount < 0)
		return err_sys(e, "/: open_tree");
	if (mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return err_sys(e, "/: mount_setattr");
	return open_root(mount, ret_root, e);
}

int mount_finish(const char *device, int *root, struct error *e)
{
	const struct timespec pause = { .tv_nsec = FREE_PAUSE_NS };
	int r = syncfs(*root) < 0 ? err_sys(e, "%s: syncfs", device) : 0;

	cleanup_fd(root);
	*root = -1;
	/* Whoever else had it open for a moment (udev probing it) lets go again. */
	for (int i = 0; r == 0; i++) {
		autofd fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC | O_NOCTTY);

		if (fd >= 0)
			return 0;
		if (errno != EBUSY)
			return err_sys(e, "%s", device);
		if (i == FREE_TRIES)
			return err_set(e, E_BUSY,
				"%s is in use by somebody else, too (mounted in another "
				"namespace, …)",
				device);
		(void)nanosleep(&pause, NULL);
	}
	return r;
}

static int read_superblock(
	const char *device, struct ext2_super_block *ret, struct error *e)
{
	autofd fd = open(device, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, "%s", device);
	if (io_pread_full(fd, ret, sizeof(*ret), SUPERBLOCK_OFFSET, e) < 0)
		return err_prefix(e, E_SYSTEM, "%s: superblock", device);
	return 0;
}

int mount_stamp(const char *device, struct digest *ret, struct error *e)
{
	struct ext2_super_block super;
	int r = read_superblock(device, &super, e);

	if (r == 0)
		*ret = digest_of(
			(struct bytes){ (const unsigned char *)&super, sizeof(super) });
	return r;
}

int mount_uuid(const char *device, char ret[FS_UUID_MAX], struct error *e)
{
	struct ext2_super_block super = { 0 };
	const unsigned char *u = super.s_uuid;
	int r = read_superblock(device, &super, e);

	if (r < 0)
		return r;
	if (le16toh(super.s_magic) != EXT2_SUPER_MAGIC)
		return err_set(e, E_NOTFOUND, "%s: no ext4 file system", device);
	(void)snprintf(ret, FS_UUID_MAX,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11],
		u[12], u[13], u[14], u[15]);
	return 0;
}
