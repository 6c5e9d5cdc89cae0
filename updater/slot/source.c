/* SPDX-License-Identifier: MIT */
/*
 * Local contents: see source.h.  What is wanted goes into a table, 32 bytes for every
 * file and piece; then the lines of the manifests at hand are looked through once for it.
 */
#include "slot/source.h"

#include <fcntl.h>
#include <string.h>

#include "base/beneath.h"
#include "base/io.h"
#include "base/text.h"
#include "slot/mount.h"
#include "slot/verify.h"

#define FROM_BOOTED 0
#define FROM_TARGET 1
#define FROM_COUNT  2
#define HEX_KEY	    16 /* digits of a digest that make a key */

struct item {
	uint64_t key;	 /* the digest's first bytes */
	uint64_t entry;	 /* offset of the file in the manifest it was found in; 0: nowhere
			  */
	uint64_t offset; /* of the piece in that file */
	uint32_t from;
	bool used;
};

struct from {
	int root; /* -1: none */
	struct bytes map;
	struct manifest_reader *reader;
};

struct sources {
	struct from from[FROM_COUNT];
	struct spool table; /* struct item: open addressing, a power of two, half full */
	size_t size;
	bool all;  /* what is found goes into the table, wanted or not */
	bool more; /* the target was not searched yet: it is seldom needed */
};

static uint64_t key_of(const struct digest *d)
{
	uint64_t key;

	memcpy(&key, d->b, sizeof(key));
	return key;
}

static struct item *item_of(const struct sources *s, uint64_t key)
{
	struct item *table = s->table.data;
	size_t i = (size_t)key & (s->size - 1);

	while (table[i].used && table[i].key != key)
		i = (i + 1) & (s->size - 1);
	return &table[i];
}

static void want(struct sources *s, const struct digest *d)
{
	struct item *item = item_of(s, key_of(d));

	*item = (struct item){ .key = key_of(d), .used = true };
}

/* --- what is wanted --------------------------------------------------------------- */

/* Files and pieces to be made, counted (`s` NULL) or put into the table. */
static size_t each_wanted(
	const struct install *in, const struct plan *plan, struct sources *s)
{
	autoreader reader = manifest_reader_new(in->manifest);
	size_t n = 0;

	for (uint64_t i = 0; i < plan->count; i++) {
		struct entry entry;

		/* What can be read from its own place asks for nothing here. */
		if ((plan->entries[i] & (PLAN_MAKE | PLAN_LOCAL)) != PLAN_MAKE ||
			manifest_at(reader, plan->offsets[i], &entry, NULL) < 0 ||
			entry.type != ENTRY_FILE || entry.size == 0)
			continue;
		n += 1 + entry.n_pieces;
		if (s)
			want(s, &entry.digest);
		for (size_t p = 0; s && p < entry.n_pieces; p++)
			want(s, &entry.pieces[p].digest);
	}
	return n;
}

static bool make_table(struct sources *s, const struct install *in, size_t n)
{
	size_t size = 64;

	while (size < 2 * n)
		size *= 2;
	if (n == 0 || spool_reserve(&s->table, in->state_dirfd,
			      size * sizeof(struct item), NULL) < 0)
		return false;
	s->size = size;
	return true;
}

/* --- what is there ---------------------------------------------------------------- */

/* Field `n` of a line, counted from 0. */
static bool field(struct bytes line, unsigned n, struct bytes *ret)
{
	const unsigned char *end = line.data + line.size;
	const unsigned char *space;

	for (;;) {
		space = memchr(line.data, ' ', (size_t)(end - line.data));
		if (n-- == 0)
			break;
		if (!space)
			return false;
		line.data = space + 1;
	}
	*ret = (struct bytes){ line.data, (size_t)((space ? space : end) - line.data) };
	return true;
}

static bool hex_key(struct bytes line, unsigned n, uint64_t *ret)
{
	struct bytes hex;

	return field(line, n, &hex) && hex.size == 2 * DIGEST_SIZE &&
	       sodium_hex2bin((unsigned char *)ret, sizeof(*ret), (const char *)hex.data,
		       HEX_KEY, NULL, NULL, NULL) == 0;
}

/* The first place found stays: the booted slot's files do not go away under us. */
static void found(
	struct sources *s, uint64_t key, uint64_t entry, uint64_t offset, uint32_t from)
{
	struct item *item = item_of(s, key);

	if (s->all && !item->used)
		*item = (struct item){ .key = key, .used = true };
	if (item->used && item->entry == 0) {
		item->entry = entry;
		item->offset = offset;
		item->from = from;
	}
}

/* Lines are believed no more than digests: whoever copies checks what he gets. */
static void search(struct sources *s, uint32_t from)
{
	struct bytes map = s->from[from].map;
	struct bytes line;
	uint64_t entry = 0;
	uint64_t offset = 0;
	size_t at = 0;

	while (manifest_line(map, &at, &line)) {
		struct bytes number;
		uint64_t size;
		uint64_t key;

		if (line.size < 2 || line.data[1] != ' ')
			continue;
		if (line.data[0] == 'f' && hex_key(line, 6, &key)) {
			entry = (uint64_t)(line.data - map.data);
			offset = 0;
			found(s, key, entry, 0, from);
		} else if (line.data[0] == '+' && hex_key(line, 2, &key) &&
			   field(line, 1, &number) &&
			   text_u64((const char *)number.data, number.size,
				   MANIFEST_PIECE_MAX, &size)) {
			found(s, key, entry, offset, from);
			offset += size;
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
	if (mount_clone_root(device, false, &root, NULL) < 0)
		(void)mount_slot(in->booted->device, false, &root, NULL);
	return root;
}

static struct sources *open_slots(const struct install *in, int target)
{
	struct sources *s = xcalloc(1, sizeof(*s));

	open_from(&s->from[FROM_BOOTED], open_booted(in));
	open_from(&s->from[FROM_TARGET], target);
	return s;
}

struct sources *sources_open(
	const struct install *in, const struct plan *plan, int target)
{
	struct sources *s = open_slots(in, target);

	if ((s->from[FROM_BOOTED].reader || s->from[FROM_TARGET].reader) &&
		make_table(s, in, each_wanted(in, plan, NULL))) {
		(void)each_wanted(in, plan, s);
		search(s, FROM_BOOTED);
		search(s, FROM_TARGET);
	}
	return s;
}

/* Files and pieces that a manifest lists. */
static size_t count_contents(struct bytes map)
{
	struct bytes line;
	size_t at = 0;
	size_t n = 0;

	while (manifest_line(map, &at, &line))
		n += line.size > 1 && (line.data[0] == 'f' || line.data[0] == '+');
	return n;
}

struct sources *sources_open_all(const struct install *in, int target)
{
	struct sources *s = open_slots(in, target);

	s->all = true;
	if (make_table(s, in,
		    count_contents(s->from[FROM_BOOTED].map) +
			    count_contents(s->from[FROM_TARGET].map))) {
		search(s, FROM_BOOTED);
		s->more = true;
	}
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
	spool_release(&s->table);
	free(s);
}

/* Where the table says they are, or NULL. */
static const struct item *look_up(struct sources *s, const struct digest *digest)
{
	const struct item *item = s->size ? item_of(s, key_of(digest)) : NULL;

	if (item && item->entry == 0 && s->more) {
		s->more = false;
		search(s, FROM_TARGET);
		item = item_of(s, key_of(digest));
	}
	return item && item->entry != 0 ? item : NULL;
}

int sources_find(
	struct sources *s, const struct digest *digest, int *ret_fd, uint64_t *ret_offset)
{
	const struct item *item = look_up(s, digest);
	struct entry entry;

	if (!item ||
		manifest_at(s->from[item->from].reader, item->entry, &entry, NULL) < 0)
		return 0;
	if (beneath_open(s->from[item->from].root, entry.path,
		    O_RDONLY | O_NONBLOCK | O_NOATIME, 0, ret_fd, NULL) < 0)
		return 0;
	*ret_offset = item->offset;
	return 1;
}
