/* SPDX-License-Identifier: MIT */
/* See newfile.h. */
#include "base/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"

int newfile_open(int dir, struct newfile *ret, struct error *e)
{
	struct newfile f = { .fd = -1, .dir = dir };

	f.fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (f.fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		(void)snprintf(f.name, sizeof(f.name), "tmp_pack_%08x%08x",
			randombytes_random(), randombytes_random());
		f.fd = openat(dir, f.name,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (f.fd < 0)
		return err_sys(e, "new file");
	*ret = f;
	return 0;
}

static int link_nameless(const struct newfile *f, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	return linkat(AT_FDCWD, path, f->dir, name, AT_SYMLINK_FOLLOW);
}

int newfile_publish(struct newfile *f, const char *name, struct error *e)
{
	int r;

	if (fchmod(f->fd, 0444) < 0)
		return err_sys(e, "%s: chmod", name);
	r = io_sync(f->fd, e);
	if (r < 0)
		return err_prefix(e, r, "%s", name);
	if (!f->name[0]) {
		if (link_nameless(f, name) < 0 && errno != EEXIST)
			return err_sys(e, "%s: link", name);
		return 0;
	}
	if (renameat(f->dir, f->name, f->dir, name) < 0)
		return err_sys(e, "%s: rename", name);
	f->name[0] = '\0';
	return 0;
}

void newfile_release(struct newfile *f)
{
	if (f->fd < 0)
		return;
	(void)close(f->fd); /* what mattered was synced */
	if (f->name[0])
		(void)unlinkat(f->dir, f->name, 0); /* git gc takes it if this fails */
	f->fd = -1;
}
