/* SPDX-License-Identifier: MIT */
/* A tar as a source, read once from front to back: see source.h. */
#include "build/unpack.h"

#include "base/text.h"

/* Names seen so far, for hard links; the names themselves are the source's. */
struct index {
	size_t *slots; /* number of a name + 1 */
	size_t n;
	size_t cap;
};

struct tar {
	struct source *source;
	struct unpack *unpack;
	struct index index;
};

/* --- names ------------------------------------------------------------------------ */

static uint64_t hash_of(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h;
}

static size_t *index_place(const struct tar *t, const struct index *x, const char *path)
{
	size_t at = (size_t)hash_of(path);

	for (;; at++) {
		size_t *slot = &x->slots[at & (x->cap - 1)];

		if (*slot == 0 || strcmp(t->source->names[*slot - 1].path, path) == 0)
			return slot;
	}
}

/* The name that was added last. */
static void index_add(struct tar *t)
{
	struct index *x = &t->index;
	size_t last = t->source->n_names;

	if (x->n >= x->cap / 2) {
		struct index bigger = { .n = x->n, .cap = x->cap ? x->cap * 2 : 1024 };

		bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
		for (size_t i = 0; i < x->cap; i++)
			if (x->slots[i])
				*index_place(t, &bigger,
					t->source->names[x->slots[i] - 1].path) =
					x->slots[i];
		free(x->slots);
		*x = bigger;
	}
	*index_place(t, x, t->source->names[last - 1].path) = last;
	x->n++;
}

/* "./usr/bin/" is usr/bin, "./" the root; anything else stays as it is. */
static char *clean(const char *path)
{
	size_t n;

	while (path[0] == '.' && path[1] == '/')
		for (path += 2; *path == '/';)
			path++;
	n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	return n == 0 ? xstrdup(".") : xstrndup(path, n);
}

/* --- entries ---------------------------------------------------------------------- */

static bool type_of(const struct archive_entry *entry, enum entry_type *ret)
{
	static const struct {
		__LA_MODE_T format;
		enum entry_type type;
	} types[] = {
		{ AE_IFDIR, ENTRY_DIR },
		{ AE_IFREG, ENTRY_FILE },
		{ AE_IFLNK, ENTRY_LINK },
		{ AE_IFCHR, ENTRY_CHAR },
		{ AE_IFBLK, ENTRY_BLOCK },
		{ AE_IFIFO, ENTRY_FIFO },
	};
	/* archive_entry_filetype() only reads; 3.6 has no const there. */
	struct archive_entry *plain = (struct archive_entry *)(uintptr_t)entry;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (archive_entry_filetype(plain) == types[i].format) {
			*ret = types[i].type;
			return true;
		}
	return false;
}

static int read_numbers(struct archive_entry *entry, const struct pax *pax,
	struct inode *ret, struct error *e)
{
	la_int64_t uid = archive_entry_uid(entry);
	la_int64_t gid = archive_entry_gid(entry);

	if (uid < 0 || uid > UINT32_MAX || gid < 0 || gid > UINT32_MAX)
		return err_set(e, E_INPUT, "uid or gid over 4294967294");
	ret->mode = pax->mode;
	ret->uid = (uint32_t)uid;
	ret->gid = (uint32_t)gid;
	ret->mtime.tv_sec = archive_entry_mtime(entry);
	ret->mtime.tv_nsec = archive_entry_mtime_nsec(entry);
	if (pax->has_mtime)
		ret->mtime = pax->mtime;
	if (ret->type != ENTRY_CHAR && ret->type != ENTRY_BLOCK)
		return 0;
	if (archive_entry_rdevmajor(entry) > MANIFEST_MAJOR_MAX ||
		archive_entry_rdevminor(entry) > MANIFEST_MINOR_MAX)
		return err_set(e, E_INPUT, "device number beyond what Linux keeps");
	ret->major = (uint32_t)archive_entry_rdevmajor(entry);
	ret->minor = (uint32_t)archive_entry_rdevminor(entry);
	return 0;
}

static int read_contents(struct tar *t, struct archive_entry *entry,
	const struct pax *pax, struct inode *ret, struct error *e)
{
	const struct input in = { .read = unpack_read, .ctx = t->unpack };
	const char *target;

	if (ret->type == ENTRY_FILE) {
		la_int64_t size = archive_entry_size(entry);

		if (size < 0)
			return err_set(e, E_INPUT, "negative size");
		ret->size = (uint64_t)size;
		return contents_put(
			t->source->contents, &in, ret->size, &ret->content, e);
	}
	if (ret->type != ENTRY_LINK)
		return 0;
	target = pax->link ? pax->link : archive_entry_symlink(entry);
	ret->target = xstrdup(target ? target : "");
	return contents_put_bytes(t->source->contents, bytes_of(ret->target), e);
}

static int add_inode(struct tar *t, const char *path, struct archive_entry *entry,
	struct pax *pax, struct error *e)
{
	autoinode inode = { 0 };
	int r;

	if (!type_of(entry, &inode.type))
		return source_at(
			e, err_set(e, E_INPUT, "unknown type of tar entry"), path);
	r = read_numbers(entry, pax, &inode, e);
	if (r == 0)
		r = read_contents(t, entry, pax, &inode, e);
	if (r == 0)
		r = pax_apply(pax, &inode, e);
	if (r < 0)
		return source_at(e, r, path);
	r = source_add(t->source, path, &inode, NULL, e);
	if (r == 0)
		index_add(t);
	return r;
}

static int add_link(struct tar *t, const char *path, const char *to, struct error *e)
{
	autofree char *target = clean(to);
	autobuf shown = { 0 };
	size_t slot = t->index.cap ? *index_place(t, &t->index, target) : 0;
	int r;

	if (slot == 0) {
		text_escape(&shown, bytes_of(target), false);
		return source_at(e,
			err_set(e, E_INPUT,
				"hard link to \"%.300s\", which is not before it",
				shown.data),
			path);
	}
	r = source_link(t->source, path, t->source->names[slot - 1].inode, e);
	if (r == 0)
		index_add(t);
	return r;
}

static int add_entry(
	struct tar *t, struct archive_entry *entry, struct pax *pax, struct error *e)
{
	const char *link = archive_entry_hardlink(entry);
	const char *raw = archive_entry_pathname(entry);
	autofree char *path = NULL;

	if (pax->sparse_path)
		raw = pax->sparse_path;
	else if (pax->path)
		raw = pax->path;
	if (!raw)
		return err_set(e, E_INPUT, "tar entry without a name");
	path = clean(raw);
	if (path_is_reserved(path))
		return 0;
	/* Before contents are read: a faulty name may stand for anything. */
	if (path_fault(path, strlen(path)))
		return source_at(e,
			err_set(e, E_INPUT, "%s", path_fault(path, strlen(path))), path);
	if (archive_entry_filetype(entry) == AE_IFSOCK) {
		progress_note(t->source->progress, "%s: a socket, left out", path);
		return 0;
	}
	if (link)
		return add_link(t, path, pax->link ? pax->link : link, e);
	return add_inode(t, path, entry, pax, e);
}

int source_read_tar(struct source *s, int fd, struct error *e)
{
	autounpack unpack = NULL;
	struct tar t = { .source = s };
	int got = 1;
	int r = unpack_new(fd, s->progress, &unpack, e);

	t.unpack = unpack;
	while (r == 0 && got > 0) {
		autopax pax = { 0 };
		struct archive_entry *entry;

		got = unpack_next(unpack, &entry, &pax, e);
		r = got < 0 ? got : 0;
		if (got > 0)
			r = add_entry(&t, entry, &pax, e);
	}
	free(t.index.slots);
	return r;
}
