/* SPDX-License-Identifier: MIT */
/*
 * Making things on a slot: see write.h.  The order is that of chown(2), which clears
 * setuid bits and capabilities: owner, mode, attributes, times.
 */
#include "slot/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/beneath.h"
#include "base/io.h"
#include "slot/compare.h"
#include "slot/tree.h"

#define ACL_ACCESS "system.posix_acl_access"
#define HOLE_SIZE  4096 /* bytes of zeros, aligned, that become a hole */
#define LIST_MAX   65536

void writer_init(struct writer *w, int root)
{
	*w = (struct writer){ .root = root, .parent = -1 };
	(void)snprintf(w->tag, sizeof(w->tag), "%08x%08x", randombytes_random(),
		randombytes_random());
}

void writer_release(struct writer *w)
{
	cleanup_fd(&w->parent);
	free(w->parent_path);
	w->parent = -1;
	w->parent_path = NULL;
}

int writer_parent(struct writer *w, const char *path, int *ret_dirfd,
	const char **ret_name, struct error *e)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 1;
	const char *dir = slash ? path : ".";
	int r;

	*ret_name = slash ? slash + 1 : path;
	if (!w->parent_path || strlen(w->parent_path) != n ||
		memcmp(w->parent_path, dir, n) != 0) {
		writer_release(w);
		w->parent_path = xstrndup(dir, n);
		r = beneath_open(w->root, w->parent_path, O_RDONLY | O_DIRECTORY, 0,
			&w->parent, e);
		if (r < 0) {
			r = err_prefix(e, r, "%s", w->parent_path);
			writer_release(w);
			return r;
		}
	}
	*ret_dirfd = w->parent;
	return 0;
}

void writer_temp(const struct writer *w, uint64_t index, char ret[TEMP_NAME_MAX])
{
	(void)snprintf(ret, TEMP_NAME_MAX, ".osupdate.%s.%" PRIu64, w->tag, index);
}

/* --- making ----------------------------------------------------------------------- */

/* A directory may be immutable or append-only: clear that and try once more. */
static bool unlocked(int dirfd)
{
	if (errno != EPERM)
		return false;
	tree_unlock(dirfd, ".");
	return true;
}

int write_create(int dirfd, const char *name, int *ret_fd, struct error *e)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
	int fd = openat(dirfd, name, flags, 0600);

	if (fd < 0 && unlocked(dirfd))
		fd = openat(dirfd, name, flags, 0600);
	if (fd < 0)
		return err_sys(e, "create");
	*ret_fd = fd;
	return 0;
}

int write_dir(int dirfd, const char *name, struct error *e)
{
	if (mkdirat(dirfd, name, 0700) == 0 ||
		(unlocked(dirfd) && mkdirat(dirfd, name, 0700) == 0))
		return 0;
	return err_sys(e, "make directory");
}

static int make_node(int dirfd, const char *name, const struct entry *entry)
{
	switch (entry->type) {
	case ENTRY_LINK:
		return symlinkat(entry->target, dirfd, name);
	case ENTRY_CHAR:
		return mknodat(
			dirfd, name, S_IFCHR | 0600, makedev(entry->major, entry->minor));
	case ENTRY_BLOCK:
		return mknodat(
			dirfd, name, S_IFBLK | 0600, makedev(entry->major, entry->minor));
	case ENTRY_FIFO:
		return mkfifoat(dirfd, name, 0600);
	case ENTRY_DIR:
	case ENTRY_FILE:
	case ENTRY_HARD:
		break;
	}
	errno = EINVAL; /* the caller's mistake */
	return -1;
}

int write_node(int dirfd, const char *name, const struct entry *entry, struct error *e)
{
	if (make_node(dirfd, name, entry) == 0 ||
		(unlocked(dirfd) && make_node(dirfd, name, entry) == 0))
		return 0;
	return err_sys(e, "create");
}

int write_rename(int dirfd, const char *temp, const char *name, struct error *e)
{
	if (renameat(dirfd, temp, dirfd, name) == 0)
		return 0;
	if (errno == EPERM) {
		struct stat st;

		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode))
			tree_unlock(dirfd, name);
		tree_unlock(dirfd, ".");
		if (renameat(dirfd, temp, dirfd, name) == 0)
			return 0;
	}
	return err_sys(e, "rename");
}

/* --- metadata --------------------------------------------------------------------- */

static const struct timespec *times_of(const struct entry *entry, struct timespec ret[2])
{
	ret[0] = entry->mtime; /* atime: anything that is reproducible */
	ret[1] = entry->mtime;
	return ret;
}

int write_file_meta(int fd, const struct entry *entry, struct error *e)
{
	struct timespec times[2];

	/* What a default ACL of the directory gave it. */
	if (fremovexattr(fd, ACL_ACCESS) < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return err_sys(e, "remove inherited ACL");
	if (fchown(fd, entry->uid, entry->gid) < 0)
		return err_sys(e, "chown");
	if (fchmod(fd, entry->mode) < 0)
		return err_sys(e, "chmod");
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		const struct xattr *x = &entry->xattrs[i];

		if (fsetxattr(fd, x->name, x->value, x->size, 0) < 0)
			return err_sys(e, "set attribute %s", x->name);
	}
	if (futimens(fd, times_of(entry, times)) < 0)
		return err_sys(e, "set times");
	return 0;
}

static bool wanted(const struct entry *entry, const char *name)
{
	if (strcmp(name, "security.selinux") == 0)
		return true; /* the machine's policy labels what the release does not */
	for (size_t i = 0; i < entry->n_xattrs; i++)
		if (strcmp(entry->xattrs[i].name, name) == 0)
			return true;
	return false;
}

/* Attributes the entry does not have: inherited ACLs, those of an older release. */
static int remove_xattrs(const char *path, const struct entry *entry, struct error *e)
{
	ssize_t n = llistxattr(path, NULL, 0);
	autofree char *list = NULL;

	if (n == 0 || (n < 0 && errno == EOPNOTSUPP))
		return 0;
	list = xmalloc(LIST_MAX);
	n = llistxattr(path, list, LIST_MAX);
	if (n < 0)
		return err_sys(e, "list attributes");
	for (const char *p = list; p < list + n; p += strlen(p) + 1)
		if (!wanted(entry, p) && lremovexattr(path, p) < 0)
			return err_sys(e, "remove attribute %s", p);
	return 0;
}

static int set_xattrs(const char *path, const struct entry *entry, struct error *e)
{
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		const struct xattr *x = &entry->xattrs[i];

		if (lsetxattr(path, x->name, x->value, x->size, 0) < 0)
			return err_sys(e, "set attribute %s", x->name);
	}
	return 0;
}

int write_times(int dirfd, const char *name, const struct entry *entry, struct error *e)
{
	struct timespec times[2];

	(void)times_of(entry, times);
	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno == EPERM && entry->type != ENTRY_LINK) {
		tree_unlock(dirfd, name);
		if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
	}
	return err_sys(e, "set times");
}

int write_node_meta(
	int dirfd, const char *name, const struct entry *entry, struct error *e)
{
	char path[PROC_PATH_MAX];
	int r;

	proc_path(dirfd, name, path);
	r = remove_xattrs(path, entry, e);
	if (r < 0)
		return r;
	if (fchownat(dirfd, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "chown");
	/* A link has no mode; of a directory or node we made, no link can be in the way.
	 */
	if (entry->type != ENTRY_LINK && fchmodat(dirfd, name, entry->mode, 0) < 0)
		return err_sys(e, "chmod");
	r = set_xattrs(path, entry, e);
	return r < 0 ? r : write_times(dirfd, name, entry, e);
}

int write_dir_meta(
	int dirfd, const char *name, const struct entry *entry, struct error *e)
{
	tree_unlock(dirfd, name);
	return write_node_meta(dirfd, name, entry, e);
}

/* --- contents --------------------------------------------------------------------- */

void sink_start(struct sink *s, int fd, uint64_t offset)
{
	s->fd = fd;
	s->offset = offset;
	s->end = 0;
	digest_start(&s->state);
}

/* How many of the next bytes are one aligned block of zeros (all of it or nothing). */
static size_t hole(const struct sink *s, struct bytes data)
{
	if (s->offset % HOLE_SIZE != 0 || data.size < HOLE_SIZE || data.data[0] != 0 ||
		memcmp(data.data, data.data + 1, HOLE_SIZE - 1) != 0)
		return 0;
	return HOLE_SIZE;
}

/* Bytes up to the next place where a hole could begin. */
static size_t to_boundary(const struct sink *s, size_t size)
{
	size_t n = HOLE_SIZE - (size_t)(s->offset % HOLE_SIZE);

	return n < size ? n : size;
}

int sink_write(struct sink *s, struct bytes data, struct error *e)
{
	digest_update(&s->state, data.data, data.size);
	while (data.size > 0) {
		uint64_t start = s->offset;
		const unsigned char *from = data.data;
		size_t n = 0;
		size_t skip;
		int r;

		while (data.size > 0 && (skip = hole(s, data)) == 0) {
			size_t step = to_boundary(s, data.size);

			n += step;
			s->offset += step;
			data.data += step;
			data.size -= step;
		}
		r = n > 0 ? io_pwrite_full(s->fd, from, n, start, e) : 0;
		if (r < 0)
			return r;
		if (n > 0)
			s->end = start + n;
		if (data.size > 0) {
			s->offset += skip;
			data.data += skip;
			data.size -= skip;
		}
	}
	return 0;
}

int sink_extend(const struct sink *s, uint64_t size, struct error *e)
{
	if (s->end == size)
		return 0;
	if (ftruncate(s->fd, (off_t)size) < 0)
		return err_sys(e, "extend");
	return 0;
}
