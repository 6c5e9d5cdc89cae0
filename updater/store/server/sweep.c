/* SPDX-License-Identifier: MIT */
/* Leftovers of killed store processes: see sweep.h. */
#include "store/server/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "store/server/session.h"

static DIR *open_dir(int at, const char *name)
{
	autofd fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d)
		(void)take_fd(&fd); /* belongs to the stream now */
	return d;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

#define LOCK_TRIES 100
#define LOCK_MS	   100

/* Root starts one of us at a time: another is being killed, and may end a write first. */
static bool take_lock(int fd)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		(void)poll(NULL, 0, LOCK_MS); /* cut short: it is tried more often */
	}
	return false;
}

int fetch_lock(int *ret_fd, struct error *e)
{
	autofd fd = open("lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(e, errno == ENOSPC ? E_SPACE : E_SYSTEM, "store/lock: %s",
			strerror(errno));
	if (!take_lock(fd))
		return err_set(e, E_BUSY, "another fetch into this store is running");
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Empties the directory at `at`/`name` and removes it; -1 with errno. */
static int remove_below(int at, const char *name)
{
	autodir d = open_dir(at, name);
	struct dirent *entry;

	if (!d)
		return errno == ENOTDIR || errno == ELOOP ? unlinkat(at, name, 0) : -1;
	for (errno = 0; (entry = readdir(d)); errno = 0) {
		if (is_dots(entry->d_name))
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) == 0)
			continue;
		if ((errno != EISDIR && errno != EPERM) ||
			remove_below(dirfd(d), entry->d_name) < 0)
			return -1;
	}
	return errno ? -1 : unlinkat(at, name, AT_REMOVEDIR);
}

int remove_tree(const char *path, struct error *e)
{
	if (remove_below(AT_FDCWD, path) < 0 && errno != ENOENT)
		return err_set(
			e, E_SYSTEM, "store/%s: remove: %s", path, strerror(errno));
	return 0;
}

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s);
	size_t m = strlen(with);

	return n >= m && strcmp(s + n - m, with) == 0;
}

static bool is_temporary(const char *name)
{
	/* libgit2: NAME_git2_XXXXXX; ours: tmp_XXXXXX */
	return strstr(name, "_git2_") || strncmp(name, "tmp_", 4) == 0;
}

/* Locks on refs and files would stay for ever. */
static void sweep_locks(int at, const char *name, bool deep)
{
	autodir d = open_dir(at, name);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		if (ends(entry->d_name, ".lock") || is_temporary(entry->d_name))
			(void)unlinkat(dirfd(d), entry->d_name, 0); /* best effort */
		else if (deep && entry->d_type == DT_DIR && !is_dots(entry->d_name))
			sweep_locks(dirfd(d), entry->d_name, true);
	}
}

/* A pack without its index is never used, nor is an index without its pack. */
static void sweep_unpaired(DIR *d, const char *name)
{
	bool is_pack = ends(name, ".pack");
	char twin[256];

	if (!is_pack && !ends(name, ".idx"))
		return;
	if (snprintf(twin, sizeof(twin), "%.*s%s",
		    (int)(strlen(name) - (is_pack ? 5u : 4u)), name,
		    is_pack ? ".idx" : ".pack") >= (int)sizeof(twin))
		return;
	if (faccessat(dirfd(d), twin, F_OK, 0) < 0 && errno == ENOENT)
		(void)unlinkat(dirfd(d), name, 0); /* best effort */
}

static void sweep_packs(void)
{
	autodir d = open_dir(AT_FDCWD, GIT_DIR "/objects/pack");
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		sweep_unpaired(d, entry->d_name);
}

static void sweep_objects(void)
{
	autodir d = open_dir(AT_FDCWD, GIT_DIR "/objects");
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (!is_dots(entry->d_name))
			sweep_locks(dirfd(d), entry->d_name, false);
}

static void sweep_first(void)
{
	autodir d = open_dir(AT_FDCWD, ".");
	struct error ignored;
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (strncmp(entry->d_name, GIT_DIR_FIRST, strlen(GIT_DIR_FIRST)) == 0)
			(void)remove_tree(entry->d_name, &ignored);
}

void sweep_leftovers(void)
{
	struct error
		ignored; /* what cannot be removed is in nobody's way but the disk's */

	sweep_first();
	(void)remove_tree(GIT_DIR_NEW, &ignored);
	sweep_locks(AT_FDCWD, GIT_DIR, false);
	sweep_locks(AT_FDCWD, GIT_DIR "/refs", true);
	sweep_locks(AT_FDCWD, GIT_DIR "/objects", false);
	sweep_objects();
	sweep_packs();
}
