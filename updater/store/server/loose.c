/* SPDX-License-Identifier: MIT */
/* Loose objects: see loose.h. */
#include "store/server/loose.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/io.h"
#include "base/sha1.h"
#include "base/text.h"
#include "manifest/manifest.h"

#define OBJECTS	  GIT_DIR "/objects"
#define LOOSE_MAX (64u << 20) /* bytes; files over 16 MiB are stored in pieces */

static void list_below(int at, const char *two, struct loose *l)
{
	autofd fd = openat(at, two, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	autodir d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (d)
		(void)take_fd(&fd); /* belongs to the stream now */
	while (d && (entry = readdir(d))) {
		char hex[OID_HEX_MAX];
		struct stat st;
		struct oid id;

		if (snprintf(hex, sizeof(hex), "%s%s", two, entry->d_name) !=
				OID_HEX_MAX - 1 ||
			!oid_parse(hex, strlen(hex), &id) ||
			fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		ARRAY_GROW(l->ids, l->n, l->cap);
		l->ids[l->n++] = id;
		l->bytes += (uint64_t)st.st_size;
	}
}

void loose_list(struct loose *ret)
{
	autodir d = opendir(OBJECTS);
	struct dirent *entry;

	*ret = (struct loose){ 0 };
	while (d && (entry = readdir(d)))
		if (strlen(entry->d_name) == 2 && entry->d_name[0] != '.')
			list_below(dirfd(d), entry->d_name, ret);
}

void loose_release(struct loose *l)
{
	free(l->ids);
	*l = (struct loose){ 0 };
}

void loose_remove(const struct loose *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char path[sizeof(OBJECTS) + 2 + OID_HEX_MAX];
		char hex[OID_HEX_MAX];

		oid_hex(&l->ids[i], hex);
		(void)snprintf(path, sizeof(path), OBJECTS "/%.2s/%s", hex, hex + 2);
		(void)unlink(path); /* the next look counts it again */
	}
}

/* --- one ------------------------------------------------------------------------- */

void loose_name(const git_oid *id, char ret[LOOSE_NAME])
{
	git_oid_pathfmt(ret, id);
	ret[LOOSE_NAME - 1] = '\0';
}

/* The size of all of an object whose first bytes are `in`: "type size", NUL, contents. */
static bool read_head(struct bytes in, uint64_t *ret)
{
	static const char *const types[] = { "blob ", "tree ", "commit ", "tag " };
	const unsigned char *start = in.data;
	const unsigned char *nul = in.size ? memchr(in.data, '\0', in.size) : NULL;
	uint64_t size;

	if (!nul)
		return false;
	in.size = (size_t)(nul - in.data);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!text_take(&in, types[i]))
			continue;
		if (!text_u64((const char *)in.data, in.size, MANIFEST_SIZE_MAX, &size))
			return false;
		*ret = size + (uint64_t)(nul + 1 - start);
		return true;
	}
	return false;
}

/* One zlib stream, to its end, of as many bytes as it says, of which `id` is the hash? */
static bool is_object(struct bytes file, const git_oid *id)
{
	unsigned char out[16384];
	unsigned char hash[OID_SIZE];
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)file.data,
		.avail_in = (unsigned)file.size };
	struct sha1 sha1;
	uint64_t size = 0;
	int r = inflateInit(&z);

	sha1_start(&sha1);
	while (r == Z_OK && z.total_out <= size) {
		size_t n;

		z.next_out = out;
		z.avail_out = sizeof(out);
		r = inflate(&z, Z_NO_FLUSH);
		n = sizeof(out) - z.avail_out;
		sha1_update(&sha1, out, n);
		if (z.total_out == n && !read_head((struct bytes){ out, n }, &size))
			break;
	}
	sha1_finish(&sha1, hash);
	(void)inflateEnd(&z);
	return r == Z_STREAM_END && z.avail_in == 0 && z.total_out == size &&
	       memcmp(hash, id->id, OID_SIZE) == 0;
}

static int read_one(
	const char *objects, const git_oid *id, struct buf *ret, struct error *e)
{
	char name[LOOSE_NAME];
	autofree char *path = NULL;
	int r;

	loose_name(id, name);
	path = xasprintf("%s/%s", objects, name);
	r = io_read_file_at(AT_FDCWD, path, LOOSE_MAX, ret, e);
	if (r == E_NOTFOUND)
		return 0;
	if (r < 0)
		return err_set(e, E_REMOTE, "%s: cannot be read", path);
	if (!is_object(buf_bytes(ret), id))
		return err_set(e, E_REMOTE,
			"%s: is damaged; see `git fsck` there, and fetch again", path);
	return 1;
}

int loose_read(const struct object_dirs *dirs, const git_oid *id, struct buf *ret,
	struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < dirs->n; i++)
		r = read_one(dirs->list[i], id, ret, e);
	return r;
}
