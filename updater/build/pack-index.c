/* SPDX-License-Identifier: MIT */
/* idx v2: fan-out, ids, CRCs, offsets, large offsets, two checksums. */
#include "build/pack-index.h"

#include <endian.h>

#include "base/sha1.h"

#define LARGE UINT32_C(0x80000000)

static void put32(struct buf *out, uint32_t v)
{
	v = htobe32(v);
	buf_add(out, &v, sizeof(v));
}

static int by_oid(const void *a, const void *b)
{
	const struct pack_record *x = a;
	const struct pack_record *y = b;

	return memcmp(x->oid.b, y->oid.b, OID_SIZE);
}

static void put_fanout(const struct pack_record *records, size_t n, struct buf *out)
{
	size_t i = 0;

	for (unsigned byte = 0; byte < 256; byte++) {
		while (i < n && records[i].oid.b[0] <= byte)
			i++;
		put32(out, (uint32_t)i);
	}
}

static void put_offsets(const struct pack_record *records, size_t n, struct buf *out)
{
	uint32_t large = 0;

	for (size_t i = 0; i < n; i++)
		put32(out, records[i].offset < LARGE ? (uint32_t)records[i].offset
						     : LARGE | large++);
	for (size_t i = 0; i < n; i++) {
		uint64_t offset = htobe64(records[i].offset);

		if (records[i].offset >= LARGE)
			buf_add(out, &offset, sizeof(offset));
	}
}

void pack_index_print(
	struct pack_record *records, size_t n, const struct oid *pack, struct buf *out)
{
	size_t begin = out->size;
	struct oid sum;
	struct sha1 st;

	if (n > 0)
		qsort(records, n, sizeof(*records), by_oid);
	buf_add(out, "\377tOc\0\0\0\2", 8);
	put_fanout(records, n, out);
	for (size_t i = 0; i < n; i++)
		buf_add(out, records[i].oid.b, OID_SIZE);
	for (size_t i = 0; i < n; i++)
		put32(out, records[i].crc);
	put_offsets(records, n, out);
	buf_add(out, pack->b, OID_SIZE);
	sha1_start(&st);
	sha1_update(&st, out->data + begin, out->size - begin);
	sha1_finish(&st, sum.b);
	buf_add(out, sum.b, OID_SIZE);
}
