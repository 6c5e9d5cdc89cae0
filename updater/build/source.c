/* SPDX-License-Identifier: MIT */
/* Names and inodes of a source, and the manifest they make: see source.h. */
#include "build/source.h"

#include <inttypes.h>

#include "base/text.h"

#define ID_MAX	    UINT32_C(4294967294)
#define SECONDS_MAX (INT64_C(1) << 53) /* what a manifest takes */

int source_at(struct error *e, int r, const char *path)
{
	autobuf shown = { 0 };

	text_escape(&shown, bytes_of(path), false);
	return err_prefix(e, r, "%.600s", shown.data ? shown.data : "\"\"");
}

static int refuse(struct error *e, const char *path, const char *why)
{
	return source_at(e, err_set(e, E_INPUT, "%s", why), path);
}

void source_init(
	struct source *s, struct contents *contents, const struct progress *progress)
{
	*s = (struct source){ .contents = contents, .progress = progress };
}

static void xattr_release(struct xattr *x)
{
	/* Owned here; const is for the manifest's readers. */
	free((void *)(uintptr_t)x->name);
	free((void *)(uintptr_t)x->value);
}

void inode_release(struct inode *i)
{
	if (!i)
		return;
	free(i->content.pieces);
	free(i->target);
	for (size_t k = 0; k < i->n_xattrs; k++)
		xattr_release(&i->xattrs[k]);
	free(i->xattrs);
	*i = (struct inode){ 0 };
}

void source_release(struct source *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_names; i++)
		free(s->names[i].path);
	for (size_t i = 0; i < s->n_inodes; i++)
		inode_release(&s->inodes[i]);
	free(s->names);
	free(s->inodes);
	*s = (struct source){ 0 };
}

int inode_xattr(
	struct inode *inode, const char *name, struct bytes value, struct error *e)
{
	const char *why = xattr_fault(name);
	unsigned char *copy;
	autobuf shown = { 0 };

	if (!why && value.size > MANIFEST_XATTR_MAX)
		why = "value over 64 KiB";
	if (!why && inode->n_xattrs == MANIFEST_XATTRS_MAX)
		why = "more than 128 attributes";
	for (size_t i = 0; !why && i < inode->n_xattrs; i++)
		if (strcmp(inode->xattrs[i].name, name) == 0)
			why = "stands twice";
	if (why) {
		text_escape(&shown, bytes_of(name), false);
		return err_set(e, E_INPUT, "attribute %.300s: %s", shown.data, why);
	}
	copy = xmalloc(value.size);
	if (value.size)
		memcpy(copy, value.data, value.size);
	inode->xattrs =
		xreallocarray(inode->xattrs, inode->n_xattrs + 1, sizeof(*inode->xattrs));
	inode->xattrs[inode->n_xattrs++] = (struct xattr){
		.name = xstrdup(name), .value = copy, .size = value.size
	};
	return 0;
}

static const char *inode_fault(const struct inode *i)
{
	if (i->uid > ID_MAX || i->gid > ID_MAX)
		return "uid or gid over 4294967294";
	if (i->mtime.tv_sec > SECONDS_MAX || i->mtime.tv_sec < -SECONDS_MAX)
		return "modification time beyond what a manifest can say";
	if (i->major > MANIFEST_MAJOR_MAX || i->minor > MANIFEST_MINOR_MAX)
		return "device number beyond what Linux keeps";
	if (i->type == ENTRY_LINK && (!i->target || !i->target[0]))
		return "symbolic link to nothing";
	if (i->type == ENTRY_LINK && strlen(i->target) > MANIFEST_TARGET_MAX)
		return "target of the symbolic link over 4095 bytes";
	return NULL;
}

static int add_name(struct source *s, const char *path, size_t inode, struct error *e)
{
	const char *why = path_fault(path, strlen(path));

	if (!why && s->n_names == MANIFEST_ENTRIES_MAX)
		why = "too many entries (4,194,304 at most)";
	if (why)
		return refuse(e, path, why);
	ARRAY_GROW(s->names, s->n_names, s->cap_names);
	s->names[s->n_names++] = (struct name){ .path = xstrdup(path), .inode = inode };
	return 0;
}

int source_add(struct source *s, const char *path, struct inode *inode, size_t *ret_index,
	struct error *e)
{
	autoinode owned = *inode;
	const char *why = inode_fault(&owned);
	int r = why ? refuse(e, path, why) : add_name(s, path, s->n_inodes, e);

	*inode = (struct inode){ 0 };
	if (r < 0)
		return r;
	if (ret_index)
		*ret_index = s->n_inodes;
	ARRAY_GROW(s->inodes, s->n_inodes, s->cap_inodes);
	s->inodes[s->n_inodes++] = owned;
	owned = (struct inode){ 0 };
	return 0;
}

int source_link(struct source *s, const char *path, size_t index, struct error *e)
{
	if (s->inodes[index].type == ENTRY_DIR)
		return refuse(e, path, "hard link to a directory");
	return add_name(s, path, index, e);
}

/* --- the whole -------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	const struct name *x = a;
	const struct name *y = b;

	return path_compare(x->path, y->path);
}

static void sort_names(struct source *s)
{
	if (s->n_names > 0)
		qsort(s->names, s->n_names, sizeof(*s->names), by_path);
}

static int by_xattr(const void *a, const void *b)
{
	const struct xattr *x = a;
	const struct xattr *y = b;

	return strcmp(x->name, y->name);
}

/* The names must be in order. */
static const struct inode *find(const struct source *s, const char *path)
{
	struct name key = { .path = (char *)(uintptr_t)path }; /* only compared */
	const struct name *found = NULL;

	if (s->n_names > 0)
		found = bsearch(&key, s->names, s->n_names, sizeof(key), by_path);
	return found ? &s->inodes[found->inode] : NULL;
}

static int add_missing(struct source *s, int64_t time, struct error *e)
{
	static const char *const needed[] = { ".", "usr", "usr/lib", PATH_OWN };
	const size_t n = sizeof(needed) / sizeof(needed[0]);
	bool missing[sizeof(needed) / sizeof(needed[0])];

	for (size_t i = 0; i < n; i++) {
		const struct inode *found = find(s, needed[i]);

		if (found && found->type != ENTRY_DIR)
			return refuse(e, needed[i],
				"must be a directory: osupdate keeps its manifest below "
				"it");
		missing[i] = !found;
	}
	if (missing[0])
		progress_note(s->progress, "the source has no entry for its root "
					   "directory: 0755 root:root is taken");
	for (size_t i = 0; i < n; i++) {
		struct inode dir = { .type = ENTRY_DIR, .mode = 0755 };
		int r;

		if (!missing[i])
			continue;
		dir.mtime.tv_sec = (time_t)time;
		r = source_add(s, needed[i], &dir, NULL, e);
		if (r < 0)
			return r;
	}
	sort_names(s);
	return 0;
}

/* Its directory is there, and is one. */
static int check_parent(const struct source *s, const char *path, struct error *e)
{
	const char *slash = strrchr(path, '/');
	autofree char *parent = NULL;
	const struct inode *found;

	if (!slash) /* below the root, which is there by now */
		return 0;
	parent = xstrndup(path, (size_t)(slash - path));
	found = find(s, parent);
	if (!found)
		return refuse(
			e, path, "the directory it is in is not part of the source");
	if (found->type != ENTRY_DIR)
		return refuse(e, path, "what it is in is not a directory");
	return 0;
}

static int check_order(const struct source *s, struct error *e)
{
	for (size_t i = 0; i < s->n_names; i++) {
		const char *path = s->names[i].path;
		int r;

		if (i > 0 && strcmp(s->names[i - 1].path, path) == 0)
			return refuse(e, path, "stands twice in the source");
		r = check_parent(s, path, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void print(struct inode *i, const char *path, struct buf *out)
{
	const struct entry entry = {
		.type = i->first ? ENTRY_HARD : i->type,
		.mode = i->type == ENTRY_LINK ? 0777 : i->mode,
		.uid = i->uid,
		.gid = i->gid,
		.mtime = i->mtime,
		.size = i->size,
		.digest = i->content.digest,
		.major = i->major,
		.minor = i->minor,
		.path = path,
		.target = i->first ? i->first : i->target,
		.pieces = i->content.pieces,
		.n_pieces = i->first ? 0 : i->content.n_pieces,
		.xattrs = i->xattrs,
		.n_xattrs = i->first ? 0 : i->n_xattrs,
	};

	if (!i->first && i->n_xattrs > 0)
		qsort(i->xattrs, i->n_xattrs, sizeof(*i->xattrs), by_xattr);
	entry_print(&entry, out);
	if (!i->first)
		i->first = path;
}

int source_manifest(struct source *s, int64_t time, struct buf *ret, struct error *e)
{
	struct manifest_sums sums;
	int r;

	sort_names(s);
	r = add_missing(s, time, e);
	if (r == 0)
		r = check_order(s, e);
	if (r < 0)
		return r;
	buf_adds(ret, MANIFEST_HEADER);
	for (size_t i = 0; i < s->n_names; i++)
		print(&s->inodes[s->names[i].inode], s->names[i].path, ret);
	/* What a device would refuse must not be signed. */
	return manifest_check(buf_bytes(ret), &sums, e);
}
