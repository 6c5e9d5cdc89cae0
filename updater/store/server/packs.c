/* SPDX-License-Identifier: MIT */
/* Blobs out of packs: see packs.h.  The files may be damaged: every offset is checked. */
#include "store/server/packs.h"

#include <dirent.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "manifest/manifest.h"
#include "store/server/session.h"

#define IDX_HEAD    8 /* magic and version */
#define IDX_FANOUT  (256 * 4)
#define IDX_NAMES   (IDX_HEAD + IDX_FANOUT)
#define IDX_LARGE   0x80000000u /* the offset is in the table of 8-byte ones */
#define PACK_TAIL   20		/* its checksum */
#define CHAIN_MAX   64		/* git's own limit is 50 by default */
#define KEEP_BUFFER ((size_t)1 << 20)

enum pack_type { PACK_BLOB = 3, PACK_OFS_DELTA = 6, PACK_REF_DELTA = 7 };

struct pack {
	struct bytes idx;
	struct bytes pack; /* without its checksum */
	uint32_t n;
};

struct packs {
	struct pack *packs;
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
	const struct pack *pack;
	size_t at;
	size_t size;
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void unmap(struct bytes *b)
{
	if (b->data)
		(void)munmap((void *)(uintptr_t)b->data, b->size); /* our own mapping */
	*b = (struct bytes){ 0 };
}

static bool map(int dirfd, const char *name, struct bytes *ret)
{
	autofd fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return false;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return false;
	*ret = (struct bytes){ p, (size_t)st.st_size };
	return true;
}

static bool is_index(struct pack *p)
{
	static const unsigned char magic[IDX_HEAD] = { 0xff, 't', 'O', 'c', 0, 0, 0, 2 };

	if (p->idx.size < IDX_NAMES || memcmp(p->idx.data, magic, sizeof(magic)) != 0)
		return false;
	p->n = be32(p->idx.data + IDX_NAMES - 4);
	/* Names, checksums and offsets, and two checksums of the file. */
	return p->n <= (p->idx.size - IDX_NAMES) / (GIT_OID_RAWSZ + 8) &&
	       p->idx.size - IDX_NAMES - (size_t)p->n * (GIT_OID_RAWSZ + 8) >= 40;
}

static void add(struct packs *all, int dirfd, const char *idx_name)
{
	autofree char *name = xasprintf(
		"%.*s.pack", (int)(strlen(idx_name) - strlen(".idx")), idx_name);
	struct pack p = { 0 };

	if (map(dirfd, idx_name, &p.idx) && is_index(&p) && map(dirfd, name, &p.pack) &&
		p.pack.size > PACK_TAIL) {
		ARRAY_GROW(all->packs, all->n, all->cap);
		p.pack.size -= PACK_TAIL;
		all->packs[all->n++] = p;
		return;
	}
	unmap(&p.idx);
	unmap(&p.pack);
}

struct packs *packs_open(void)
{
	struct packs *all = xcalloc(1, sizeof(*all));
	autodir d = opendir(GIT_DIR "/objects/pack");
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		size_t n = strlen(entry->d_name);

		if (n > 4 && strcmp(entry->d_name + n - 4, ".idx") == 0)
			add(all, dirfd(d), entry->d_name);
	}
	return all;
}

void packs_close(struct packs *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		unmap(&p->packs[i].idx);
		p->packs[i].pack.size += PACK_TAIL;
		unmap(&p->packs[i].pack);
	}
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

/* Where in the pack the object stands. */
static bool find(const struct pack *p, const unsigned char *id, size_t *ret)
{
	const unsigned char *names = p->idx.data + IDX_NAMES;
	const unsigned char *fanout = p->idx.data + IDX_HEAD;
	uint32_t low = id[0] ? be32(fanout + 4 * (id[0] - 1)) : 0;
	uint32_t high = be32(fanout + 4 * id[0]);
	uint32_t at;

	if (high > p->n)
		return false;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order =
			memcmp(names + (size_t)middle * GIT_OID_RAWSZ, id, GIT_OID_RAWSZ);

		if (order == 0) {
			at = be32(names + (size_t)p->n * (GIT_OID_RAWSZ + 4) +
				  (size_t)middle * 4);
			*ret = at;
			return !(at & IDX_LARGE); /* packs over 2 GiB: libgit2's */
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* The head of an object: type and size, 4 and then 7 bits a byte. */
static bool read_head(struct bytes pack, size_t *at, unsigned *ret_type, size_t *ret_size)
{
	unsigned shift = 4;
	unsigned char c;

	if (*at >= pack.size)
		return false;
	c = pack.data[(*at)++];
	*ret_type = c >> 4 & 7;
	*ret_size = c & 15;
	while (c & 0x80) {
		if (*at >= pack.size || shift > 28)
			return false;
		c = pack.data[(*at)++];
		*ret_size |= (size_t)(c & 0x7f) << shift;
		shift += 7;
	}
	/* A delta is a little larger than what it makes at most. */
	return *ret_size <= MANIFEST_PIECE_MAX + MANIFEST_PIECE_MAX / 8;
}

/* How far before the delta its base begins: 7 bits a byte, each but the last plus one. */
static bool read_distance(struct bytes pack, size_t *at, size_t *ret)
{
	size_t n = 0;
	unsigned char c;

	do {
		if (*at >= pack.size || n >> 40)
			return false;
		c = pack.data[(*at)++];
		n = (n << 7) | (c & 0x7f);
		if (c & 0x80)
			n++;
	} while (c & 0x80);
	*ret = n;
	return true;
}

/* From the object at `start` down to the one that is no delta. */
static size_t read_chain(
	const struct pack *pack, size_t start, struct link chain[CHAIN_MAX])
{
	for (size_t n = 0; n < CHAIN_MAX; n++) {
		size_t at = start;
		size_t distance;
		unsigned type;

		if (!read_head(pack->pack, &at, &type, &chain[n].size))
			return 0;
		chain[n].pack = pack;
		if (type == PACK_OFS_DELTA) {
			if (!read_distance(pack->pack, &at, &distance) || distance == 0 ||
				distance > start)
				return 0;
			start -= distance;
		} else if (type == PACK_REF_DELTA) {
			if (at > pack->pack.size - GIT_OID_RAWSZ ||
				!find(pack, pack->pack.data + at, &start))
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
		if (!find(&p->packs[i], id->id, &start))
			continue;
		n = read_chain(&p->packs[i], start, chain);
		return n > 0 && make(inflater, chain, n, size, ret);
	}
	return false;
}
