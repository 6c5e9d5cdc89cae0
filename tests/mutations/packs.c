/* SPDX-License-Identifier: MIT */
/*
 * Git packs.  As they are served: pack.1 and pack.2, of releases 1 and 2, without deltas
 * by distance; what is in pack.now is what the server sends (serve.py).  And as they lie
 * in the store: the directory `template` is a store whose packs are so many that a fetch
 * gathers them into one.
 */
#include "mutate.h"

#include <fcntl.h>
#include <ftw.h>
#include <zlib.h>

#include "base/digest.h"
#include "base/io.h"
#include "base/sha1.h"
#include "device.h"
#include "store/server/pack-file.h"

#define OBJECTS_MAX 512

struct object {
	size_t at;   /* of its head in the pack */
	size_t data; /* of what is deflated */
	size_t end;
	size_t size; /* inflated */
	unsigned type;
};

static struct buf packs[2];
static struct object objects[OBJECTS_MAX];
static size_t n_objects;
static struct attempt attempt;

/* --- inside of a pack -------------------------------------------------------------- */

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
		give_up("pack.2: an object of another size");
	ret->size = size;
	end = at + z.total_in;
	(void)inflateEnd(&z);
	return end;
}

static void find_objects(struct bytes pack)
{
	size_t at = PACK_HEAD;

	pack.size -= OID_SIZE;
	n_objects = 0;
	while (at < pack.size && n_objects < OBJECTS_MAX) {
		struct object *o = &objects[n_objects++];
		autobuf data = { 0 };

		o->at = at;
		if (!pack_read_head(pack, &at, &o->type, &o->size) ||
			o->type == PACK_OFS_DELTA)
			give_up("pack.2: an odd object at %zu", o->at);
		o->data = at + (o->type == PACK_REF_DELTA ? OID_SIZE : 0);
		at = o->end = inflate_at(pack, o->data, o->size, &data);
	}
	if (at != pack.size)
		give_up("pack.2: too many objects");
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

static void add_deflated(struct buf *out, const struct buf *data)
{
	uLongf n = compressBound(data->size);
	autofree unsigned char *deflated = xmalloc(n);

	if (compress2(deflated, &n, (unsigned char *)data->data, data->size, 6) != Z_OK)
		give_up("zlib");
	buf_add(out, deflated, n);
}

/* An object of another content, deflated as it should be. */
static void mutate_object(struct chance *c, struct buf *out, struct buf *how)
{
	const struct object *o = &objects[chance_below(c, n_objects)];
	const struct object *p = &objects[chance_below(c, n_objects)];
	struct bytes pack = buf_bytes(&packs[1]);
	autobuf foreign = { 0 };
	autobuf changed = { 0 };
	autobuf data = { 0 };

	(void)inflate_at(pack, o->data, o->size, &data);
	(void)inflate_at(pack, p->data, p->size, &foreign);
	buf_addf(how, "in an object of type %u: ", o->type);
	mutate(c, buf_bytes(&data), buf_bytes(&foreign), &changed, how);
	buf_add(out, pack.data, o->at);
	add_head(out, o->type, changed.size);
	if (o->type == PACK_REF_DELTA)
		buf_add(out, pack.data + o->data - OID_SIZE, OID_SIZE);
	add_deflated(out, &changed);
	buf_add(out, pack.data + o->end, pack.size - OID_SIZE - o->end);
}

/* The checksum over all before it, as though nothing had happened. */
static void seal(struct buf *pack)
{
	unsigned char sum[OID_SIZE];
	struct sha1 state;

	sha1_start(&state);
	sha1_update(&state, pack->data, pack->size);
	sha1_finish(&state, sum);
	buf_add(pack, sum, sizeof(sum));
}

/* --- as they are served ------------------------------------------------------------ */

static void write_file(const char *path, struct bytes data)
{
	autofd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct error e = { 0 };

	if (fd < 0 || io_write_full(fd, data.data, data.size, &e) < 0)
		give_up("%s: cannot be written%s", path, e.text);
}

static void serve(struct bytes pack)
{
	write_file("pack.now", pack);
}

static enum verdict update(const struct attempt *a, struct buf *how)
{
	struct error e = { 0 };

	if (device_update(a, &e) < 0)
		return REFUSED;
	return device_is_right(how) ? HARMLESS : ACCEPTED;
}

static enum verdict try_pack(void *ctx, struct chance *c, struct buf *how)
{
	struct bytes right = buf_bytes(&packs[1]);
	struct bytes other = buf_bytes(&packs[0]);
	autobuf out = { 0 };
	size_t n = right.size - OID_SIZE;

	(void)ctx;
	switch (chance_below(c, 6)) {
	case 0:
		mutate(c, right, other, &out, how);
		break;
	case 1:
	case 2:
		mutate(c, bytes_part(right, 0, n), other, &out, how);
		seal(&out);
		break;
	default:
		mutate_object(c, &out, how);
		seal(&out);
	}
	serve(buf_bytes(&out));
	device_forget_store();
	return update(&attempt, how);
}

/* The release as it should be, and what slot B is then. */
static void prepare(const char *const *options)
{
	struct error e = { 0 };

	attempt = (struct attempt){ .options = options };
	device_forget_store();
	if (device_update(&attempt, &e) < 0)
		give_up("release 2 as it should be: %s", e.text);
	device_remember();
}

const struct campaign *campaign_packs(void)
{
	static const struct campaign k = { .name = "packs", .try = try_pack };
	static const char *options[2];

	options[0] = getenv("SERVE_OPTION");
	if (!options[0])
		give_up("SERVE_OPTION is needed");
	load("pack.1", &packs[0]);
	load("pack.2", &packs[1]);
	find_objects(buf_bytes(&packs[1]));
	serve(buf_bytes(&packs[1]));
	prepare(options);
	return &k;
}

/* --- as they lie ------------------------------------------------------------------- */

static char *files[OBJECTS_MAX];
static size_t n_files;

static int note_file(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)ftw;
	/* What says how new the rest is, and other notes, counts as much as a pack. */
	if (what == FTW_F && st->st_size > 0 && n_files < OBJECTS_MAX)
		files[n_files++] = xstrdup(path);
	return 0;
}

/* Some with their own checksums right again: the last 20 bytes are over all before. */
static void mutate_file(struct chance *c, struct bytes in, struct bytes other,
	struct buf *out, struct buf *how)
{
	bool sealed = in.size > 1000 && chance_below(c, 2) == 0;

	mutate(c, bytes_part(in, 0, in.size - (sealed ? OID_SIZE : 0)), other, out, how);
	if (sealed)
		seal(out);
}

static enum verdict try_store(void *ctx, struct chance *c, struct buf *how)
{
	const char *file = files[chance_below(c, n_files)];
	const char *other = files[chance_below(c, n_files)];
	struct attempt a = attempt;
	autofree char *to = xasprintf("state/store%s", file + strlen("template"));
	autobuf foreign = { 0 };
	autobuf out = { 0 };
	autobuf in = { 0 };

	(void)ctx;
	a.no_fetch = chance_below(c, 2) == 0;
	buf_addf(how, "%s%s: ", file, a.no_fetch ? ", no fetch" : "");
	load(file, &in);
	load(other, &foreign);
	mutate_file(c, buf_bytes(&in), buf_bytes(&foreign), &out, how);
	device_put_store("template");
	write_file(to, buf_bytes(&out));
	return update(&a, how);
}

const struct campaign *campaign_stores(void)
{
	static const struct campaign k = { .name = "stores", .try = try_store };
	static const char *options[2];
	struct attempt a;
	struct error e = { 0 };
	autobuf why = { 0 };

	options[0] = getenv("URL_OPTION");
	if (!options[0])
		give_up("URL_OPTION is needed");
	prepare(options);
	n_files = 0;
	if (nftw("template", note_file, 16, FTW_PHYS) != 0 || n_files < 10)
		give_up("template: no store");
	a = attempt;
	for (int i = 0; i < 2; i++) {
		a.no_fetch = i == 0;
		device_put_store("template");
		if (device_update(&a, &e) < 0 || !device_is_right(&why))
			give_up("the template as it is: %s%s", e.text,
				why.data ? why.data : "");
	}
	return &k;
}
