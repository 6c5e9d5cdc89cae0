/* SPDX-License-Identifier: MIT */
/* Many packs become one: see repack.h. */
#include "store/server/repack.h"

#include <stdlib.h>

#include "store/server/gather.h"

#define SMALL_MAX   ((size_t)256 << 20) /* bytes of a pack that may be gathered */
#define BYTES_MAX   ((uint64_t)1 << 30) /* of all that are, at once */
#define PACKS_MAX   64			/* each has a descriptor open */
#define OBJECTS_MAX ((uint64_t)1 << 19) /* sorting them takes 16 MiB */

static int by_size(const void *a, const void *b)
{
	size_t x = ((const struct gather_pack *)a)->file.pack.size;
	size_t y = ((const struct gather_pack *)b)->file.pack.size;

	return x < y ? -1 : x > y;
}

/* Keep the smallest, up to one that is more than twice as large as all before it. */
static void choose(struct gather *g)
{
	size_t left = g->n;
	uint64_t bytes = 0;
	uint64_t objects = 0;
	size_t n = 0;

	qsort(g->old, g->n, sizeof(*g->old), by_size);
	for (; n < g->n; n++, left--) {
		const struct pack_file *p = &g->old[n].file;

		if ((left < REPACK_MAX / 2 && p->pack.size > 2 * bytes) ||
			bytes + p->pack.size > BYTES_MAX ||
			objects + p->n > OBJECTS_MAX || n == PACKS_MAX)
			break;
		bytes += p->pack.size;
		objects += p->n;
	}
	gather_drop(g, n);
}

static bool has_room(const struct gather *g)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < g->n; i++)
		bytes += g->old[i].file.pack.size + g->old[i].file.idx.size;
	return gather_has_room(g, 2 * bytes);
}

bool repack(void)
{
	struct gather g = { 0 };
	bool done = false;

	if (gather_open(&g, SMALL_MAX) && g.n > REPACK_MAX) {
		choose(&g);
		done = g.n > 1 && has_room(&g) && gather_survey(&g) && gather_write(&g);
	}
	gather_close(&g);
	return done;
}
