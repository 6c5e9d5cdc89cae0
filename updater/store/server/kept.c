/* SPDX-License-Identifier: MIT */
/* See kept.h. */
#include "store/server/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "store/server/history.h"
#include "store/server/http.h"
#include "store/server/sweep.h"

#define COMMIT_MAX    FRAME_COMMIT_MAX
#define RELEASE_DIR   KEPT_DIR "/release"
#define CHANNEL_DIR   KEPT_DIR "/channel"
#define NEW_NAME      "manifest.new"
#define ETAG_MAX_S    86400 /* seconds that an etag counts */
#define BEGINNING_MAX (STREAM_PROLOGUE + STREAM_HEAD_MAX + STREAM_INDEX_MAX)

static int make_dirs(const char *const *names, struct error *e)
{
	for (; *names; names++)
		if (mkdir(*names, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "store/%s", *names);
	return 0;
}

/* --- channels --------------------------------------------------------------------- */

static char *channel_file(const char *name)
{
	autobuf b = { 0 };

	for (; *name; name++) {
		if (*name == '/')
			buf_adds(&b, "%2F");
		else if (*name == '%')
			buf_adds(&b, "%25");
		else
			buf_add(&b, name, 1);
	}
	return buf_take(&b);
}

static int open_dir(const char *path, int *ret, struct error *e)
{
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret < 0 ? err_sys(e, "store/%s", path) : 0;
}

int kept_channel(const char *name, struct buf *ret_commit, char *etag, struct error *e)
{
	autofree char *file = channel_file(name);
	autobuf text = { 0 };
	autofd dir = -1;
	const char *end;
	int r = open_dir(CHANNEL_DIR, &dir, e);

	etag[0] = '\0';
	if (r == 0)
		r = io_read_file_at(dir, file, COMMIT_MAX + HTTP_ETAG_MAX, &text, e);
	if (r < 0)
		return r;
	end = text.data ? memchr(text.data, '\n', text.size) : NULL;
	if (!end || end - text.data >= HTTP_ETAG_MAX)
		return err_set(e, E_NOTFOUND, "store/%s/%s: damaged", CHANNEL_DIR, file);
	if (io_is_recent(dir, file, ETAG_MAX_S)) {
		memcpy(etag, text.data, (size_t)(end - text.data));
		etag[end - text.data] = '\0';
	}
	buf_add(ret_commit, end + 1, text.size - (size_t)(end + 1 - text.data));
	return 0;
}

int kept_save_channel(
	const char *name, struct bytes commit, const char *etag, struct error *e)
{
	static const char *const dirs[] = { KEPT_DIR, CHANNEL_DIR, NULL };
	autofree char *file = channel_file(name);
	const struct bytes parts[] = { bytes_of(etag), bytes_of("\n"), commit };
	autofd dir = -1;
	int r = make_dirs(dirs, e);

	if (r == 0)
		r = open_dir(CHANNEL_DIR, &dir, e);
	return r < 0 ? r : io_replace_parts_at(dir, file, parts, 3, 0600, e);
}

/* --- releases --------------------------------------------------------------------- */

static int open_release(const struct oid *id, bool make, int *ret, struct error *e)
{
	static const char *const dirs[] = { KEPT_DIR, RELEASE_DIR, NULL };
	char path[sizeof(RELEASE_DIR) + 1 + OID_HEX_MAX];
	char hex[OID_HEX_MAX];
	int r = make ? make_dirs(dirs, e) : 0;

	oid_hex(id, hex);
	(void)snprintf(path, sizeof(path), "%s/%s", RELEASE_DIR, hex);
	if (r == 0 && make && mkdir(path, 0700) < 0 && errno != EEXIST)
		r = err_sys(e, "store/%s", path);
	return r < 0 ? r : open_dir(path, ret, e);
}

static int open_file(const struct oid *id, const char *name, int *ret, struct error *e)
{
	autofd dir = -1;
	int r = open_release(id, false, &dir, e);

	if (r < 0)
		return r;
	*ret = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	return *ret < 0 ? err_sys(e, "store: %s of a release", name) : 0;
}

bool kept_has(const struct oid *id)
{
	autofd head = -1;
	autofd manifest = -1;

	/* The head is written last. */
	return open_file(id, "head", &head, NULL) == 0 &&
	       open_file(id, "manifest", &manifest, NULL) == 0;
}

int kept_head(const struct oid *id, struct buf *ret, struct error *e)
{
	autofd dir = -1;
	int r = open_release(id, false, &dir, e);

	return r < 0 ? r : io_read_file_at(dir, "head", STREAM_HEAD_MAX, ret, e);
}

int kept_manifest(const struct oid *id, int *ret_fd, struct error *e)
{
	return open_file(id, "manifest", ret_fd, e);
}

int kept_begin(const struct oid *id, int *ret_fd, struct error *e)
{
	autofd dir = -1;
	int r = open_release(id, true, &dir, e);

	if (r < 0)
		return r;
	*ret_fd = openat(
		dir, NEW_NAME, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *ret_fd < 0 ? err_sys(e, "store: manifest") : 0;
}

void kept_give_up(const struct oid *id)
{
	autofd dir = -1;

	if (open_release(id, false, &dir, NULL) == 0)
		(void)unlinkat(dir, NEW_NAME, 0); /* there may be none */
}

int kept_save(const struct oid *id, int fd, struct bytes head, struct error *e)
{
	autofd dir = -1;
	int r = open_release(id, true, &dir, e);

	if (r == 0)
		r = io_sync(fd, e);
	if (r == 0 && renameat(dir, NEW_NAME, dir, "manifest") < 0)
		r = err_sys(e, "store: manifest: rename");
	return r < 0 ? r : io_replace_at(dir, "head", head, 0600, e);
}

static void beginning_name(const struct oid *source, char ret[5 + OID_HEX_MAX])
{
	char hex[OID_HEX_MAX];

	if (source)
		oid_hex(source, hex);
	(void)snprintf(ret, 5 + OID_HEX_MAX, "%s%s", source ? "from-" : "full",
		source ? hex : "");
}

int kept_beginning(
	const struct oid *id, const struct oid *source, struct buf *ret, struct error *e)
{
	char name[5 + OID_HEX_MAX];
	autofd dir = -1;
	int r = open_release(id, false, &dir, e);

	beginning_name(source, name);
	return r < 0 ? r : io_read_file_at(dir, name, BEGINNING_MAX, ret, e);
}

int kept_save_beginning(const struct oid *id, const struct oid *source,
	struct bytes beginning, struct error *e)
{
	char name[5 + OID_HEX_MAX];
	autofd dir = -1;
	int r = open_release(id, true, &dir, e);

	beginning_name(source, name);
	return r < 0 ? r : io_replace_at(dir, name, beginning, 0600, e);
}

/* --- looking for one -------------------------------------------------------------- */

struct found {
	struct buf commit;
	struct buf tags;
	int64_t time;
	bool any;
};

static int64_t committed_at(const char *raw)
{
	const char *line = strstr(raw, "\ncommitter ");
	const char *end = line ? strchr(line + 1, '\n') : NULL;
	const char *time = NULL;
	uint64_t seconds;

	for (const char *p = line; end && p < end; p++)
		if (*p == '>' && p[1] == ' ')
			time = p + 2;
	if (!time || !text_u64(time, strcspn(time, " \n"), INT64_MAX, &seconds))
		return 0;
	return (int64_t)seconds;
}

/* Is this commit the one, or a newer one than what was found? */
static bool matches(struct bytes raw, const struct oid *id, const char *key,
	const char *value, const struct found *f, int64_t *ret_time)
{
	autofree char *text = xstrndup((const char *)raw.data, raw.size);
	autofree char *claim = NULL;
	struct oid own = oid_of("commit", raw);

	*ret_time = committed_at(text);
	if (id)
		return oid_equal(&own, id);
	claim = history_claimed(text, key);
	return claim && strcmp(claim, value) == 0 && (!f->any || *ret_time > f->time);
}

/* A damaged head is one that knows nothing. */
static void search_head(struct bytes head, const struct oid *id, const char *key,
	const char *value, struct found *f)
{
	enum stream_item kind;
	struct bytes raw;
	size_t at = 0;
	bool here = false; /* tags that follow are those of what was found */

	while (stream_head_next(head, &at, &kind, &raw, NULL) == 1) {
		int64_t time = 0;

		if (kind == STREAM_TAG) {
			if (here)
				stream_head_add(&f->tags, kind, raw);
			continue;
		}
		here = raw.size <= COMMIT_MAX && matches(raw, id, key, value, f, &time);
		if (!here)
			continue;
		buf_reset(&f->commit);
		buf_reset(&f->tags);
		buf_add(&f->commit, raw.data, raw.size);
		f->time = time;
		f->any = true;
	}
}

int kept_find(const struct oid *id, const char *key, const char *value,
	struct buf *ret_commit, struct buf *ret_tags, struct error *e)
{
	autodir d = opendir(RELEASE_DIR);
	struct found f = { 0 };
	struct dirent *entry;

	(void)e;
	while (d && (entry = readdir(d))) {
		autobuf head = { 0 };
		struct oid release;

		if (!oid_parse(entry->d_name, strlen(entry->d_name), &release) ||
			kept_head(&release, &head, NULL) < 0)
			continue;
		search_head(buf_bytes(&head), id, key, value, &f);
		if (f.any && id)
			break;
	}
	if (f.any) {
		buf_add(ret_commit, f.commit.data, f.commit.size);
		if (ret_tags)
			buf_add(ret_tags, f.tags.data, f.tags.size);
	}
	buf_release(&f.commit);
	buf_release(&f.tags);
	return f.any;
}

/* --- sweeping --------------------------------------------------------------------- */

static void sweep(const char *dir, const struct oid *keep, size_t n)
{
	autodir d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		autofree char *path = xasprintf("%s/%s", dir, entry->d_name);
		struct error ignored; /* next time */
		bool kept = entry->d_name[0] == '.';
		struct oid id;

		for (size_t i = 0; !kept && i < n; i++)
			kept = oid_parse(entry->d_name, strlen(entry->d_name), &id) &&
			       oid_equal(&id, &keep[i]);
		if (!kept)
			(void)remove_tree(path, &ignored);
	}
}

void kept_forget_streams(const struct oid *id)
{
	char path[sizeof(KEPT_AHEAD_DIR "/release/") + OID_HEX_MAX];
	char hex[OID_HEX_MAX];
	struct error ignored; /* what stays is forgotten the next time */
	struct dirent *entry;
	autodir d = NULL;

	oid_hex(id, hex);
	(void)snprintf(path, sizeof(path), "%s/release/%s", KEPT_AHEAD_DIR, hex);
	(void)remove_tree(path, &ignored);
	(void)snprintf(path, sizeof(path), "%s/%s", RELEASE_DIR, hex);
	d = opendir(path);
	while (d && (entry = readdir(d)))
		if (strcmp(entry->d_name, "full") == 0 ||
			strncmp(entry->d_name, "from-", 5) == 0)
			(void)unlinkat(dirfd(d), entry->d_name, 0); /* as above */
}

bool kept_ahead(const struct oid *id)
{
	char path[sizeof(KEPT_AHEAD_DIR "/release//index") + OID_HEX_MAX];
	char hex[OID_HEX_MAX];

	oid_hex(id, hex);
	/* The list is written when the stream is complete. */
	(void)snprintf(path, sizeof(path), "%s/release/%s/index", KEPT_AHEAD_DIR, hex);
	return access(path, F_OK) == 0;
}

void kept_sweep(const struct oid *wanted, const struct oid *held, size_t n_held)
{
	struct oid keep[KEPT_MAX];
	bool is_held = false;

	keep[0] = *wanted;
	for (size_t i = 0; i < n_held && i + 1 < KEPT_MAX; i++) {
		keep[i + 1] = held[i];
		is_held |= oid_equal(&held[i], wanted);
	}
	sweep(RELEASE_DIR, keep, n_held + 1 < KEPT_MAX ? n_held + 1 : KEPT_MAX);
	sweep(KEPT_AHEAD_DIR "/release", wanted, is_held ? 0 : 1);
}
