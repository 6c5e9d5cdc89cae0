/* SPDX-License-Identifier: MIT */
/* The new pack, and out with the old ones: see gather.h. */
#include <endian.h>
#include <libdeflate.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/pack-index.h"
#include "store/server/gather-internal.h"

#define PENDING_SIZE  ((size_t)64 << 10)
#define DISTANCE_MAX  10 /* bytes */
#define HEAD_MAX      10
#define DEFLATE_LEVEL 6
#define SYNC_EVERY                                                                       \
	((uint64_t)8 << 20) /* bytes: root takes a long silence for the end              \
			     */

/* --- copying ---------------------------------------------------------------------- */

static int flush(struct gather *g)
{
	int r = io_write_full(g->pack.fd, g->pending.data, g->pending.size, NULL);

	sha1_update(&g->sum, g->pending.data, g->pending.size);
	buf_reset(&g->pending);
	if (r == 0 && g->size - g->synced >= SYNC_EVERY) {
		g->synced = g->size;
		r = fdatasync(g->pack.fd);
	}
	if (r == 0 && g->tick)
		r = g->tick(g->ctx);
	return r;
}

/* Write `data`, which belongs to an object with the checksum *crc. */
static int put(struct gather *g, const void *data, size_t size, uint32_t *crc)
{
	const char *p = data;

	*crc = libdeflate_crc32(*crc, data, size);
	g->size += size;
	while (size > 0) {
		size_t n = PENDING_SIZE - g->pending.size;

		n = size < n ? size : n;
		buf_add(&g->pending, p, n);
		p += n;
		size -= n;
		if (g->pending.size == PENDING_SIZE && flush(g) < 0)
			return -1;
	}
	return 0;
}

/* 7 bits a byte, the last first, each but the last less one: see pack_read_distance. */
static size_t print_distance(uint64_t n, unsigned char out[DISTANCE_MAX])
{
	unsigned char digits[DISTANCE_MAX];
	size_t at = sizeof(digits);

	digits[--at] = n & 0x7f;
	while (n >>= 7)
		digits[--at] = (unsigned char)(0x80 | (--n & 0x7f));
	memcpy(out, digits + at, sizeof(digits) - at);
	return sizeof(digits) - at;
}

/* 4 and then 7 bits a byte: see pack_read_head. */
static size_t print_head(unsigned type, uint64_t size, unsigned char out[HEAD_MAX])
{
	size_t n = 0;

	out[n] = (unsigned char)(type << 4 | (size & 15));
	for (size >>= 4; size > 0; size >>= 7) {
		out[n++] |= 0x80;
		out[n] = size & 0x7f;
	}
	return n + 1;
}

/* Inflated by who asked for this, deflated here; -1 when that is not given. */
static int put_whole(struct gather *g, const unsigned char *id, uint32_t *crc)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(DEFLATE_LEVEL);
	struct gather_whole whole = { 0 };
	unsigned char head[HEAD_MAX];
	autofree void *deflated = NULL;
	size_t max = 0;
	size_t n = 0;
	int r = c && g->whole ? g->whole(g->ctx, id, &whole) : -1;

	if (r == 0) {
		max = libdeflate_zlib_compress_bound(c, whole.data.size);
		deflated = xmalloc(max);
		n = libdeflate_zlib_compress(
			c, whole.data.data, whole.data.size, deflated, max);
		r = n > 0 ? 0 : -1;
	}
	if (r == 0)
		r = put(g, head, print_head(whole.type, whole.data.size, head), crc);
	if (r == 0)
		r = put(g, deflated, n, crc);
	if (whole.release)
		whole.release(&whole);
	if (c)
		libdeflate_free_compressor(c);
	return r;
}

enum how { AS_IT_STANDS, AFTER_ITS_BASE, WHOLE };

/*
 * How to copy the object at `begin`, whose data begins at *ret_at; of one that stands
 * AFTER_ITS_BASE: *ret_head is the end of its head, *ret_base the base, which was copied
 * before it, or in an earlier pack: only the distance is another.  A base that is left
 * behind makes it WHOLE, as does what libgit2 takes and we do not: a head that is longer
 * than it has to be, a base within another object.
 */
static enum how look(struct gather_pack *old, size_t begin, size_t *ret_at,
	size_t *ret_head, const struct gather_object **ret_base)
{
	struct bytes pack = old->file.pack;
	size_t at = begin;
	size_t distance;
	size_t size;
	unsigned type;

	if (!pack_read_head(pack, &at, &type, &size))
		return WHOLE;
	*ret_at = *ret_head = at;
	if (type >= PACK_COMMIT && type <= PACK_TAG)
		return AS_IT_STANDS;
	if (type == PACK_REF_DELTA) {
		if (pack.size - at < OID_SIZE ||
			!pack_file_find(&old->file, pack.data + at, &distance))
			return WHOLE;
		*ret_base = gather_object_at(old, distance);
		return !*ret_base || (*ret_base)->left ? WHOLE : AS_IT_STANDS;
	}
	if (type != PACK_OFS_DELTA || !pack_read_distance(pack, &at, &distance) ||
		distance == 0 || distance > begin)
		return WHOLE;
	*ret_at = at;
	*ret_base = gather_object_at(old, begin - distance);
	return !*ret_base || (*ret_base)->left ? WHOLE : AFTER_ITS_BASE;
}

static int put_object(struct gather *g, struct gather_pack *old,
	const struct gather_object *o, size_t end, uint32_t *crc)
{
	const unsigned char *data = old->file.pack.data;
	const struct gather_object *base = NULL;
	unsigned char text[DISTANCE_MAX];
	size_t head;
	size_t at;
	enum how how = look(old, o->from, &at, &head, &base);
	size_t n;

	if (how == WHOLE || at > end)
		return put_whole(g, pack_file_id(&old->file, o->at), crc);
	if (how == AS_IT_STANDS)
		return put(g, data + o->from, end - o->from, crc);
	n = print_distance(o->to - base->to, text);
	if (put(g, data + o->from, head - o->from, crc) < 0 || put(g, text, n, crc) < 0)
		return -1;
	return put(g, data + at, end - at, crc);
}

static void add_record(
	struct gather *g, const unsigned char *id, uint64_t offset, uint32_t crc)
{
	struct pack_record *record = g->records.data;

	record += g->n_records++;
	memcpy(record->oid.b, id, OID_SIZE);
	record->crc = crc;
	record->offset = offset;
}

static int copy(
	struct gather *g, struct gather_pack *old, struct gather_object *o, size_t end)
{
	uint32_t crc = 0;

	o->to = g->size;
	if (put_object(g, old, o, end, &crc) < 0)
		return -1;
	add_record(g, pack_file_id(&old->file, o->at), o->to, crc);
	return 0;
}

static int add_loose(struct gather *g, const unsigned char *id)
{
	uint64_t offset = g->size;
	uint32_t crc = 0;

	if (put_whole(g, id, &crc) < 0)
		return -1;
	add_record(g, id, offset, crc);
	return 0;
}

/* It is in the new pack already. */
static int refer(struct gather *g, size_t k, struct gather_object *o)
{
	const struct gather_object *first =
		gather_earlier(g, k, pack_file_id(&g->old[k].file, o->at));

	if (!first)
		return -1;
	o->to = first->to;
	return 0;
}

static int copy_all(struct gather *g, size_t k)
{
	struct gather_pack *old = &g->old[k];

	for (uint32_t i = 0; i < old->file.n; i++) {
		struct gather_object *o = &old->objects[i];
		size_t end = gather_end_of(old, i);

		if (o->left)
			continue;
		if (o->again ? refer(g, k, o) < 0 : copy(g, old, o, end) < 0)
			return -1;
	}
	return 0;
}

static int write_pack(struct gather *g, struct oid *ret)
{
	static const unsigned char magic[] = { 'P', 'A', 'C', 'K', 0, 0, 0, 2 };
	uint32_t count = htobe32(g->n_records + (uint32_t)g->n_loose);
	uint32_t ignored = 0;
	int r = spool_reserve(&g->records, g->dir,
		(g->n_records + g->n_loose) * sizeof(struct pack_record), NULL);

	g->n_records = 0;
	g->synced = 0;
	sha1_start(&g->sum);
	if (r == 0)
		r = newfile_open(g->dir, &g->pack, NULL);
	if (r == 0)
		r = put(g, magic, sizeof(magic), &ignored);
	if (r == 0)
		r = put(g, &count, sizeof(count), &ignored);
	for (size_t k = 0; r == 0 && k < g->n; k++)
		r = copy_all(g, k);
	for (size_t i = 0; r == 0 && i < g->n_loose; i++)
		r = add_loose(g, g->loose[i].b);
	if (r == 0)
		r = flush(g);
	sha1_finish(&g->sum, ret->b);
	return r < 0 ? r : io_write_full(g->pack.fd, ret->b, OID_SIZE, NULL);
}

/* --- instead of the old ones ------------------------------------------------------ */

/* A pack is looked for by its index: that comes last, and goes first. */
static int publish(struct gather *g, const struct oid *sum, const char *name)
{
	struct newfile idx = { .fd = -1 };
	autofree char *idx_name = xasprintf("%s.idx", name);
	autofree char *pack_name = xasprintf("%s.pack", name);
	int r = newfile_open(g->dir, &idx, NULL);

	if (r == 0)
		r = pack_index_write(idx.fd, g->records.data, g->n_records, sum, NULL);
	if (r == 0)
		r = newfile_publish(&g->pack, pack_name, NULL);
	if (r == 0)
		r = newfile_publish(&idx, idx_name, NULL);
	newfile_release(&idx);
	return r < 0 ? r : io_sync(g->dir, NULL);
}

static void remove_old(const struct gather *g, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < g->n; i++) {
		const char *old = g->old[i].name;

		/* One that had it all is the new one itself. */
		if (strncmp(old, name, n) != 0 || strcmp(old + n, ".idx") != 0)
			gather_remove_pack(g, old);
	}
}

bool gather_write(struct gather *g)
{
	char hex[OID_HEX_MAX];
	autofree char *name = NULL;
	struct oid sum;

	if (write_pack(g, &sum) < 0)
		return false;
	oid_hex(&sum, hex);
	name = xasprintf("pack-%s", hex);
	if (publish(g, &sum, name) < 0)
		return false;
	remove_old(g, name);
	return true;
}
