/* SPDX-License-Identifier: MIT */
/*
 * A directory as a source: walked by descriptors, never through a symbolic link, never
 * into a mount.  A file that changes while it is read is an error, not a mixture.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/io.h"
#include "build/source.h"

#define STATX_WANTED (STATX_BASIC_STATS)
#define PROC_MAX     (NAME_BYTES_MAX + 64)

/* An inode with several names, by what the kernel knows it by. */
struct seen {
	uint64_t dev;
	uint64_t ino;
	size_t index; /* in the source; + 1, so that 0 is free */
};

struct walk {
	struct source *source;
	struct seen *seen; /* open addressing */
	size_t n_seen;
	size_t cap_seen;
};

/* One name in the directory `dir`. */
struct found {
	int dir;
	const char *name;
	const char *path;
	struct statx st;
};

/* --- hard links ------------------------------------------------------------------- */

static struct seen *seen_place(const struct walk *w, uint64_t dev, uint64_t ino)
{
	size_t at = (size_t)((ino ^ dev << 48) * UINT64_C(0x9e3779b97f4a7c15) >> 20);

	for (;; at++) {
		struct seen *s = &w->seen[at & (w->cap_seen - 1)];

		if (s->index == 0 || (s->dev == dev && s->ino == ino))
			return s;
	}
}

static struct seen *seen_find(struct walk *w, const struct statx *st)
{
	uint64_t dev = makedev(st->stx_dev_major, st->stx_dev_minor);
	struct walk bigger = { .n_seen = w->n_seen };
	struct seen *s;

	if (w->n_seen >= w->cap_seen / 2) {
		bigger.cap_seen = w->cap_seen ? w->cap_seen * 2 : 256;
		bigger.seen = xcalloc(bigger.cap_seen, sizeof(*bigger.seen));
		for (size_t i = 0; i < w->cap_seen; i++)
			if (w->seen[i].index)
				*seen_place(&bigger, w->seen[i].dev, w->seen[i].ino) =
					w->seen[i];
		free(w->seen);
		w->seen = bigger.seen;
		w->cap_seen = bigger.cap_seen;
	}
	s = seen_place(w, dev, st->stx_ino);
	if (s->index == 0) {
		w->n_seen++;
		s->dev = dev;
		s->ino = st->stx_ino;
	}
	return s;
}

/* --- attributes ------------------------------------------------------------------- */

static int add_xattr(
	const char *proc, const char *name, struct inode *inode, struct error *e)
{
	autofree unsigned char *value = xmalloc(MANIFEST_XATTR_MAX);
	ssize_t n = lgetxattr(proc, name, value, MANIFEST_XATTR_MAX);

	if (n < 0)
		return err_sys(e, "attribute %s", name);
	return inode_xattr(inode, name, (struct bytes){ value, (size_t)n }, e);
}

/* Through /proc, because there is no llistxattrat before Linux 6.13. */
static int read_xattrs(const struct found *f, struct inode *inode, struct error *e)
{
	autofree char *list = NULL;
	char proc[PROC_MAX];
	ssize_t n;
	int r = 0;

	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", f->dir, f->name);
	n = llistxattr(proc, NULL, 0);
	if (n == 0 || (n < 0 && errno == ENOTSUP))
		return 0;
	if (n < 0)
		return err_sys(e, "attributes");
	list = xmalloc((size_t)n + 1);
	n = llistxattr(proc, list, (size_t)n);
	if (n < 0)
		return err_sys(e, "attributes");
	list[n] = '\0';
	for (const char *name = list; r == 0 && name < list + n; name += strlen(name) + 1)
		r = add_xattr(proc, name, inode, e);
	return r;
}

/* --- contents --------------------------------------------------------------------- */

static int read_fd(void *ctx, void *data, size_t size, size_t *ret_n, struct error *e)
{
	return io_read(*(const int *)ctx, data, size, ret_n, e);
}

static bool is_same(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_mode == b->stx_mode &&
	       a->stx_size == b->stx_size && a->stx_mtime.tv_sec == b->stx_mtime.tv_sec &&
	       a->stx_mtime.tv_nsec == b->stx_mtime.tv_nsec;
}

static int read_file(
	struct walk *w, const struct found *f, struct inode *inode, struct error *e)
{
	autofd fd = -1;
	const struct input in = { .read = read_fd, .ctx = &fd };
	struct statx after;
	int r;

	/* O_NONBLOCK: what was a file a moment ago may be a fifo now. */
	fd = openat(f->dir, f->name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open");
	r = contents_put(w->source->contents, &in, f->st.stx_size, &inode->content, e);
	if (r < 0)
		return r;
	inode->size = f->st.stx_size;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_WANTED, &after) < 0)
		return err_sys(e, "stat");
	if (!is_same(&f->st, &after))
		return err_set(e, E_INPUT, "changed while it was read");
	return 0;
}

static int read_link(
	struct walk *w, const struct found *f, struct inode *inode, struct error *e)
{
	char target[MANIFEST_TARGET_MAX + 1];
	ssize_t n = readlinkat(f->dir, f->name, target, sizeof(target));

	if (n < 0)
		return err_sys(e, "readlink");
	if (n == (ssize_t)sizeof(target))
		return err_set(e, E_INPUT, "target of the symbolic link over 4095 bytes");
	inode->target = xstrndup(target, (size_t)n);
	return contents_put_bytes(w->source->contents, bytes_of(inode->target), e);
}

/* --- the walk --------------------------------------------------------------------- */

static bool type_of(unsigned mode, enum entry_type *ret)
{
	static const struct {
		unsigned format;
		enum entry_type type;
	} types[] = {
		{ S_IFDIR, ENTRY_DIR },
		{ S_IFREG, ENTRY_FILE },
		{ S_IFLNK, ENTRY_LINK },
		{ S_IFCHR, ENTRY_CHAR },
		{ S_IFBLK, ENTRY_BLOCK },
		{ S_IFIFO, ENTRY_FIFO },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((mode & S_IFMT) == types[i].format) {
			*ret = types[i].type;
			return true;
		}
	return false;
}

static int read_inode(struct walk *w, const struct found *f, enum entry_type type,
	struct inode *ret, struct error *e)
{
	const struct statx *st = &f->st;
	bool device = type == ENTRY_CHAR || type == ENTRY_BLOCK;
	int r = 0;

	*ret = (struct inode){
		.type = type,
		.mode = st->stx_mode & 07777,
		.uid = st->stx_uid,
		.gid = st->stx_gid,
		.mtime = { .tv_sec = st->stx_mtime.tv_sec,
			.tv_nsec = st->stx_mtime.tv_nsec },
		.major = device ? st->stx_rdev_major : 0,
		.minor = device ? st->stx_rdev_minor : 0,
	};
	if (type == ENTRY_FILE)
		r = read_file(w, f, ret, e);
	else if (type == ENTRY_LINK)
		r = read_link(w, f, ret, e);
	return r < 0 ? r : read_xattrs(f, ret, e);
}

static int walk_dir(struct walk *w, int fd, const char *path, struct error *e);

static int enter(struct walk *w, const struct found *f, struct error *e)
{
	autofd fd = openat(f->dir, f->name,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return source_at(e, err_sys(e, "open"), f->path);
	return walk_dir(w, fd, f->path, e);
}

static int add_found(struct walk *w, const struct found *f, struct error *e)
{
	bool shared = f->st.stx_nlink > 1 && !S_ISDIR(f->st.stx_mode);
	struct seen *seen = shared ? seen_find(w, &f->st) : NULL;
	enum entry_type type;
	autoinode inode = { 0 };
	size_t index;
	int r;

	if (seen && seen->index)
		return source_link(w->source, f->path, seen->index - 1, e);
	if (!type_of(f->st.stx_mode, &type))
		return source_at(e, err_set(e, E_INPUT, "unknown file type"), f->path);
	r = read_inode(w, f, type, &inode, e);
	if (r < 0)
		return source_at(e, r, f->path);
	r = source_add(w->source, f->path, &inode, &index, e);
	if (r == 0 && seen)
		seen->index = index + 1;
	return r;
}

static int visit(
	struct walk *w, int dir, const char *name, const char *path, struct error *e)
{
	struct found f = { .dir = dir, .name = name, .path = path };
	int r;

	if (path_is_reserved(path))
		return 0;
	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_WANTED, &f.st) <
		0)
		return source_at(e, err_sys(e, "stat"), path);
	if (S_ISSOCK(f.st.stx_mode)) {
		progress_note(w->source->progress, "%s: a socket, left out", path);
		return 0;
	}
	if (strcmp(path, ".") != 0 && (f.st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return source_at(e,
			err_set(e, E_INPUT,
				"something is mounted here; unmount it, or give a tar as "
				"the "
				"source"),
			path);
	r = add_found(w, &f, e);
	if (r < 0 || !S_ISDIR(f.st.stx_mode) || strcmp(path, ".") == 0)
		return r;
	return enter(w, &f, e);
}

struct listing {
	char **names;
	size_t n;
	size_t cap;
};

static void listing_release(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
}

/* All names first, so that no directory stream stays open on the way down. */
static int list(int fd, struct listing *ret, struct error *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *d;

	if (!dir) {
		int r = err_sys(e, "open");

		if (copy >= 0)
			(void)close(copy); /* the error before is the one to tell */
		return r;
	}
	while (errno = 0, (d = readdir(dir))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		ARRAY_GROW(ret->names, ret->n, ret->cap);
		ret->names[ret->n++] = xstrdup(d->d_name);
	}
	if (errno != 0) {
		int r = err_sys(e, "read the directory");

		(void)closedir(dir);
		return r;
	}
	(void)closedir(dir); /* only read from */
	return 0;
}

static int walk_dir(struct walk *w, int fd, const char *path, struct error *e)
{
	CLEANUP(listing_release) struct listing names = { 0 };
	int r = list(fd, &names, e);

	if (r < 0)
		return source_at(e, r, path);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		autofree char *below = strcmp(path, ".") == 0
					       ? xstrdup(names.names[i])
					       : xasprintf("%s/%s", path, names.names[i]);

		r = visit(w, fd, names.names[i], below, e);
	}
	return r;
}

/* One descriptor is open per level. */
static void allow_depth(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(
		RLIMIT_NOFILE, &limit); /* without it, very deep trees fail to open */
}

int source_read_dir(struct source *s, int fd, struct error *e)
{
	struct walk w = { .source = s };
	int r;

	allow_depth();
	r = visit(&w, fd, ".", ".", e);
	if (r == 0)
		r = walk_dir(&w, fd, ".", e);
	free(w.seen);
	return r;
}
