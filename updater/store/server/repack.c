/* SPDX-License-Identifier: MIT */
/* Many packs become one: see repack.h. */
#include "store/server/repack.h"

#include <endian.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/io.h"
#include "base/newfile.h"
#include "base/pack-index.h"
#include "base/sha1.h"
#include "base/spool.h"
#include "store/server/pack-file.h"
#include "store/server/session.h"

#define PACK_DIR     GIT_DIR "/objects/pack"
#define SMALL_MAX    ((size_t)256 << 20) /* bytes of a pack that may be gathered */
#define BYTES_MAX    ((uint64_t)1 << 30) /* of all that are, at once */
#define PACKS_MAX    64			 /* each has a descriptor open */
#define OBJECTS_MAX  ((uint64_t)1 << 19) /* sorting them takes 16 MiB */
#define PENDING_SIZE ((size_t)64 << 10)
#define DISTANCE_MAX 10 /* bytes */

/* An object of an old pack. */
struct object {
	uint64_t from; /* its place there */
	uint64_t to;   /* and in the new one */
	uint32_t at;   /* in the old index */
	bool again;    /* an earlier pack has it, too */
};

struct old_pack {
	char *name; /* of its index */
	struct pack_file file;
	struct spool spool;
	struct object *objects; /* in the spool, in the order of `from` */
};

struct repack {
	int dir;
	struct old_pack *old; /* the smallest first */
	size_t n;
	size_t cap;
	struct newfile pack;
	uint64_t size;
	struct buf pending; /* the last of `size` bytes */
	struct sha1 sum;
	struct spool records; /* struct pack_record */
	uint32_t n_records;
};

/* --- which ------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
	size_t x = ((const struct old_pack *)a)->file.pack.size;
	size_t y = ((const struct old_pack *)b)->file.pack.size;

	return x < y ? -1 : x > y;
}

static void list(struct repack *rp)
{
	autodir d = opendir(PACK_DIR);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		struct old_pack old = { 0 };
		size_t n = strlen(entry->d_name);

		if (n <= 4 || strcmp(entry->d_name + n - 4, ".idx") != 0 ||
			!pack_file_open(dirfd(d), entry->d_name, &old.file))
			continue;
		if (old.file.pack.size > SMALL_MAX) {
			pack_file_close(&old.file);
			continue;
		}
		old.name = xstrdup(entry->d_name);
		ARRAY_GROW(rp->old, rp->n, rp->cap);
		rp->old[rp->n++] = old;
	}
	if (rp->n > 0)
		qsort(rp->old, rp->n, sizeof(*rp->old), by_size);
}

static void drop(struct repack *rp, size_t n)
{
	while (rp->n > n) {
		struct old_pack *old = &rp->old[--rp->n];

		pack_file_close(&old->file);
		spool_release(&old->spool);
		free(old->name);
	}
}

/* Keep the smallest, up to one that is more than twice as large as all before it. */
static void choose(struct repack *rp)
{
	size_t left = rp->n;
	uint64_t bytes = 0;
	uint64_t objects = 0;
	size_t n = 0;

	for (; n < rp->n; n++, left--) {
		const struct pack_file *p = &rp->old[n].file;

		if ((left < REPACK_MAX / 2 && p->pack.size > 2 * bytes) ||
			bytes + p->pack.size > BYTES_MAX ||
			objects + p->n > OBJECTS_MAX || n == PACKS_MAX)
			break;
		bytes += p->pack.size;
		objects += p->n;
	}
	drop(rp, n);
}

static bool has_room(const struct repack *rp)
{
	struct statvfs fs;
	uint64_t bytes = 0;

	for (size_t i = 0; i < rp->n; i++)
		bytes += rp->old[i].file.pack.size + rp->old[i].file.idx.size;
	return fstatvfs(rp->dir, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize > 2 * bytes;
}

/* --- what is in them -------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	uint64_t x = ((const struct object *)a)->from;
	uint64_t y = ((const struct object *)b)->from;

	return x < y ? -1 : x > y;
}

static struct object *object_at(const struct old_pack *old, uint64_t from)
{
	const struct object key = { .from = from };

	return old->file.n ? bsearch(&key, old->objects, old->file.n,
				     sizeof(*old->objects), by_place)
			   : NULL;
}

/* The same object in a pack before number `k`. */
static struct object *earlier(const struct repack *rp, size_t k, const unsigned char *id)
{
	size_t from;

	for (size_t i = 0; i < k; i++)
		if (pack_file_find(&rp->old[i].file, id, &from))
			return object_at(&rp->old[i], from);
	return NULL;
}

static bool survey(struct repack *rp, size_t k)
{
	struct old_pack *old = &rp->old[k];
	const struct pack_file *p = &old->file;
	size_t place = 0;

	if (spool_reserve(&old->spool, rp->dir, p->n * sizeof(*old->objects), NULL) < 0)
		return false;
	old->objects = old->spool.data;
	for (uint32_t at = 0; at < p->n; at++) {
		if (!pack_file_offset(p, at, &place))
			return false;
		old->objects[at] = (struct object){
			.from = place,
			.at = at,
			.again = earlier(rp, k, pack_file_id(p, at)) != NULL,
		};
		rp->n_records += !old->objects[at].again;
	}
	if (p->n > 0)
		qsort(old->objects, p->n, sizeof(*old->objects), by_place);
	for (uint32_t i = 0; i < p->n; i++)
		if (old->objects[i].from < PACK_HEAD ||
			old->objects[i].from >= p->pack.size ||
			(i > 0 && old->objects[i].from == old->objects[i - 1].from))
			return false;
	return true;
}

/* --- copying ---------------------------------------------------------------------- */

static int flush(struct repack *rp)
{
	int r = io_write_full(rp->pack.fd, rp->pending.data, rp->pending.size, NULL);

	sha1_update(&rp->sum, rp->pending.data, rp->pending.size);
	buf_reset(&rp->pending);
	return r;
}

/* Write `data`, which belongs to an object with the checksum *crc. */
static int put(struct repack *rp, const void *data, size_t size, uint32_t *crc)
{
	const char *p = data;

	*crc = libdeflate_crc32(*crc, data, size);
	rp->size += size;
	while (size > 0) {
		size_t n = PENDING_SIZE - rp->pending.size;

		n = size < n ? size : n;
		buf_add(&rp->pending, p, n);
		p += n;
		size -= n;
		if (rp->pending.size == PENDING_SIZE && flush(rp) < 0)
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

/*
 * The head of the object at `begin`, *ret behind it.  The base of a delta was copied
 * before it, or in an earlier pack: only the distance is another.
 */
static int put_head(
	struct repack *rp, struct old_pack *old, size_t begin, size_t *ret, uint32_t *crc)
{
	struct bytes pack = old->file.pack;
	unsigned char text[DISTANCE_MAX];
	uint64_t to = rp->size;
	size_t at = begin;
	const struct object *base;
	size_t distance;
	size_t base_at;
	size_t head;
	size_t size;
	unsigned type;

	if (!pack_read_head(pack, &at, &type, &size))
		return -1;
	head = at;
	*ret = head;
	if (type >= PACK_COMMIT && type <= PACK_TAG)
		return put(rp, pack.data + begin, head - begin, crc);
	if (type == PACK_REF_DELTA)
		return pack.size - at >= OID_SIZE && pack_file_find(&old->file,
							     pack.data + at, &base_at)
			       ? put(rp, pack.data + begin, head - begin, crc)
			       : -1;
	if (type != PACK_OFS_DELTA || !pack_read_distance(pack, &at, &distance) ||
		distance == 0 || distance > begin)
		return -1;
	base = object_at(old, begin - distance);
	if (!base || put(rp, pack.data + begin, head - begin, crc) < 0)
		return -1;
	*ret = at;
	return put(rp, text, print_distance(to - base->to, text), crc);
}

static int copy(struct repack *rp, struct old_pack *old, struct object *o, size_t end)
{
	struct pack_record *record = rp->records.data;
	uint32_t crc = 0;
	size_t at;

	o->to = rp->size;
	if (put_head(rp, old, o->from, &at, &crc) < 0 || at > end ||
		put(rp, old->file.pack.data + at, end - at, &crc) < 0)
		return -1;
	record += rp->n_records++;
	memcpy(record->oid.b, pack_file_id(&old->file, o->at), OID_SIZE);
	record->crc = crc;
	record->offset = o->to;
	return 0;
}

/* It is in the new pack already. */
static int refer(struct repack *rp, size_t k, struct object *o)
{
	const struct object *first =
		earlier(rp, k, pack_file_id(&rp->old[k].file, o->at));

	if (!first)
		return -1;
	o->to = first->to;
	return 0;
}

static int copy_all(struct repack *rp, size_t k)
{
	struct old_pack *old = &rp->old[k];

	for (uint32_t i = 0; i < old->file.n; i++) {
		struct object *o = &old->objects[i];
		size_t end = i + 1 < old->file.n ? o[1].from : old->file.pack.size;

		if (o->again ? refer(rp, k, o) < 0 : copy(rp, old, o, end) < 0)
			return -1;
	}
	return 0;
}

static int write_pack(struct repack *rp, struct oid *ret)
{
	static const unsigned char magic[] = { 'P', 'A', 'C', 'K', 0, 0, 0, 2 };
	uint32_t count = htobe32(rp->n_records);
	uint32_t ignored = 0;
	int r = spool_reserve(
		&rp->records, rp->dir, rp->n_records * sizeof(struct pack_record), NULL);

	rp->n_records = 0;
	sha1_start(&rp->sum);
	if (r == 0)
		r = newfile_open(rp->dir, &rp->pack, NULL);
	if (r == 0)
		r = put(rp, magic, sizeof(magic), &ignored);
	if (r == 0)
		r = put(rp, &count, sizeof(count), &ignored);
	for (size_t k = 0; r == 0 && k < rp->n; k++)
		r = copy_all(rp, k);
	if (r == 0)
		r = flush(rp);
	sha1_finish(&rp->sum, ret->b);
	return r < 0 ? r : io_write_full(rp->pack.fd, ret->b, OID_SIZE, NULL);
}

/* --- instead of the old ones ------------------------------------------------------ */

/* A pack is looked for by its index: that comes last, and goes first. */
static int publish(struct repack *rp, const struct oid *sum, const char *name)
{
	struct newfile idx = { .fd = -1 };
	autofree char *idx_name = xasprintf("%s.idx", name);
	autofree char *pack_name = xasprintf("%s.pack", name);
	int r = newfile_open(rp->dir, &idx, NULL);

	if (r == 0)
		r = pack_index_write(idx.fd, rp->records.data, rp->n_records, sum, NULL);
	if (r == 0)
		r = newfile_publish(&rp->pack, pack_name, NULL);
	if (r == 0)
		r = newfile_publish(&idx, idx_name, NULL);
	newfile_release(&idx);
	return r < 0 ? r : io_sync(rp->dir, NULL);
}

static void remove_old(const struct repack *rp, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < rp->n; i++) {
		char *old = rp->old[i].name;
		autofree char *pack =
			xasprintf("%.*s.pack", (int)(strlen(old) - strlen(".idx")), old);

		/* One that had it all is the new one itself. */
		if (strncmp(old, name, n) == 0 && strcmp(old + n, ".idx") == 0)
			continue;
		if (unlinkat(rp->dir, old, 0) == 0)
			(void)unlinkat(rp->dir, pack, 0); /* swept when this fails */
	}
}

static bool gather(struct repack *rp)
{
	char hex[OID_HEX_MAX];
	autofree char *name = NULL;
	struct oid sum;

	for (size_t k = 0; k < rp->n; k++)
		if (!survey(rp, k))
			return false;
	if (write_pack(rp, &sum) < 0)
		return false;
	oid_hex(&sum, hex);
	name = xasprintf("pack-%s", hex);
	if (publish(rp, &sum, name) < 0)
		return false;
	remove_old(rp, name);
	return true;
}

bool repack(void)
{
	struct repack rp = { .pack.fd = -1 };
	bool done = false;

	rp.dir = open(PACK_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rp.dir < 0)
		return false;
	list(&rp);
	if (rp.n > REPACK_MAX) {
		choose(&rp);
		done = rp.n > 1 && has_room(&rp) && gather(&rp);
	}
	newfile_release(&rp.pack);
	spool_release(&rp.records);
	buf_release(&rp.pending);
	drop(&rp, 0);
	free(rp.old);
	cleanup_fd(&rp.dir);
	return done;
}
