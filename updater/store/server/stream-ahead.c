/* SPDX-License-Identifier: MIT */
/*
 * A stream downloaded for later: it lies in a directory that looks like a server's, and
 * is the first place that is asked (streams.h).  A download that broke is carried on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "store/server/kept.h"
#include "store/server/streams-internal.h"

#define CHUNK (256u << 10)

static int open_dir(const struct oid *id, int *ret, struct error *e)
{
	char path[sizeof(KEPT_AHEAD_DIR "/release/") + OID_HEX_MAX];
	const char *const dirs[] = { KEPT_DIR, KEPT_AHEAD_DIR, KEPT_AHEAD_DIR "/release",
		path };
	char hex[OID_HEX_MAX];

	oid_hex(id, hex);
	(void)snprintf(path, sizeof(path), "%s/release/%s", KEPT_AHEAD_DIR, hex);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdir(dirs[i], 0700) < 0 && errno != EEXIST)
			return err_sys(e, "store/%s", dirs[i]);
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret < 0 ? err_sys(e, "store/%s", path) : 0;
}

static int download(
	struct http *h, const char *path, uint64_t size, int fd, struct error *e)
{
	autofree char *chunk = xmalloc(CHUNK);
	struct body *b;
	struct stat st;
	uint64_t at;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	at = (uint64_t)st.st_size;
	if (at > size && ftruncate(fd, (off_t)(at = 0)) < 0)
		return err_sys(e, "%s", path);
	b = body_open(h, path, at, size);
	r = lseek(fd, (off_t)at, SEEK_SET) < 0 ? err_sys(e, "%s", path) : 0;
	while (r == 0 && at < size) {
		size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		r = body_read(b, chunk, n, e);
		if (r == 0)
			r = io_write_full(fd, chunk, n, e);
		at += n;
	}
	body_close(b);
	return r < 0 ? r : io_sync(fd, e);
}

int streams_ahead(struct streams *s, const struct oid *id, struct error *e)
{
	const struct catalog_stream *stream;
	const struct oid *source;
	autofree char *path = NULL;
	autofree char *part = NULL;
	const char *name;
	autobuf text = { 0 };
	autofd dir = -1;
	autofd fd = -1;
	int r = streams_catalog(s, id, e);

	if (r < 0)
		return r;
	source = streams_choose(s);
	if (!source && s->n_have > 0)
		return 0; /* of the full stream only ranges are wanted, when they are */
	path = streams_path(id, source);
	name = strrchr(path, '/') + 1;
	part = xasprintf("%s.part", name);
	stream = catalog_find(&s->catalog, source);
	r = streams_lock(s, e);
	if (r == 0)
		r = open_dir(id, &dir, e);
	if (r < 0 || faccessat(dir, name, F_OK, 0) == 0)
		return r;
	fd = openat(dir, part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "store: %s", part);
	r = download(s->http, path, stream->size, fd, e);
	if (r == E_SPACE) /* whatever it was: nothing else would find room */
		(void)unlinkat(dir, part, 0);
	if (r < 0)
		return r;
	if (renameat(dir, part, dir, name) < 0)
		return err_sys(e, "store: %s: rename", name);
	catalog_print(&s->catalog, &text);
	return io_replace_at(dir, "index", buf_bytes(&text), 0600, e);
}
