/* SPDX-License-Identifier: MIT */
/*
 * The merge: see walk.h.  Directories are opened one component at a time and never
 * through a symbolic link; the mount they are on is private, so nothing moves below us.
 */
#include "slot/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

/* One directory of the manifest that is open now. */
struct frame {
	DIR *dir; /* NULL: the slot does not have it */
	char *path;
	uint64_t index;
	struct buf text; /* names, NUL-terminated, one after the other */
	char **names;	 /* sorted, into text */
	size_t n_names;
	size_t at;
};

struct walk {
	int root;
	int (*each)(void *ctx, const struct walk_step *step, struct error *e);
	void *ctx;
	struct frame *frames;
	size_t n;
	size_t cap;
};

static void frame_release(struct frame *f)
{
	if (f->dir)
		(void)closedir(f->dir); /* only read from */
	free(f->path);
	free(f->names);
	buf_release(&f->text);
}

static void walk_release(struct walk *w)
{
	while (w->n > 0)
		frame_release(&w->frames[--w->n]);
	free(w->frames);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* As mke2fs makes it. With anything in it, or for others to enter, it is too much. */
static bool is_lost_found(int at, const char *name)
{
	static const char selinux[] = "security.selinux";
	int fd = openat(
		at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
	autodir dir = fd < 0 ? NULL : fdopendir(fd);
	char attributes[64];
	struct dirent *d;
	struct stat st;
	ssize_t n;

	if (!dir) {
		cleanup_fd(&fd);
		return false;
	}
	n = flistxattr(fd, attributes, sizeof(attributes));
	if (fstat(fd, &st) < 0 || st.st_uid != 0 || (st.st_mode & 07077) != 0 ||
		(n != 0 && !(n == sizeof(selinux) && strcmp(attributes, selinux) == 0)))
		return false;
	do {
		errno = 0;
		d = readdir(dir);
	} while (d && (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0));
	return !d && errno == 0;
}

static bool passed_over(const struct frame *f, const char *name)
{
	const char *dir = f->path;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	if (strcmp(dir, ".") == 0)
		return strcmp(name, "lost+found") == 0 &&
		       is_lost_found(dirfd(f->dir), name);
	return strcmp(dir, PATH_OWN) == 0 &&
	       (strcmp(name, "manifest") == 0 || strcmp(name, "release") == 0);
}

static int frame_read(struct frame *f, struct error *e)
{
	size_t cap = 0;
	char *p;

	for (;;) {
		struct dirent *d;

		errno = 0;
		d = readdir(f->dir);
		if (!d)
			break;
		if (passed_over(f, d->d_name))
			continue;
		ARRAY_GROW(f->names, f->n_names, cap);
		f->n_names++;
		buf_add(&f->text, d->d_name, strlen(d->d_name) + 1);
	}
	if (errno != 0)
		return err_sys(e, "%s: read directory", f->path);
	p = f->text.data; /* set only now: the text moved while it grew */
	for (size_t i = 0; i < f->n_names; i++) {
		f->names[i] = p;
		p += strlen(p) + 1;
	}
	if (f->n_names > 0)
		qsort(f->names, f->n_names, sizeof(*f->names), compare_names);
	return 0;
}

static struct frame *top(const struct walk *w)
{
	return &w->frames[w->n - 1];
}

static int top_fd(const struct walk *w)
{
	return w->n > 0 && top(w)->dir ? dirfd(top(w)->dir) : -1;
}

/* Enter the directory of `step`; `exists`: the slot has one there, too. */
static int push(
	struct walk *w, const struct walk_step *step, bool exists, struct error *e)
{
	struct frame f = { .index = step->index };
	int above = w->n > 0 ? top_fd(w) : w->root;
	int r = 0;

	if (exists) {
		int fd = openat(above, step->name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);

		if (fd < 0)
			return err_sys(e, "%s: open directory", step->path);
		f.dir = fdopendir(fd);
		if (!f.dir) {
			(void)close(fd);
			return err_sys(e, "%s: open directory", step->path);
		}
	}
	f.path = xstrdup(step->path);
	if (exists)
		r = frame_read(&f, e);
	if (r < 0) {
		frame_release(&f);
		return r;
	}
	ARRAY_GROW(w->frames, w->n, w->cap);
	w->frames[w->n++] = f;
	return 0;
}

static int stat_step(struct walk_step *step, struct error *e)
{
	if (fstatat(step->dirfd, step->name, &step->st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "%s: stat", step->path);
	return 0;
}

static int emit_extra(struct walk *w, const char *name, struct error *e)
{
	const struct frame *f = top(w);
	bool at_root = strcmp(f->path, ".") == 0;
	autofree char *path = at_root ? xstrdup(name) : xasprintf("%s/%s", f->path, name);
	struct walk_step step = {
		.what = WALK_EXTRA,
		.parent = f->index,
		.path = path,
		.dirfd = top_fd(w),
		.name = name,
	};
	int r = stat_step(&step, e);

	return r < 0 ? r : w->each(w->ctx, &step, e);
}

/* Everything of the innermost directory that sorts before `name`; NULL: all the rest. */
static int emit_extras(struct walk *w, const char *name, struct error *e)
{
	int r = 0;

	while (r == 0 && top(w)->at < top(w)->n_names) {
		struct frame *f = top(w);

		if (name && strcmp(f->names[f->at], name) >= 0)
			return 0;
		r = emit_extra(w, f->names[f->at++], e);
	}
	return r;
}

/* Leave directories until `path`'s own is the innermost. */
static int pop_until(struct walk *w, const char *path, size_t dir_size, struct error *e)
{
	while (strlen(top(w)->path) != dir_size ||
		memcmp(top(w)->path, path, dir_size) != 0) {
		int r = emit_extras(w, NULL, e);

		if (r < 0)
			return r;
		frame_release(top(w));
		if (--w->n == 0)
			return err_set(e, E_INPUT, "%s: no directory above it", path);
	}
	return 0;
}

static int visit_root(struct walk *w, struct walk_step *step, struct error *e)
{
	int r = 0;

	step->dirfd = w->root;
	step->name = ".";
	step->what = w->root < 0 ? WALK_MISSING : WALK_BOTH;
	if (w->root >= 0)
		r = stat_step(step, e);
	if (r == 0)
		r = w->each(w->ctx, step, e);
	return r < 0 ? r : push(w, step, w->root >= 0, e);
}

static int visit(struct walk *w, struct walk_step *step, struct error *e)
{
	const char *slash = strrchr(step->path, '/');
	struct frame *f;
	int r;

	r = pop_until(
		w, slash ? step->path : ".", slash ? (size_t)(slash - step->path) : 1, e);
	step->name = slash ? slash + 1 : step->path;
	if (r == 0)
		r = emit_extras(w, step->name, e);
	if (r < 0)
		return r;
	f = top(w);
	step->parent = f->index;
	step->dirfd = top_fd(w);
	step->what = WALK_MISSING;
	if (f->at < f->n_names && strcmp(f->names[f->at], step->name) == 0) {
		f->at++;
		step->what = WALK_BOTH;
		r = stat_step(step, e);
	}
	if (r == 0)
		r = w->each(w->ctx, step, e);
	if (r < 0 || step->entry->type != ENTRY_DIR)
		return r;
	return push(w, step, step->what == WALK_BOTH && S_ISDIR(step->st.st_mode), e);
}

int walk_slot(int root, struct bytes manifest,
	int (*each)(void *ctx, const struct walk_step *step, struct error *e), void *ctx,
	struct error *e)
{
	autoreader reader = manifest_reader_new(manifest);
	CLEANUP(walk_release)
	struct walk w = { .root = root, .each = each, .ctx = ctx };
	struct entry entry;
	uint64_t index = 0;
	int r;

	for (; (r = manifest_next(reader, &entry, e)) > 0; index++) {
		struct walk_step step = {
			.entry = &entry,
			.index = index,
			.offset = manifest_offset(reader),
			.path = entry.path,
		};

		if (path_within(entry.path, "lost+found"))
			continue;
		r = strcmp(entry.path, ".") == 0 ? visit_root(&w, &step, e)
						 : visit(&w, &step, e);
		if (r < 0)
			return r;
	}
	while (r == 0 && w.n > 0) {
		r = emit_extras(&w, NULL, e);
		if (r == 0)
			frame_release(&w.frames[--w.n]);
	}
	return r;
}
