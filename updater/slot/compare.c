/* SPDX-License-Identifier: MIT */
/* One entry against one file: see compare.h.  Reads only. */
#include "slot/compare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/io.h"

#define READ_SIZE    (UINT32_C(256) << 10)
#define DIRECT_ALIGN 4096
#define LIST_MAX     65536 /* XATTR_LIST_MAX */

void proc_path(int dirfd, const char *name, char ret[PROC_PATH_MAX])
{
	(void)snprintf(ret, PROC_PATH_MAX, "/proc/self/fd/%d/%s", dirfd, name);
}

/* --- contents --------------------------------------------------------------------- */

static int open_file(int dirfd, const char *name, bool direct)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC;
	int fd = openat(dirfd, name, flags | (direct ? O_DIRECT : 0));

	if (fd >= 0 || !direct || errno != EINVAL)
		return fd;
	/* No O_DIRECT here: drop the (clean) cached pages instead, as near as it gets. */
	fd = openat(dirfd, name, flags);
	if (fd >= 0)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return fd;
}

int compare_digest(int dirfd, const char *name, bool direct, struct digest *ret,
	uint64_t *ret_size, struct error *e)
{
	autofd fd = open_file(dirfd, name, direct);
	autofree unsigned char *buffer = NULL;
	struct digest_state state;
	uint64_t size = 0;
	struct stat st;
	void *p = NULL;
	size_t room;
	size_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open");
	if (!S_ISREG(st.st_mode))
		return err_set(e, E_INPUT, "not a regular file");
	/* Most files are small: what is no larger than they are costs no page faults. */
	room = (size_t)st.st_size / DIRECT_ALIGN * DIRECT_ALIGN + DIRECT_ALIGN;
	if (st.st_size >= READ_SIZE)
		room = READ_SIZE;
	if (posix_memalign(&p, DIRECT_ALIGN, room) != 0)
		abort(); /* as xmalloc */
	buffer = p;
	digest_start(&state);
	do {
		r = io_read(fd, buffer, room, &n, e);
		if (r < 0)
			return r;
		digest_update(&state, buffer, n);
		size += n;
	} while (n > 0 && size < (uint64_t)st.st_size);
	digest_finish(&state, ret);
	*ret_size = size;
	return 0;
}

/* --- metadata --------------------------------------------------------------------- */

static mode_t type_bits(enum entry_type type)
{
	switch (type) {
	case ENTRY_DIR:
		return S_IFDIR;
	case ENTRY_FILE:
		return S_IFREG;
	case ENTRY_LINK:
		return S_IFLNK;
	case ENTRY_CHAR:
		return S_IFCHR;
	case ENTRY_BLOCK:
		return S_IFBLK;
	case ENTRY_FIFO:
		return S_IFIFO;
	case ENTRY_HARD:
		break; /* has the type of its first path; never asked */
	}
	return 0;
}

static bool has_xattr(const struct entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->n_xattrs; i++)
		if (strcmp(entry->xattrs[i].name, name) == 0)
			return true;
	return false;
}

/* A label the manifest does not name belongs to the machine's own policy. */
static size_t count_listed(const struct entry *entry, const char *list, size_t size)
{
	size_t count = 0;

	for (const char *p = list; size > 0 && p < list + size; p += strlen(p) + 1)
		if (strcmp(p, "security.selinux") != 0 || has_xattr(entry, p))
			count++;
	return count;
}

static bool xattrs_equal(
	int dirfd, const char *name, const struct entry *entry, struct error *e, int *ret)
{
	char path[PROC_PATH_MAX];
	autofree char *list = NULL;
	autofree unsigned char *value = NULL;
	ssize_t n;

	proc_path(dirfd, name, path);
	*ret = 0;
	n = llistxattr(path, NULL, 0);
	if (n > 0) {
		list = xmalloc(LIST_MAX);
		n = llistxattr(path, list, LIST_MAX);
	}
	if (n < 0) {
		*ret = err_sys(e, "list attributes");
		return false;
	}
	if (count_listed(entry, list, (size_t)n) != entry->n_xattrs)
		return false;
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		const struct xattr *x = &entry->xattrs[i];

		if (!value)
			value = xmalloc(MANIFEST_XATTR_MAX);
		n = lgetxattr(path, x->name, value, MANIFEST_XATTR_MAX);
		if (n < 0 || (size_t)n != x->size ||
			memcmp(value, x->value, x->size) != 0)
			return false;
	}
	return true;
}

static int link_equal(int dirfd, const char *name, const struct entry *entry, bool *ret,
	struct error *e)
{
	char target[MANIFEST_TARGET_MAX + 2];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

	if (n < 0)
		return err_sys(e, "read link");
	*ret = (size_t)n == strlen(entry->target) &&
	       memcmp(target, entry->target, (size_t)n) == 0;
	return 0;
}

/* CHANGE_CONTENT of an entry whose type is right already. */
static int compare_content(int dirfd, const char *name, const struct stat *st,
	const struct entry *entry, bool *ret_equal, uint64_t *bytes, struct error *e)
{
	struct digest digest;
	uint64_t size;
	int r;

	*ret_equal = true;
	switch (entry->type) {
	case ENTRY_FILE:
		*ret_equal = (uint64_t)st->st_size == entry->size;
		if (!*ret_equal)
			return 0;
		r = compare_digest(dirfd, name, false, &digest, &size, e);
		if (r < 0)
			return r;
		if (bytes)
			*bytes += size;
		*ret_equal = digest_equal(&digest, &entry->digest);
		return 0;
	case ENTRY_LINK:
		return link_equal(dirfd, name, entry, ret_equal, e);
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		*ret_equal = major(st->st_rdev) == entry->major &&
			     minor(st->st_rdev) == entry->minor;
		return 0;
	case ENTRY_DIR:
	case ENTRY_FIFO:
	case ENTRY_HARD:
		return 0;
	}
	return 0;
}

int compare_entry(int dirfd, const char *name, const struct stat *st,
	const struct entry *entry, unsigned *ret, uint64_t *bytes, struct error *e)
{
	unsigned flags = 0;
	bool equal;
	int r;

	if ((st->st_mode & S_IFMT) != type_bits(entry->type)) {
		*ret = CHANGE_TYPE;
		return 0;
	}
	if (entry->type != ENTRY_LINK && (st->st_mode & 07777) != entry->mode)
		flags |= CHANGE_MODE;
	if (st->st_uid != entry->uid || st->st_gid != entry->gid)
		flags |= CHANGE_OWNER;
	if (st->st_mtim.tv_sec != entry->mtime.tv_sec ||
		st->st_mtim.tv_nsec != entry->mtime.tv_nsec)
		flags |= CHANGE_MTIME;
	if (!xattrs_equal(dirfd, name, entry, e, &r)) {
		if (r < 0)
			return err_prefix(e, r, "%s", entry->path);
		flags |= CHANGE_XATTR;
	}
	r = compare_content(dirfd, name, st, entry, &equal, bytes, e);
	if (r < 0)
		return err_prefix(e, r, "%s", entry->path);
	*ret = flags | (equal ? 0 : CHANGE_CONTENT);
	return 0;
}
