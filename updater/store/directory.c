/* SPDX-License-Identifier: MIT */
#include "store/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* git's own go five deep. */
enum { DEPTH_MAX = 16 };

struct owners {
	uid_t from;
	uid_t uid;
	gid_t gid;
};

static int adopt_below(int fd, const struct owners *o, int depth, struct error *e);

/*
 * The descriptor is what is looked at and what is changed, so that nothing can be put in
 * its place; a file with two names may be somebody else's too, and stays whose it is.
 */
static int adopt_entry(
	int at, const char *name, const struct owners *o, int depth, struct error *e)
{
	autofd fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "store: %s", name);
	if (S_ISDIR(st.st_mode) && (st.st_uid == o->from || st.st_uid == o->uid)) {
		autofd dir =
			openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int r = dir < 0 ? err_sys(e, "store: %s", name)
				: adopt_below(dir, o, depth + 1, e);

		if (r < 0)
			return r;
	} else if (st.st_nlink != 1) {
		return 0;
	}
	if (st.st_uid == o->from && fchownat(fd, "", o->uid, o->gid, AT_EMPTY_PATH) < 0)
		return err_sys(e, "store: %s: chown", name);
	return 0;
}

static int adopt_below(int fd, const struct owners *o, int depth, struct error *e)
{
	autodir d = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 3));
	struct dirent *entry;
	int r = 0;

	if (!d)
		return err_sys(e, "store");
	if (depth > DEPTH_MAX)
		return err_set(e, E_UNTRUSTED,
			"store: over %d directories deep: remove it, it will be fetched "
			"again",
			DEPTH_MAX);
	for (errno = 0; r == 0 && (entry = readdir(d)); errno = 0)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = adopt_entry(fd, entry->d_name, o, depth, e);
	if (r == 0 && errno != 0)
		return err_sys(e, "store: readdir");
	return r;
}

int store_directory(int state_dirfd, uid_t uid, gid_t gid, int *ret_fd, struct error *e)
{
	autofd fd = -1;
	struct stat st;

	if (mkdirat(state_dirfd, "store", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "store: mkdir");
	fd = openat(
		state_dirfd, "store", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "store");
	if (fstat(fd, &st) < 0)
		return err_sys(e, "store: stat");
	/* Owned by root: made just now, or by a run that was killed in between. */
	if (st.st_uid != uid && st.st_uid != geteuid()) {
		struct owners o = { .from = st.st_uid, .uid = uid, .gid = gid };
		int r = adopt_below(fd, &o, 0, e);

		if (r < 0)
			return r;
	}
	/* Last: a store that is the user's own is wholly so. */
	if ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0)
		return err_sys(e, "store: chown");
	if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
		return err_sys(e, "store: chmod");
	*ret_fd = take_fd(&fd);
	return 0;
}
