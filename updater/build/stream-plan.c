/* SPDX-License-Identifier: MIT */
/* See stream-plan.h. */
#include "build/stream-plan.h"

#include <ctype.h>

#define KIND_MAX 12 /* characters of a name's ending that tell what it is */

/* One content of the source or the target, with the file it was first seen in. */
struct item {
	struct stream_content content;
	uint64_t offset; /* in its file */
	uint32_t file;	 /* number in files */
	bool has_base;
	struct stream_content base;
};

struct file {
	char *path;
	char *plain;	  /* the path without digits */
	const char *name; /* last component of path */
	char kind[KIND_MAX + 1];
	size_t first; /* its contents in items */
	size_t n;
};

struct listing {
	struct item *items;
	size_t n;
	size_t cap;
	struct file *files;
	size_t n_files;
	size_t cap_files;
	struct blobs known; /* digests, to have each once */
};

static void listing_release(struct listing *l)
{
	for (size_t i = 0; i < l->n_files; i++) {
		free(l->files[i].path);
		free(l->files[i].plain);
	}
	free(l->files);
	free(l->items);
	blobs_release(&l->known);
}

/* --- listing ---------------------------------------------------------------------- */

static char *without_digits(const char *path)
{
	char *plain = xstrdup(path);
	char *to = plain;

	for (const char *p = path; *p; p++)
		if (!isdigit((unsigned char)*p))
			*to++ = *p;
	*to = '\0';
	return plain;
}

/* "so" of libc.so.6, "gz" of a.1.gz, "" where no short word follows the last dot. */
static void kind_of(const char *name, char ret[KIND_MAX + 1])
{
	const char *dot = strstr(name + (*name == '.'), ".so");
	size_t n;

	if (!dot || (dot[3] && dot[3] != '.'))
		dot = strrchr(name + (*name == '.'), '.');
	n = dot ? strcspn(dot + 1, ".") : 0;
	if (n > KIND_MAX)
		n = 0;
	if (n > 0)
		memcpy(ret, dot + 1, n);
	ret[n] = '\0';
}

static void add_content(struct listing *l, const struct digest *digest, uint64_t size,
	uint64_t offset, bool again)
{
	struct blob *known;

	if (size == 0 || (!again && blobs_find(&l->known, digest)))
		return;
	known = blobs_add(&l->known, digest);
	known->size = size;
	ARRAY_GROW(l->items, l->n, l->cap);
	l->items[l->n++] = (struct item){
		.content = { .digest = *digest, .size = (uint32_t)size },
		.offset = offset,
		.file = (uint32_t)l->n_files,
	};
}

/* `again`: contents that were seen before are listed once more, under their other path.
 */
static void add_file(struct listing *l, const struct entry *entry, bool again)
{
	struct file f = { .path = xstrdup(entry->path), .first = l->n };
	uint64_t offset = 0;

	f.plain = without_digits(f.path);
	f.name = strrchr(f.path, '/') ? strrchr(f.path, '/') + 1 : f.path;
	kind_of(f.name, f.kind);
	if (entry->n_pieces == 0)
		add_content(l, &entry->digest, entry->size, 0, again);
	for (size_t i = 0; i < entry->n_pieces; i++) {
		const struct piece *p = &entry->pieces[i];

		add_content(l, &p->digest, p->size, offset, again);
		offset += p->size;
	}
	f.n = l->n - f.first;
	ARRAY_GROW(l->files, l->n_files, l->cap_files);
	l->files[l->n_files++] = f;
}

static int list(struct listing *l, struct bytes manifest, bool again, struct error *e)
{
	autoreader reader = manifest_reader_new(manifest);
	struct entry entry;
	int got;

	while ((got = manifest_next(reader, &entry, e)) > 0)
		if (entry.type == ENTRY_FILE && entry.size > 0)
			add_file(l, &entry, again);
	return got;
}

/* --- bases ------------------------------------------------------------------------ */

static int by_path(const void *a, const void *b)
{
	const struct file *const *x = a;
	const struct file *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static int by_plain(const void *a, const void *b)
{
	const struct file *const *x = a;
	const struct file *const *y = b;
	int order = strcmp((*x)->plain, (*y)->plain);

	return order ? order : by_path(a, b);
}

static int by_name(const void *a, const void *b)
{
	const struct file *const *x = a;
	const struct file *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	return order ? order : by_path(a, b);
}

/* The source's files in the three orders in which a base is looked for. */
enum { ORDER_PATH, ORDER_PLAIN, ORDER_NAME, ORDER_COUNT };

struct orders {
	struct listing *source;
	const struct file **sorted[ORDER_COUNT];
};

static void orders_make(struct orders *o, struct listing *source)
{
	static int (*const compare[ORDER_COUNT])(
		const void *, const void *) = { by_path, by_plain, by_name };

	o->source = source;
	for (int k = 0; k < ORDER_COUNT; k++) {
		o->sorted[k] = xcalloc(source->n_files + 1, sizeof(*o->sorted[k]));
		for (size_t i = 0; i < source->n_files; i++)
			o->sorted[k][i] = &source->files[i];
		qsort(o->sorted[k], source->n_files, sizeof(*o->sorted[k]), compare[k]);
	}
}

static void orders_release(struct orders *o)
{
	for (int k = 0; k < ORDER_COUNT; k++)
		free(o->sorted[k]);
}

static const char *key_of(const struct file *f, int order)
{
	if (order == ORDER_PATH)
		return f->path;
	return order == ORDER_PLAIN ? f->plain : f->name;
}

/* The first file with that key, or NULL. */
static const struct file *find(const struct orders *o, int order, const char *key)
{
	size_t low = 0;
	size_t high = o->source->n_files;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(key_of(o->sorted[order][middle], order), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == o->source->n_files ||
		strcmp(key_of(o->sorted[order][low], order), key) != 0)
		return NULL;
	return o->sorted[order][low];
}

/* Of several contents of the old file the one that stands where the new one does. */
static void choose_base(const struct orders *o, const struct file *file, struct item *it)
{
	const struct file *old = NULL;

	for (int k = 0; !old && k < ORDER_COUNT; k++)
		old = find(o, k, key_of(file, k));
	if (!old || old->n == 0)
		return;
	it->base = o->source->items[old->first].content;
	for (size_t i = 1; i < old->n; i++) {
		const struct item *piece = &o->source->items[old->first + i];

		if (piece->offset <= it->offset)
			it->base = piece->content;
	}
	it->has_base = true;
}

/* --- order and frames ------------------------------------------------------------- */

struct ordered {
	const struct item *item;
	const struct file *file;
};

/* Like by like: kind, then place.  Paths of contents differ, or their offsets do. */
static int by_likeness(const void *a, const void *b)
{
	const struct ordered *x = a;
	const struct ordered *y = b;
	int order = (int)x->item->has_base - (int)y->item->has_base;

	if (order == 0)
		order = strcmp(x->file->kind, y->file->kind);
	if (order == 0)
		order = strcmp(x->file->path, y->file->path);
	if (order == 0)
		order = x->item->offset < y->item->offset ? -1 : 1;
	return order;
}

static void begin_frame(struct stream_plan *p)
{
	ARRAY_GROW(p->frames, p->n_frames, p->cap_frames);
	p->frames[p->n_frames++] = (struct stream_frame){
		.first = (uint32_t)p->n_contents,
		.at = p->n_bases, /* where its bases begin */
	};
}

static void add_to_frame(struct stream_plan *p, const struct item *it)
{
	struct stream_frame *f = &p->frames[p->n_frames - 1];

	ARRAY_GROW(p->contents, p->n_contents, p->cap_contents);
	p->contents[p->n_contents++] = it->content;
	f->n_contents++;
	f->length += it->content.size;
	p->contents_length += it->content.size;
	if (!it->has_base)
		return;
	ARRAY_GROW(p->bases, p->n_bases, p->cap_bases);
	p->bases[p->n_bases++] = it->base;
	f->n_bases++;
}

static uint64_t weight(const struct item *it)
{
	return it->has_base && it->base.size > it->content.size ? it->base.size
								: it->content.size;
}

/* Does `it` stand beside what is in the frame already? */
static bool shares(uint64_t held, bool held_based, const struct item *it)
{
	uint64_t max = it->has_base ? STREAM_BASED_MAX : STREAM_SHARED_MAX;
	uint64_t alone = it->has_base ? STREAM_BASED_ALONE : STREAM_ALONE_MIN;

	return held > 0 && held_based == it->has_base && weight(it) < alone &&
	       held + weight(it) <= max;
}

static void fill_frames(struct stream_plan *p, const struct ordered *list, size_t n)
{
	uint64_t held = 0; /* 0: what comes next begins a frame */
	bool based = false;
	uint32_t n_held = 0;

	for (size_t i = 0; i < n; i++) {
		const struct item *it = list[i].item;
		uint64_t alone = it->has_base ? STREAM_BASED_ALONE : STREAM_ALONE_MIN;

		if (!shares(held, based, it) || n_held == STREAM_BASES_MAX) {
			begin_frame(p);
			held = 0;
			n_held = 0;
		}
		add_to_frame(p, it);
		n_held++;
		based = it->has_base;
		held = weight(it) < alone ? held + weight(it) : 0;
	}
}

int stream_plan_make(struct bytes target, struct bytes source, struct stream_plan *ret,
	struct error *e)
{
	CLEANUP(listing_release) struct listing new = { 0 };
	CLEANUP(listing_release) struct listing old = { 0 };
	CLEANUP(orders_release) struct orders orders = { 0 };
	autofree struct ordered *list_ = NULL;
	size_t n = 0;
	int r = list(&new, target, false, e);

	if (r == 0 && source.size > 0)
		r = list(&old, source, true, e);
	if (r < 0)
		return r;
	orders_make(&orders, &old);
	list_ = xcalloc(new.n + 1, sizeof(*list_));
	for (size_t i = 0; i < new.n; i++) {
		struct item *it = &new.items[i];
		const struct file *file = &new.files[it->file];

		if (blobs_find(&old.known, &it->content.digest))
			continue;
		choose_base(&orders, file, it);
		list_[n++] = (struct ordered){ it, file };
	}
	qsort(list_, n, sizeof(*list_), by_likeness);
	*ret = (struct stream_plan){ 0 };
	fill_frames(ret, list_, n);
	return 0;
}

void stream_plan_release(struct stream_plan *p)
{
	if (!p)
		return;
	free(p->frames);
	free(p->contents);
	free(p->bases);
	*p = (struct stream_plan){ 0 };
}
