/* SPDX-License-Identifier: MIT */
/*
 * The whole manifest: what a stream cannot see.  A hard link's target is looked up by
 * bisection in the offsets of all entries that can have links, 8 bytes an entry.
 */
#include "manifest/manifest.h"

struct places {
	uint64_t *at;
	size_t n;
	size_t cap;
};

static void places_release(struct places *p)
{
	free(p->at);
}

static int find_target(const struct places *p, struct manifest_reader *side, const char *target,
	struct error *e)
{
	size_t low = 0;
	size_t high = p->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct entry entry;
		int order;
		int r = manifest_at(side, p->at[middle], &entry, e);

		if (r < 0)
			return r;
		order = path_compare(entry.path, target);
		if (order == 0)
			return 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return err_set(e, E_INPUT, "manifest: a hard link names \"%.200s\", no first of a group",
		target);
}

static int add(struct places *p, const struct manifest_reader *reader,
	struct manifest_reader *side, const struct entry *entry, struct manifest_sums *sums,
	struct error *e)
{
	sums->entries++;
	if (entry->type == ENTRY_HARD)
		return find_target(p, side, entry->target, e);
	sums->inodes++;
	if (entry->type == ENTRY_DIR) {
		sums->directories++;
		return 0;
	}
	if (entry->type == ENTRY_FILE)
		sums->file_bytes += entry->size;
	ARRAY_GROW(p->at, p->n, p->cap);
	p->at[p->n++] = manifest_offset(reader);
	return 0;
}

int manifest_check(struct bytes manifest, struct manifest_sums *ret, struct error *e)
{
	static const char *const own[] = { "usr", "usr/lib", PATH_OWN };
	CLEANUP(places_release) struct places places = { 0 };
	autoreader reader = manifest_reader_new(manifest);
	autoreader side = manifest_reader_new(manifest);
	struct manifest_sums sums = { 0 };
	size_t found = 0;
	struct entry entry;
	int got;

	while ((got = manifest_next(reader, &entry, e)) > 0) {
		int r = add(&places, reader, side, &entry, &sums, e);

		if (r < 0)
			return r;
		if (found < 3 && entry.type == ENTRY_DIR && strcmp(entry.path, own[found]) == 0)
			found++;
	}
	if (got < 0)
		return got;
	if (found < 3)
		return err_set(e, E_INPUT, "manifest: no directory %s", own[found]);
	*ret = sums;
	return 0;
}
