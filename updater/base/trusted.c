/* SPDX-License-Identifier: MIT */
/*
 * Paths that only root could have laid: see trusted.h.  Trusts "/" and the kernel; goes
 * component by component, so that what was checked is what is opened next.
 */
#include "base/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"

#define LINKS_MAX 40 /* as the kernel follows, path_resolution(7) */

struct walk {
	const char *path; /* all of it, for errors */
	int at;		  /* the directory reached */
	struct buf shown; /* its path, with a slash at its end */
	char *rest;	  /* what is left of the path */
	unsigned links;
};

static void walk_release(struct walk *w)
{
	cleanup_fd(&w->at);
	buf_release(&w->shown);
	free(w->rest);
}

static int start(struct walk *w, struct error *e)
{
	cleanup_fd(&w->at);
	w->at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	buf_reset(&w->shown);
	buf_adds(&w->shown, "/");
	return w->at < 0 ? err_sys(e, "/") : 0;
}

/* Names in it can be replaced only by root, at least those of what is root's. */
static int check_directory(const struct walk *w, struct error *e)
{
	struct stat st;

	if (fstat(w->at, &st) < 0)
		return err_sys(e, "%s: stat", w->shown.data);
	if (st.st_uid == 0 && (st.st_mode & S_ISVTX))
		return 0;
	return io_require_root_owned(w->at, w->shown.data, e) < 0
		       ? err_prefix(e, E_UNTRUSTED, "%s", w->path)
		       : 0;
}

static int follow(struct walk *w, int link, struct error *e)
{
	char target[PATH_MAX];
	char *rest;
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(e, "%s", w->path);
	if (++w->links > LINKS_MAX) {
		errno = ELOOP;
		return err_sys(e, "%s", w->path);
	}
	target[n] = '\0';
	rest = xasprintf("%s/%s", target, w->rest);
	free(w->rest);
	w->rest = rest;
	return target[0] == '/' ? start(w, e) : 0;
}

/* The next component into `ret`; false at the end of the path. */
static bool take_name(struct walk *w, char ret[NAME_MAX + 2])
{
	const char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");

	if (n == 0)
		return false;
	(void)snprintf(ret, NAME_MAX + 2, "%.*s", (int)(n < INT_MAX ? n : INT_MAX), p);
	memmove(w->rest, p + n, strlen(p + n) + 1);
	return true;
}

/* One component further; *ret_fd is opened when it was the last. */
static int step(struct walk *w, const char *name, int flags, int *ret_fd, struct error *e)
{
	autofree char *shown = xasprintf("%s%s", w->shown.data, name);
	autofd fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", w->path);
	if (S_ISLNK(st.st_mode)) { /* its mode says nothing */
		if (st.st_uid != 0)
			return err_set(e, E_UNTRUSTED,
				"%s: %s: a link of uid %u, not of root: chown -h root it",
				w->path, shown, st.st_uid);
		return follow(w, fd, e);
	}
	if (w->rest[strspn(w->rest, "/")] != '\0') {
		buf_addf(&w->shown, "%s/", name);
		cleanup_fd(&w->at);
		w->at = take_fd(&fd);
		return 0;
	}
	r = io_require_root_owned(fd, shown, e);
	if (r < 0)
		return r;
	*ret_fd = openat(w->at, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	return *ret_fd < 0 ? err_sys(e, "%s", w->path) : 0;
}

static int walk(struct walk *w, int flags, int *ret_fd, struct error *e)
{
	char name[NAME_MAX + 2]; /* one too many is for the kernel to refuse */
	int r = start(w, e);

	while (r == 0 && *ret_fd < 0 && take_name(w, name)) {
		r = check_directory(w, e);
		if (r == 0)
			r = step(w, name, flags, ret_fd, e);
	}
	if (r == 0 && *ret_fd < 0)
		r = err_set(e, E_INPUT, "\"%s\" names no file", w->shown.data);
	return r;
}

int trusted_open(const char *path, int flags, int *ret_fd, struct error *e)
{
	CLEANUP(walk_release) struct walk w = { .path = path, .at = -1 };
	autofd fd = -1;
	int r;

	if (path[0] == '/') {
		w.rest = xstrdup(path);
	} else {
		autofree char *here = getcwd(NULL, 0);

		if (!here)
			return err_sys(e, "%s: the directory we are in", path);
		w.rest = xasprintf("%s/%s", here, path);
	}
	r = walk(&w, flags, &fd, e);
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}

int trusted_read(const char *path, size_t max, struct buf *ret, struct error *e)
{
	autofd fd = -1;
	int r = trusted_open(path, O_RDONLY | O_NONBLOCK, &fd, e);

	return r < 0 ? r : io_read_file(fd, path, max, ret, e);
}
