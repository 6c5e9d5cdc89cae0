/* SPDX-License-Identifier: MIT */
/*
 * Local contents: see source.h.  The table holds 24 bytes for every file and piece of
 * the two manifests, and is made at the first question.
 */
#include "slot/source.h"

#include <fcntl.h>
#include <string.h>

#include "base/beneath.h"
#include "base/io.h"
#include "slot/mount.h"
#include "slot/verify.h"

#define FROM_BOOTED 0
#define FROM_TARGET 1
#define FROM_COUNT  2
#define WHOLE	    UINT32_MAX

struct item {
	uint64_t key;	 /* the digest's first bytes */
	uint64_t offset; /* of the entry in its manifest */
	uint32_t piece;	 /* number of the piece, or WHOLE */
	uint8_t from;
	bool used;
};

struct from {
	int root; /* -1: none */
	struct bytes map;
	struct manifest_reader *reader;
};

struct sources {
	struct from from[FROM_COUNT];
	bool loaded;
	struct item *table; /* open addressing, a power of two, at most half full */
	size_t size;
	size_t n;
};

static uint64_t key_of(const struct digest *d)
{
	uint64_t key;

	memcpy(&key, d->b, sizeof(key));
	return key;
}

static struct item *slot_of(struct item *table, size_t size, uint64_t key)
{
	size_t i = (size_t)key & (size - 1);

	while (table[i].used && table[i].key != key)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static void grow(struct sources *s)
{
	size_t size = s->size ? s->size * 2 : 1024;
	struct item *table = xcalloc(size, sizeof(*table));

	for (size_t i = 0; i < s->size; i++)
		if (s->table[i].used)
			*slot_of(table, size, s->table[i].key) = s->table[i];
	free(s->table);
	s->table = table;
	s->size = size;
}

/* The first one stays: the booted slot's files do not go away under us. */
static void add(struct sources *s, const struct digest *d, const struct item *item)
{
	struct item *place;

	if (s->n * 2 >= s->size)
		grow(s);
	place = slot_of(s->table, s->size, key_of(d));
	if (place->used)
		return;
	*place = *item;
	place->key = key_of(d);
	place->used = true;
	s->n++;
}

/* A manifest that cannot be read to its end gives what it gave. */
static void load(struct sources *s, uint8_t from)
{
	struct manifest_reader *reader = s->from[from].reader;
	struct entry entry;

	while (reader && manifest_next(reader, &entry, NULL) > 0) {
		struct item item = { .offset = manifest_offset(reader), .from = from };

		if (entry.type != ENTRY_FILE || entry.size == 0)
			continue;
		item.piece = WHOLE;
		add(s, &entry.digest, &item);
		for (size_t i = 0; i < entry.n_pieces; i++) {
			item.piece = (uint32_t)i;
			add(s, &entry.pieces[i].digest, &item);
		}
	}
}

static void open_from(struct from *f, int root)
{
	autofd fd = -1;

	f->root = root;
	if (root >= 0 && verify_open_manifest(root, &fd, NULL) == 0 &&
		io_map(fd, &f->map, NULL) == 0)
		f->reader = manifest_reader_new(f->map);
}

/* The booted slot: a view of "/", or (named by --booted) whatever is on its device. */
static int open_booted(const struct install *in)
{
	int root = -1;
	dev_t device;

	if (!in->booted || slot_device(in->booted, &device, NULL) < 0)
		return -1;
	if (mount_clone_root(device, &root, NULL) < 0)
		(void)mount_slot(in->booted->device, false, &root, NULL);
	return root;
}

struct sources *sources_open(const struct install *in, int target)
{
	struct sources *s = xcalloc(1, sizeof(*s));

	open_from(&s->from[FROM_BOOTED], open_booted(in));
	open_from(&s->from[FROM_TARGET], target);
	return s;
}

void sources_close(struct sources *s)
{
	if (!s)
		return;
	for (int i = 0; i < FROM_COUNT; i++) {
		manifest_reader_free(s->from[i].reader);
		io_unmap(&s->from[i].map);
	}
	cleanup_fd(&s->from[FROM_BOOTED].root);
	free(s->table);
	free(s);
}

int sources_find(
	struct sources *s, const struct digest *digest, int *ret_fd, uint64_t *ret_offset)
{
	const struct item *item;
	struct entry entry;
	uint64_t offset = 0;

	if (!s->loaded) {
		s->loaded = true;
		load(s, FROM_BOOTED);
		load(s, FROM_TARGET);
	}
	if (s->n == 0)
		return 0;
	item = slot_of(s->table, s->size, key_of(digest));
	if (!item->used ||
		manifest_at(s->from[item->from].reader, item->offset, &entry, NULL) < 0)
		return 0;
	for (uint32_t i = 0;
		item->piece != WHOLE && i < item->piece && i < entry.n_pieces; i++)
		offset += entry.pieces[i].size;
	if (beneath_open(s->from[item->from].root, entry.path,
		    O_RDONLY | O_NONBLOCK | O_NOATIME, 0, ret_fd, NULL) < 0)
		return 0;
	*ret_offset = offset;
	return 1;
}
