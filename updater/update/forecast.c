/* SPDX-License-Identifier: MIT */
/* See forecast.h: contents of the release that no sealed slot lists are what is wanted.
 */
#include "update/forecast.h"

#include "base/io.h"
#include "manifest/manifest.h"
#include "update/offer.h"

struct keys {
	uint64_t *at; /* first bytes of digests, sorted */
	size_t n;
	size_t cap;
};

struct wanting {
	struct manifest_reader *reader;
	struct entry entry;
	size_t next; /* of the entry's contents; 0: the entry is to be read */
	uint32_t id;
	const struct keys *here;
};

static uint64_t key_of(const struct digest *d)
{
	uint64_t key;

	memcpy(&key, d->b, sizeof(key));
	return key;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Content `i` of a file: the whole, or a piece. */
static bool content(
	const struct entry *entry, size_t i, struct digest *ret, uint64_t *ret_size)
{
	if (entry->type != ENTRY_FILE || entry->size == 0)
		return false;
	if (entry->n_pieces == 0) {
		*ret = entry->digest;
		*ret_size = entry->size;
		return i == 0;
	}
	if (i >= entry->n_pieces)
		return false;
	*ret = entry->pieces[i].digest;
	*ret_size = entry->pieces[i].size;
	return true;
}

static int add_keys(struct keys *keys, struct bytes manifest, struct error *e)
{
	autoreader reader = manifest_reader_new(manifest);
	struct entry entry;
	int got;

	while ((got = manifest_next(reader, &entry, e)) > 0) {
		struct digest d;
		uint64_t size;

		for (size_t i = 0; content(&entry, i, &d, &size); i++) {
			ARRAY_GROW(keys->at, keys->n, keys->cap);
			keys->at[keys->n++] = key_of(&d);
		}
	}
	return got;
}

/* A slot that does not prove itself gives nothing. */
static void add_slot(struct device *d, int slot, struct keys *keys)
{
	autorelease rel = NULL;
	automap map = { 0 };
	struct error ignored;

	if (d->records[slot].contents == SLOT_SEALED &&
		device_slot_release(d, slot, &rel, &ignored) == 0 &&
		device_slot_manifest(d, slot, rel, &map, &ignored) == 0)
		(void)add_keys(keys, map, &ignored);
}

static bool is_here(const struct keys *keys, const struct digest *d)
{
	uint64_t key = key_of(d);

	return keys->n > 0 &&
	       bsearch(&key, keys->at, keys->n, sizeof(key), by_value) != NULL;
}

static int next_want(void *ctx, struct want *ret, struct error *e)
{
	struct wanting *w = ctx;

	for (;;) {
		struct digest d;
		uint64_t size;
		int got;

		while (w->next > 0 && content(&w->entry, w->next - 1, &d, &size)) {
			w->next++;
			if (is_here(w->here, &d))
				continue;
			*ret = (struct want){ .id = w->id++,
				.is_piece = w->entry.n_pieces > 0,
				.digest = d,
				.size = size,
				.path = w->entry.path };
			return 1;
		}
		got = manifest_next(w->reader, &w->entry, e);
		if (got <= 0)
			return got;
		w->next = 1;
	}
}

static int no_want(void *ctx, struct want *ret, struct error *e)
{
	(void)ctx;
	(void)ret;
	(void)e;
	return 0;
}

static int count_wanted(struct device *d, const struct release *rel,
	struct bytes manifest, uint64_t *ret_bytes, struct error *e)
{
	struct keys here = { 0 };
	struct wanting w = { .here = &here, .reader = manifest_reader_new(manifest) };
	const struct contents c = { .next = next_want, .ctx = &w };
	int r;

	for (int i = 0; i < SLOT_COUNT; i++)
		add_slot(d, i, &here);
	if (here.n > 0)
		qsort(here.at, here.n, sizeof(*here.at), by_value);
	r = store_forecast(d->store, &release_info(rel)->commit, &c, ret_bytes, e);
	manifest_reader_free(w.reader);
	free(here.at);
	return r;
}

int forecast_update(
	struct device *d, const struct release *rel, uint64_t *ret_bytes, struct error *e)
{
	const struct contents whole = { .next = no_want };
	automap manifest = { 0 };
	struct store *store;
	int r = device_store(d, &store, e);

	/* A stream that is read as a whole says what it is without being opened. */
	if (r == 0)
		r = store_forecast(
			store, &release_info(rel)->commit, &whole, ret_bytes, e);
	if (r != 0 || !d->config.stream)
		return r;
	r = offer_manifest(d, rel, &manifest, e);
	return r < 0 ? r : count_wanted(d, rel, manifest, ret_bytes, e);
}
