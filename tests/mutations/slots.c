/* SPDX-License-Identifier: MIT */
/*
 * A sealed slot in which one thing is another: its verification tells.  (The long form,
 * on real file systems and with repair, is tests/integration/repair.)
 */
#include "mutate.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/io.h"
#include "device.h"
#include "manifest/manifest.h"
#include "slot/verify.h"

#define PATHS_MAX 512

static struct buf conversation;
static struct attempt attempt;
static char *paths[PATHS_MAX];
static size_t n_paths;

static int note_path(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st;
	(void)what;
	if (ftw->level > 0 && n_paths < PATHS_MAX && !strstr(path, PATH_OWN))
		paths[n_paths++] = xstrdup(path);
	return 0;
}

static void fine(int r, const char *path)
{
	if (r < 0)
		give_up("%s: %s", path, strerror(errno));
}

static void change_contents(struct chance *c, const char *path, struct buf *how)
{
	autobuf in = { 0 };
	autobuf out = { 0 };
	autofd fd = -1;

	load(path, &in);
	mutate(c, buf_bytes(&in), (struct bytes){ 0 }, &out, how);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	fine(fd, path);
	if (io_write_full(fd, out.data, out.size, NULL) < 0)
		give_up("%s: cannot be written", path);
}

static void change_meta(
	struct chance *c, const char *path, const struct stat *st, struct buf *how)
{
	struct timespec times[] = { st->st_atim, st->st_mtim };

	switch (chance_below(c, S_ISLNK(st->st_mode) ? 2 : 4)) {
	case 0:
		fine(lchown(path, st->st_uid + 1u, st->st_gid), path);
		if (!S_ISLNK(st->st_mode)) /* chown clears setuid: one change at a time */
			fine(chmod(path, st->st_mode & 07777), path);
		buf_adds(how, "owner");
		break;
	case 1:
		times[1].tv_nsec = times[1].tv_nsec ? times[1].tv_nsec - 1 : 1;
		fine(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), path);
		buf_adds(how, "mtime");
		return;
	case 2:
		fine(chmod(path, (st->st_mode & 07777) ^ 1u << chance_below(c, 12)),
			path);
		buf_adds(how, "mode");
		break;
	default:
		fine(lsetxattr(path, "trusted.extra", "x", 1, 0), path);
		buf_adds(how, "attribute");
	}
	fine(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), path);
}

/* Names come and go; the directory's time does not tell. */
static void change_names(struct chance *c, const char *path, struct buf *how)
{
	autofree char *dir = xstrdup(path);
	autofree char *extra = NULL;
	struct stat st;
	struct timespec times[2];

	*strrchr(dir, '/') = '\0';
	fine(lstat(dir, &st), dir);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (chance_below(c, 2) == 0 && remove(path) == 0) {
		buf_adds(how, "removed");
	} else {
		extra = xasprintf("%s/extra", dir);
		fine(mkfifo(extra, 0644), extra);
		buf_adds(how, "extra name beside it");
	}
	fine(utimensat(AT_FDCWD, dir, times, 0), dir);
}

static enum verdict try_slot(void *ctx, struct chance *c, struct buf *how)
{
	const char *path = paths[chance_below(c, n_paths)];
	struct verify_sums sums = { 0 };
	struct error e = { 0 };
	autobuf manifest = { 0 };
	autofd root = -1;
	struct stat st;

	(void)ctx;
	device_replay(buf_bytes(&conversation));
	if (device_update(&attempt, &e) < 0)
		give_up("%s", e.text);
	device_replay((struct bytes){ 0 });
	fine(lstat(path, &st), path);
	buf_addf(how, "%s: ", path);
	if (S_ISREG(st.st_mode) && chance_below(c, 2) == 0) {
		const struct timespec times[] = { st.st_atim, st.st_mtim };

		change_contents(c, path, how);
		fine(utimensat(AT_FDCWD, path, times, 0), path);
	} else if (chance_below(c, 3) == 0) {
		change_names(c, path, how);
	} else {
		change_meta(c, path, &st, how);
	}
	root = open("slot-b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	load("manifest.2", &manifest);
	if (verify_slot(root, buf_bytes(&manifest), NULL, NULL, NULL, &sums, &e) < 0)
		give_up("verify: %s", e.text);
	return sums.differences > 0 ? REFUSED : ACCEPTED;
}

const struct campaign *campaign_slots(void)
{
	static const struct campaign k = { .name = "slots", .try = try_slot };
	static const char *options[2];
	struct error e = { 0 };

	options[0] = getenv("URL_OPTION");
	if (!options[0])
		give_up("URL_OPTION is needed");
	attempt = (struct attempt){ .options = options };
	device_forget_store();
	device_record(&conversation);
	if (device_update(&attempt, &e) < 0)
		give_up("release 2 as it should be: %s", e.text);
	device_record(NULL);
	device_remember();
	if (nftw("slot-b", note_path, 16, FTW_PHYS) != 0 || n_paths < 10)
		give_up("slot-b: cannot be listed");
	return &k;
}
