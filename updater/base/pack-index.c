/* SPDX-License-Identifier: MIT */
/* idx v2: fan-out, ids, CRCs, offsets, large offsets, two checksums. */
#include "base/pack-index.h"

#include <endian.h>

#include "base/io.h"
#include "base/sha1.h"

#define LARGE UINT32_C(0x80000000)
#define PIECE ((size_t)64 << 10)

/* What is being written; after an error nothing more is. */
struct writer {
	int fd;
	int r;
	struct error *e;
	struct buf pending;
	struct sha1 sum;
};

static void flush(struct writer *w)
{
	sha1_update(&w->sum, w->pending.data, w->pending.size);
	if (w->r == 0)
		w->r = io_write_full(w->fd, w->pending.data, w->pending.size, w->e);
	w->pending.size = 0;
}

static void put(struct writer *w, const void *data, size_t size)
{
	buf_add(&w->pending, data, size);
	if (w->pending.size >= PIECE)
		flush(w);
}

static void put32(struct writer *w, uint32_t v)
{
	v = htobe32(v);
	put(w, &v, sizeof(v));
}

static int by_oid(const void *a, const void *b)
{
	const struct pack_record *x = a;
	const struct pack_record *y = b;

	return memcmp(x->oid.b, y->oid.b, OID_SIZE);
}

static void put_fanout(struct writer *w, const struct pack_record *records, size_t n)
{
	size_t i = 0;

	for (unsigned byte = 0; byte < 256; byte++) {
		while (i < n && records[i].oid.b[0] <= byte)
			i++;
		put32(w, (uint32_t)i);
	}
}

static void put_offsets(struct writer *w, const struct pack_record *records, size_t n)
{
	uint32_t large = 0;

	for (size_t i = 0; i < n; i++)
		put32(w, records[i].offset < LARGE ? (uint32_t)records[i].offset
						   : LARGE | large++);
	for (size_t i = 0; i < n; i++) {
		uint64_t offset = htobe64(records[i].offset);

		if (records[i].offset >= LARGE)
			put(w, &offset, sizeof(offset));
	}
}

int pack_index_write(int fd, struct pack_record *records, size_t n,
	const struct oid *pack, struct error *e)
{
	struct writer w = { .fd = fd, .e = e };
	struct oid sum;

	sha1_start(&w.sum);
	if (n > 0)
		qsort(records, n, sizeof(*records), by_oid);
	put(&w, "\377tOc\0\0\0\2", 8);
	put_fanout(&w, records, n);
	for (size_t i = 0; i < n; i++)
		put(&w, records[i].oid.b, OID_SIZE);
	for (size_t i = 0; i < n; i++)
		put32(&w, records[i].crc);
	put_offsets(&w, records, n);
	put(&w, pack->b, OID_SIZE);
	flush(&w);
	sha1_finish(&w.sum, sum.b);
	if (w.r == 0)
		w.r = io_write_full(fd, sum.b, OID_SIZE, e);
	buf_release(&w.pending);
	return w.r;
}
