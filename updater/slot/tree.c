/* SPDX-License-Identifier: MIT */
/* Subtrees: see tree.h.  One component at a time, never through a symbolic link. */
#include "slot/tree.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static int open_dir(int at, const char *name, DIR **ret, struct error *e)
{
	int fd = openat(
		at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);

	*ret = fd < 0 ? NULL : fdopendir(fd);
	if (*ret)
		return 0;
	cleanup_fd(&fd);
	return err_sys(e, "%s: open directory", name);
}

/* The next name that is not . or ..; NULL at the end or, with errno set, on error. */
static const char *next_name(DIR *dir)
{
	struct dirent *d;

	do {
		errno = 0;
		d = readdir(dir);
	} while (d && (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0));
	return d ? d->d_name : NULL;
}

int tree_sum(int at, const char *name, struct tree_sums *ret, struct error *e)
{
	autodir dir = NULL;
	struct stat st;
	int r;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "%s: stat", name);
	ret->names++;
	if (S_ISDIR(st.st_mode) || st.st_nlink == 1) {
		ret->bytes += (uint64_t)st.st_blocks * 512;
		ret->inodes++;
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	r = open_dir(at, name, &dir, e);
	assert(r < 0 || dir);
	for (const char *p; r == 0 && (p = next_name(dir)) != NULL;)
		r = tree_sum(dirfd(dir), p, ret, e);
	if (r == 0 && errno != 0)
		r = err_sys(e, "read directory");
	return r < 0 ? err_prefix(e, r, "%s", name) : 0;
}

void tree_unlock(int at, const char *name)
{
	autofd fd = openat(
		at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int flags;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ||
		(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) == 0)
		return;
	flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags); /* the caller's own call will tell */
}

static int remove_name(int at, const char *name, int flags, struct error *e)
{
	if (unlinkat(at, name, flags) == 0)
		return 0;
	if (errno == EPERM) {
		struct stat st;

		if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
			tree_unlock(at, name);
		tree_unlock(at, ".");
		if (unlinkat(at, name, flags) == 0)
			return 0;
	}
	return err_sys(e, "%s: remove", name);
}

int tree_remove(int at, const char *name, struct error *e)
{
	autodir dir = NULL;
	struct stat st;
	int r;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s: stat", name);
	if (!S_ISDIR(st.st_mode))
		return remove_name(at, name, 0, e);
	r = open_dir(at, name, &dir, e);
	assert(r < 0 || dir);
	/* Removing what readdir gave does not disturb it: POSIX, and ext4 keeps to it. */
	for (const char *p; r == 0 && (p = next_name(dir)) != NULL;)
		r = tree_remove(dirfd(dir), p, e);
	if (r == 0 && errno != 0)
		r = err_sys(e, "read directory");
	if (r < 0)
		return err_prefix(e, r, "%s", name);
	return remove_name(at, name, AT_REMOVEDIR, e);
}
