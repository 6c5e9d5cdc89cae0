/* SPDX-License-Identifier: MIT */
/* See pack.h. */
#include "pack.h"

#include <zlib.h>

#include "base/digest.h"
#include "base/sha1.h"
#include "store/server/pack-file.h"

/* Inflate what begins at `at`; where it ends is returned. */
static size_t inflate_at(struct bytes pack, size_t at, size_t size, struct buf *ret)
{
	z_stream z = { 0 };
	size_t end;

	buf_reserve(ret, size + 1);
	if (inflateInit(&z) != Z_OK)
		give_up("zlib");
	z.next_in = (unsigned char *)(uintptr_t)(pack.data + at);
	z.avail_in = (unsigned)(pack.size - at);
	z.next_out = (unsigned char *)ret->data;
	z.avail_out = (unsigned)size + 1;
	if (inflate(&z, Z_FINISH) != Z_STREAM_END || z.total_out != size)
		give_up("a pack: an object of another size");
	ret->size = size;
	end = at + z.total_in;
	(void)inflateEnd(&z);
	return end;
}

void pack_parse(struct bytes pack, struct pack_parts *ret)
{
	size_t at = PACK_HEAD;

	ret->pack = pack;
	ret->n = 0;
	pack.size -= OID_SIZE;
	while (at < pack.size && ret->n < PACK_OBJECTS_MAX) {
		struct pack_object *o = &ret->objects[ret->n++];
		autobuf data = { 0 };

		o->at = at;
		if (!pack_read_head(pack, &at, &o->type, &o->size) ||
			o->type == PACK_OFS_DELTA)
			give_up("a pack: an odd object at %zu", o->at);
		o->data = at + (o->type == PACK_REF_DELTA ? OID_SIZE : 0);
		at = o->end = inflate_at(pack, o->data, o->size, &data);
	}
	if (at != pack.size || ret->n == 0)
		give_up("a pack: %zu objects", ret->n);
}

void pack_inflate(
	const struct pack_parts *p, const struct pack_object *o, struct buf *ret)
{
	(void)inflate_at(p->pack, o->data, o->size, ret);
}

static void add_head(struct buf *out, unsigned type, size_t size)
{
	unsigned char b = (unsigned char)(type << 4 | (size & 15));

	for (size >>= 4; size > 0; size >>= 7) {
		b |= 0x80;
		buf_add(out, &b, 1);
		b = size & 0x7f;
	}
	buf_add(out, &b, 1);
}

void pack_put(const struct pack_parts *p, const struct pack_object *o, struct bytes data,
	int level, struct buf *out)
{
	uLongf n = compressBound(data.size);
	autofree unsigned char *deflated = xmalloc(n);

	if (compress2(deflated, &n, data.data, data.size, level) != Z_OK)
		give_up("zlib");
	buf_add(out, p->pack.data, o->at);
	add_head(out, o->type, data.size);
	if (o->type == PACK_REF_DELTA)
		buf_add(out, p->pack.data + o->data - OID_SIZE, OID_SIZE);
	buf_add(out, deflated, n);
	buf_add(out, p->pack.data + o->end, p->pack.size - OID_SIZE - o->end);
}

void pack_seal(struct buf *pack)
{
	unsigned char sum[OID_SIZE];
	struct sha1 state;

	sha1_start(&state);
	sha1_update(&state, pack->data, pack->size);
	sha1_finish(&state, sum);
	buf_add(pack, sum, sizeof(sum));
}
