/* SPDX-License-Identifier: MIT */
/* Blobs out of packs: see packs.h. */
#include "store/server/packs.h"

#include <dirent.h>
#include <libdeflate.h>
#include <string.h>

#include "manifest/manifest.h"
#include "store/server/pack-file.h"
#include "store/server/session.h"

#define CHAIN_MAX   64 /* git's own limit is 50 by default */
#define KEEP_BUFFER ((size_t)1 << 20)
/* A delta is a little larger than what it makes at most. */
#define LINK_MAX (MANIFEST_PIECE_MAX + MANIFEST_PIECE_MAX / 8)

struct packs {
	struct pack_file *packs;
	size_t n;
	size_t cap;
};

struct room {
	unsigned char *data;
	size_t cap;
};

struct inflater {
	struct libdeflate_decompressor *d;
	struct room base; /* also the result */
	struct room made;
	struct room delta;
};

/* One object of a chain of deltas: where its deflated data begins, and inflated size. */
struct link {
	const struct pack_file *pack;
	size_t at;
	size_t size;
};

struct packs *packs_open(void)
{
	struct packs *all = xcalloc(1, sizeof(*all));
	autodir d = opendir(GIT_DIR "/objects/pack");
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		size_t n = strlen(entry->d_name);

		if (n <= 4 || strcmp(entry->d_name + n - 4, ".idx") != 0)
			continue;
		ARRAY_GROW(all->packs, all->n, all->cap);
		if (pack_file_open(dirfd(d), entry->d_name, &all->packs[all->n]))
			all->n++;
	}
	return all;
}

void packs_close(struct packs *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		pack_file_close(&p->packs[i]);
	free(p->packs);
	free(p);
}

struct inflater *inflater_new(void)
{
	struct inflater *i = xcalloc(1, sizeof(*i));

	i->d = libdeflate_alloc_decompressor();
	return i;
}

void inflater_free(struct inflater *i)
{
	if (!i)
		return;
	if (i->d)
		libdeflate_free_decompressor(i->d);
	free(i->base.data);
	free(i->made.data);
	free(i->delta.data);
	free(i);
}

static void trim(struct room *r)
{
	if (r->cap <= KEEP_BUFFER)
		return;
	free(r->data);
	*r = (struct room){ 0 };
}

void inflater_trim(struct inflater *i)
{
	trim(&i->base);
	trim(&i->made);
	trim(&i->delta);
}

static void make_room(struct room *r, size_t size)
{
	if (size <= r->cap)
		return;
	free(r->data);
	r->cap = size < KEEP_BUFFER ? KEEP_BUFFER : size;
	r->data = xmalloc(r->cap);
}

/* --- finding ---------------------------------------------------------------------- */

/* From the object at `start` down to the one that is no delta. */
static size_t read_chain(
	const struct pack_file *pack, size_t start, struct link chain[CHAIN_MAX])
{
	for (size_t n = 0; n < CHAIN_MAX; n++) {
		size_t at = start;
		size_t distance;
		unsigned type;

		if (!pack_read_head(pack->pack, &at, &type, &chain[n].size) ||
			chain[n].size > LINK_MAX)
			return 0;
		chain[n].pack = pack;
		if (type == PACK_OFS_DELTA) {
			if (!pack_read_distance(pack->pack, &at, &distance) ||
				distance == 0 || distance > start)
				return 0;
			start -= distance;
		} else if (type == PACK_REF_DELTA) {
			if (pack->pack.size - at < GIT_OID_RAWSZ ||
				!pack_file_find(pack, pack->pack.data + at, &start))
				return 0;
			at += GIT_OID_RAWSZ;
		}
		if (at >= pack->pack.size)
			return 0;
		chain[n].at = at;
		if (type == PACK_BLOB)
			return n + 1;
		if (type != PACK_OFS_DELTA && type != PACK_REF_DELTA)
			return 0;
	}
	return 0;
}

/* --- making ----------------------------------------------------------------------- */

static bool inflate(struct inflater *i, const struct link *l, struct room *into)
{
	size_t used;

	make_room(into, l->size);
	return i->d && libdeflate_zlib_decompress_ex(i->d, l->pack->pack.data + l->at,
			       l->pack->pack.size - l->at, into->data, l->size, &used,
			       NULL) == LIBDEFLATE_SUCCESS;
}

static bool delta_size(struct bytes *delta, size_t *ret)
{
	unsigned shift = 0;
	unsigned char c;

	*ret = 0;
	do {
		if (delta->size == 0 || shift > 28)
			return false;
		c = *delta->data++;
		delta->size--;
		*ret |= (size_t)(c & 0x7f) << shift;
		shift += 7;
	} while (c & 0x80);
	return true;
}

/* Numbers of which the bits of `c` say which bytes are there. */
static bool delta_number(struct bytes *delta, unsigned bits, unsigned n, size_t *ret)
{
	*ret = 0;
	for (unsigned i = 0; i < n; i++) {
		if (!(bits >> i & 1))
			continue;
		if (delta->size == 0)
			return false;
		*ret |= (size_t)*delta->data++ << (8 * i);
		delta->size--;
	}
	return true;
}

/* Copies out of the base, and bytes of the delta's own, until it ends. */
static bool apply(struct bytes delta, struct bytes base, unsigned char *out, size_t size)
{
	size_t done = 0;

	while (delta.size > 0) {
		unsigned char c = *delta.data++;
		const unsigned char *from = delta.data;
		size_t offset = 0;
		size_t n = c;

		delta.size--;
		if (c & 0x80) {
			if (!delta_number(&delta, c, 4, &offset) ||
				!delta_number(&delta, c >> 4 & 7, 3, &n))
				return false;
			n = n ? n : 0x10000;
			if (offset > base.size || n > base.size - offset)
				return false;
			from = base.data + offset;
		} else if (n == 0 || n > delta.size) {
			return false;
		} else {
			delta.data += n;
			delta.size -= n;
		}
		if (n > size - done)
			return false;
		memcpy(out + done, from, n);
		done += n;
	}
	return done == size;
}

/* Put what the delta `l` makes of i->base (of *size bytes) there instead. */
static bool step(struct inflater *i, const struct link *l, size_t *size)
{
	struct room swap;
	struct bytes delta;
	size_t from;
	size_t to;

	if (!inflate(i, l, &i->delta))
		return false;
	delta = (struct bytes){ i->delta.data, l->size };
	if (!delta_size(&delta, &from) || !delta_size(&delta, &to) || from != *size ||
		to > MANIFEST_PIECE_MAX)
		return false;
	make_room(&i->made, to);
	if (!apply(delta, (struct bytes){ i->base.data, from }, i->made.data, to))
		return false;
	swap = i->base;
	i->base = i->made;
	i->made = swap;
	*size = to;
	return true;
}

static bool make(struct inflater *i, const struct link *chain, size_t n, size_t size,
	struct bytes *ret)
{
	size_t have = chain[n - 1].size;

	if (!inflate(i, &chain[n - 1], &i->base))
		return false;
	for (size_t k = n - 1; k > 0; k--)
		if (!step(i, &chain[k - 1], &have))
			return false;
	*ret = (struct bytes){ i->base.data, have };
	return have == size;
}

bool packs_blob(const struct packs *p, const git_oid *id, size_t size,
	struct inflater *inflater, struct bytes *ret)
{
	struct link chain[CHAIN_MAX];
	size_t start;
	size_t n;

	for (size_t i = 0; i < p->n; i++) {
		if (!pack_file_find(&p->packs[i], id->id, &start))
			continue;
		n = read_chain(&p->packs[i], start, chain);
		return n > 0 && make(inflater, chain, n, size, ret);
	}
	return false;
}
