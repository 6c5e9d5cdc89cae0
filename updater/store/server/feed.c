/* SPDX-License-Identifier: MIT */
/* Copying objects from a repository on this machine: see feed.h. */
#include "store/server/feed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <git2/sys/odb_backend.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "store/server/loose.h"

#define CHUNK (256 * 1024)

static void close_dir(DIR **d)
{
	if (*d)
		(void)closedir(*d); /* opened for reading */
}

static void add_pack(struct feed *f, const char *idx)
{
	git_odb_backend *backend = NULL;
	struct feed_pack p = { 0 };
	autofree char *path = xasprintf("%s/pack/%s", f->dirs.list[0], idx);

	/* An index we cannot use is no error: its objects may stand elsewhere. */
	if (git_odb_backend_one_pack(&backend, path) < 0)
		return;
	if (git_odb_new(&p.odb) < 0) {
		backend->free(backend);
		return;
	}
	if (git_odb_add_backend(p.odb, backend, 1) < 0) {
		backend->free(backend);
		git_odb_free(p.odb);
		return;
	}
	p.name = xstrndup(idx, strlen(idx) - strlen(".idx"));
	ARRAY_GROW(f->packs, f->n_packs, f->cap_packs);
	f->packs[f->n_packs++] = p;
}

static int list_packs(struct feed *f, struct error *e)
{
	autofree char *path = xasprintf("%s/pack", f->dirs.list[0]);
	CLEANUP(close_dir) DIR *d = opendir(path);
	struct dirent *entry;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_set(e, E_REMOTE, "%s: %s", path, strerror(errno));
	while ((entry = readdir(d))) {
		size_t n = strlen(entry->d_name);

		if (n > 4 && strcmp(entry->d_name + n - 4, ".idx") == 0)
			add_pack(f, entry->d_name);
	}
	return 0;
}

int feed_open(struct feed *f, struct session *ss, git_repository *source,
	git_repository *ours, struct error *e)
{
	autofree char *path = xasprintf("%sobjects", git_repository_path(ours));
	autofree char *objects = xasprintf("%sobjects", git_repository_commondir(source));

	f->ss = ss;
	object_dirs_list(objects, &f->dirs);
	f->objects_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->objects_fd < 0)
		return err_set(e, E_SYSTEM, "store: objects: %s", strerror(errno));
	if (git_repository_odb(&f->source, source) < 0 ||
		git_repository_odb(&f->ours, ours) < 0)
		return err_git(e, E_SYSTEM, "store");
	return list_packs(f, e);
}

void feed_release(struct feed *f)
{
	for (size_t i = 0; i < f->n_packs; i++) {
		git_odb_free(f->packs[i].odb);
		free(f->packs[i].name);
	}
	free(f->packs);
	git_odb_free(f->source);
	git_odb_free(f->ours);
	if (f->dirs.n > 0)
		cleanup_fd(&f->objects_fd);
	object_dirs_release(&f->dirs);
	*f = (struct feed){ 0 };
}

static int stream_pack(
	struct feed *f, int fd, git_odb_writepack *out, const char *path, struct error *e)
{
	autofree char *chunk = xmalloc(CHUNK);
	git_indexer_progress stats = { 0 };

	for (;;) {
		size_t n;
		int r = io_read(fd, chunk, CHUNK, &n, e);

		if (r < 0)
			return err_set(e, E_REMOTE, "%s: %s", path, strerror(e->sys));
		if (n == 0)
			break;
		if (out->append(out, chunk, n, &stats) < 0)
			return err_git(e, E_REMOTE, "%s", path);
		f->ss->done[0] += n;
		r = reply_progress(f->ss, e);
		if (r < 0)
			return r;
	}
	if (out->commit(out, &stats) < 0)
		return err_git(e, E_REMOTE, "%s", path);
	return 0;
}

static int take_pack(struct feed *f, struct feed_pack *p, struct error *e)
{
	autofree char *path = xasprintf("%s/pack/%s.pack", f->dirs.list[0], p->name);
	autofd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	git_odb_writepack *out = NULL;
	int r;

	if (fd < 0)
		return err_set(e, E_REMOTE, "%s: %s", path, strerror(errno));
	p->taken = true;
	if (git_odb_write_pack(&out, f->ours, reply_indexed, f->ss) < 0)
		return err_git(e, E_SYSTEM, "store");
	r = stream_pack(f, fd, out, path, e);
	out->free(out);
	if (r == 0 && git_odb_refresh(f->ours) < 0)
		r = err_git(e, E_SYSTEM, "store");
	return r;
}

/* Copy a loose object's file as it is: 1 done, 0 there is none. */
static int copy_loose(struct feed *f, const git_oid *id, struct error *e)
{
	char name[LOOSE_NAME];
	autobuf data = { 0 };
	char tmp[40];
	autofd fd = -1;
	int r = loose_read(&f->dirs, id, &data, e);

	if (r <= 0)
		return r;
	loose_name(id, name);
	(void)snprintf(tmp, sizeof(tmp), "tmp_%.20s", name + 3);
	(void)unlinkat(f->objects_fd, tmp, 0); /* of a fetch that was killed */
	fd = openat(f->objects_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return err_set(e, errno == ENOSPC ? E_SPACE : E_SYSTEM, "store: %s",
			strerror(errno));
	r = io_write_full(fd, data.data, data.size, e);
	if (r < 0)
		return err_prefix(e, r, "store");
	/* No power cut leaves half of it under its name. */
	if (fdatasync(fd) < 0)
		return err_set(e, errno == ENOSPC ? E_SPACE : E_SYSTEM,
			"store: fdatasync: %s", strerror(errno));
	name[2] = '\0';
	(void)mkdirat(f->objects_fd, name, 0700); /* there already, or rename fails */
	name[2] = '/';
	if (renameat(f->objects_fd, tmp, f->objects_fd, name) < 0)
		return err_set(e, errno == ENOSPC ? E_SPACE : E_SYSTEM,
			"store: rename: %s", strerror(errno));
	return 1;
}

/* From packs elsewhere (alternates). */
static int copy_object(struct feed *f, const git_oid *id, struct error *e)
{
	autogit(git_odb_object) object = NULL;
	git_oid written;

	if (git_odb_read(&object, f->source, id) < 0)
		return 0; /* the source lacks it too */
	if (git_odb_write(&written, f->ours, git_odb_object_data(object),
		    git_odb_object_size(object), git_odb_object_type(object)) < 0)
		return err_git(e, E_SYSTEM, "store");
	return 0;
}

int feed_object(struct feed *f, const git_oid *id, struct error *e)
{
	int r = reply_progress(f->ss, e);

	if (r < 0 || git_odb_exists_ext(f->ours, id, GIT_ODB_LOOKUP_NO_REFRESH))
		return r;
	f->ss->done[1]++;
	for (size_t i = 0; i < f->n_packs; i++)
		if (!f->packs[i].taken && git_odb_exists_ext(f->packs[i].odb, id,
						  GIT_ODB_LOOKUP_NO_REFRESH))
			return take_pack(f, &f->packs[i], e);
	r = copy_loose(f, id, e);
	return r == 0 ? copy_object(f, id, e) : r < 0 ? r : 0;
}

int feed_sync(struct feed *f, struct error *e)
{
	if (syncfs(f->objects_fd) < 0)
		return err_set(e, errno == ENOSPC ? E_SPACE : E_SYSTEM,
			"store: syncfs: %s", strerror(errno));
	return 0;
}
