/* SPDX-License-Identifier: MIT */
/* Objects of several packs in one new pack: see gather.h.  The writing is
 * gather-write.c's. */
#include <fcntl.h>
#include <sys/statvfs.h>

#include "store/server/gather-internal.h"

#define ROOM_SPARE 5  /* one part in so many more, to be sure */
#define DEAD_MIN   64 /* 1024ths of a pack that make it worth copying the rest */
#define IDX_OBJECT 32 /* bytes of an index for each object, about */

bool gather_open(struct gather *g, size_t max)
{
	struct dirent *entry;
	autodir d = NULL;

	g->pack.fd = -1;
	g->dir = open(PACK_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (g->dir < 0)
		return false;
	d = opendir(PACK_DIR);
	while (d && (entry = readdir(d))) {
		struct gather_pack old = { 0 };
		size_t n = strlen(entry->d_name);

		if (n <= 4 || strcmp(entry->d_name + n - 4, ".idx") != 0)
			continue;
		if (!pack_file_open(dirfd(d), entry->d_name, &old.file)) {
			g->unreadable = true;
			continue;
		}
		if (old.file.pack.size > max) {
			pack_file_close(&old.file);
			continue;
		}
		old.name = xstrdup(entry->d_name);
		ARRAY_GROW(g->old, g->n, g->cap);
		g->old[g->n++] = old;
	}
	return true;
}

static void pack_close(struct gather_pack *old)
{
	pack_file_close(&old->file);
	spool_release(&old->spool);
	free(old->name);
}

void gather_drop(struct gather *g, size_t n)
{
	while (g->n > n)
		pack_close(&g->old[--g->n]);
}

void gather_close(struct gather *g)
{
	newfile_release(&g->pack);
	spool_release(&g->records);
	buf_release(&g->pending);
	gather_drop(g, 0);
	free(g->old);
	cleanup_fd(&g->dir);
}

bool gather_has_room(const struct gather *g, uint64_t bytes)
{
	struct statvfs fs;

	return fstatvfs(g->dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize > bytes;
}

/* --- what is in them -------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	uint64_t x = ((const struct gather_object *)a)->from;
	uint64_t y = ((const struct gather_object *)b)->from;

	return x < y ? -1 : x > y;
}

struct gather_object *gather_object_at(const struct gather_pack *old, uint64_t from)
{
	const struct gather_object key = { .from = from };

	return old->file.n ? bsearch(&key, old->objects, old->file.n,
				     sizeof(*old->objects), by_place)
			   : NULL;
}

struct gather_object *gather_earlier(
	const struct gather *g, size_t k, const unsigned char *id)
{
	size_t from;

	for (size_t i = 0; i < k; i++)
		if (pack_file_find(&g->old[i].file, id, &from))
			return gather_object_at(&g->old[i], from);
	return NULL;
}

static bool is_wanted(const struct gather *g, const unsigned char *id)
{
	return !g->wanted || g->wanted(g->ctx, id);
}

size_t gather_end_of(const struct gather_pack *old, uint32_t i)
{
	return i + 1 < old->file.n ? old->objects[i + 1].from : old->file.pack.size;
}

static bool survey(struct gather *g, size_t k)
{
	struct gather_pack *old = &g->old[k];
	const struct pack_file *p = &old->file;
	size_t place = 0;

	if (spool_reserve(&old->spool, g->dir, p->n * sizeof(*old->objects), NULL) < 0)
		return false;
	old->objects = old->spool.data;
	old->n_taken = 0;
	old->taken = 0;
	for (uint32_t at = 0; at < p->n; at++) {
		if (!pack_file_offset(p, at, &place))
			return false;
		old->objects[at] = (struct gather_object){
			.from = place,
			.at = at,
			.left = !is_wanted(g, pack_file_id(p, at)),
		};
		old->objects[at].again =
			!old->objects[at].left &&
			gather_earlier(g, k, pack_file_id(p, at)) != NULL;
		old->n_taken += !old->objects[at].again && !old->objects[at].left;
	}
	if (p->n > 0)
		qsort(old->objects, p->n, sizeof(*old->objects), by_place);
	for (uint32_t i = 0; i < p->n; i++) {
		const struct gather_object *o = &old->objects[i];

		if (o->from < PACK_HEAD || o->from >= p->pack.size ||
			(i > 0 && o->from == o[-1].from))
			return false;
		if (!o->left && !o->again)
			old->taken += gather_end_of(old, i) - o->from + IDX_OBJECT;
	}
	g->n_records += old->n_taken;
	g->bytes += old->taken;
	return true;
}

bool gather_survey(struct gather *g)
{
	g->n_records = 0;
	g->bytes = 0;
	for (size_t k = 0; k < g->n; k++)
		if (!survey(g, k))
			return false;
	return true;
}

void gather_remove_pack(const struct gather *g, const char *idx)
{
	autofree char *pack =
		xasprintf("%.*s.pack", (int)(strlen(idx) - strlen(".idx")), idx);

	if (unlinkat(g->dir, idx, 0) == 0)
		(void)unlinkat(g->dir, pack, 0); /* swept when this fails */
}

bool gather_remove_dead(struct gather *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct gather_pack old = g->old[i];

		if (old.n_taken > 0) {
			g->old[n++] = old;
			continue;
		}
		gather_remove_pack(g, old.name);
		pack_close(&old);
	}
	if (n == g->n)
		return false;
	g->n = n;
	return true;
}

/* How much of a pack is of no use, in 1024ths. */
static uint64_t dead_share(const struct gather_pack *p)
{
	uint64_t size = p->file.pack.size + (uint64_t)p->file.n * IDX_OBJECT;

	return p->taken < size ? (size - p->taken) * 1024 / size : 0;
}

static int by_dead_share(const void *a, const void *b)
{
	uint64_t x = dead_share(a);
	uint64_t y = dead_share(b);

	return x > y ? -1 : x < y;
}

void gather_fit(struct gather *g)
{
	uint64_t bytes = 0;
	size_t n = 0;

	qsort(g->old, g->n, sizeof(*g->old), by_dead_share);
	for (; n < g->n && dead_share(&g->old[n]) >= DEAD_MIN; n++) {
		bytes += g->old[n].taken;
		if (!gather_has_room(g, bytes + bytes / ROOM_SPARE))
			break;
	}
	gather_drop(g, n);
}
