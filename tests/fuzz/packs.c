/* SPDX-License-Identifier: MIT */
/*
 * git's packs in the store.  The first byte chooses what the rest is:
 *   0  u32 size of an index, the index, a pack: every object of it is read
 *   1  a delta, NUL-separated from its base: both are packed here
 */
#include <libdeflate.h>

#include "fuzz.h"
#include "base/le.h"
#include "base/pack-index.h"
#include "manifest/manifest.h"
#include "store/server/pack-file.h"
#include "store/server/packs.h"

#define PLACE	 "git/objects/pack"
#define READ_MAX 64 /* objects of one pack */

static int idx_fd;
static int pack_fd;
static int pack_dir;
static struct inflater *inflater;
static struct libdeflate_compressor *deflater;

static char place[] = "/dev/shm/osupdate-fuzz.XXXXXX";

static void clean_up(void)
{
	(void)unlink(PLACE "/p.idx");
	(void)unlink(PLACE "/p.pack");
	(void)rmdir(PLACE);
	(void)rmdir("git/objects");
	(void)rmdir("git");
	(void)rmdir(place);
}

/* A repository in memory, of one pack. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	assert(digest_init_once(NULL) == 0 && mkdtemp(place) && chdir(place) == 0);
	assert(mkdir("git", 0700) == 0 && mkdir("git/objects", 0700) == 0);
	assert(mkdir(PLACE, 0700) == 0);
	pack_dir = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	idx_fd = open(PLACE "/p.idx", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	pack_fd = open(PLACE "/p.pack", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert(pack_dir >= 0 && idx_fd >= 0 && pack_fd >= 0);
	assert(atexit(clean_up) == 0);
	inflater = inflater_new();
	deflater = libdeflate_alloc_compressor(1);
	return 0;
}

static void read_blob(const struct packs *p, const unsigned char *id, size_t size)
{
	struct bytes got;
	git_oid oid;

	memcpy(oid.id, id, OID_SIZE);
	if (!packs_blob(p, &oid, size, inflater, &got))
		return;
	assert(got.size == size);
	for (size_t i = 0; i < size; i += 4096) {
		/* All of it is there: ASan says when it is not. */
		volatile unsigned char c = got.data[i];

		(void)c;
	}
}

static void read_all(size_t size)
{
	static const unsigned char none[OID_SIZE] = { 0x80 };
	struct packs *p = packs_open();
	struct pack_file f;

	read_blob(p, none, 0);
	if (pack_file_open(pack_dir, "p.idx", &f)) {
		for (uint32_t i = 0; i < f.n && i < READ_MAX; i++) {
			size_t at;

			(void)pack_file_offset(&f, i, &at);
			read_blob(p, pack_file_id(&f, i), size);
		}
		pack_file_close(&f);
	}
	inflater_trim(inflater);
	packs_close(p);
}

static void try_files(struct bytes in)
{
	uint32_t n;

	if (in.size < 4)
		return;
	n = le32_get(in.data);
	in.data += 4;
	in.size -= 4;
	n = n < in.size ? n : (uint32_t)in.size;
	memory_put(idx_fd, (struct bytes){ in.data, n });
	memory_put(pack_fd, (struct bytes){ in.data + n, in.size - n });
	read_all(20);
}

/* --- a pack of a blob and a delta ------------------------------------------------- */

static void put_head(struct buf *out, unsigned type, size_t size)
{
	unsigned char c = (unsigned char)(type << 4 | (size & 15));

	for (size >>= 4; size > 0; size >>= 7) {
		c |= 0x80;
		buf_add(out, &c, 1);
		c = size & 0x7f;
	}
	buf_add(out, &c, 1);
}

static void put_deflated(struct buf *out, struct bytes raw)
{
	size_t room = libdeflate_zlib_compress_bound(deflater, raw.size);

	buf_reserve(out, room);
	out->size += libdeflate_zlib_compress(
		deflater, raw.data, raw.size, out->data + out->size, room);
}

/* The number a delta begins with; 0 when there is none. */
static size_t delta_number(struct bytes *in)
{
	size_t n = 0;

	for (unsigned shift = 0; in->size > 0 && shift <= 28; shift += 7) {
		unsigned char c = *in->data++;

		in->size--;
		n |= (size_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return n;
	}
	return 0;
}

static void try_delta(struct bytes in)
{
	static const unsigned char head[PACK_HEAD] = "PACK\0\0\0\2\0\0\0\2";
	struct pack_record records[] = { { .oid = { { 1 } }, .offset = PACK_HEAD },
		{ .oid = { { 2 } } } };
	const struct oid sum = { { 0 } };
	unsigned char two[2];
	struct bytes base = take_part(&in);
	struct bytes sizes = in;
	autobuf pack = { 0 };
	size_t size;

	buf_add(&pack, head, sizeof(head));
	put_head(&pack, PACK_BLOB, base.size);
	put_deflated(&pack, base);
	records[1].offset = pack.size;
	put_head(&pack, PACK_OFS_DELTA, in.size);
	size = pack.size - PACK_HEAD - (pack.size - records[1].offset);
	/* How far back the base is: less than 2^14 + 2^7. */
	if (size >= 0x4000)
		return;
	two[0] = (unsigned char)(0x80 | (((size - 0x80) >> 7) & 0x7f));
	two[1] = (unsigned char)(size & 0x7f);
	if (size < 0x80)
		buf_add(&pack, two + 1, 1);
	else
		buf_add(&pack, two, 2);
	put_deflated(&pack, in);
	buf_add(&pack, sum.b, OID_SIZE);
	memory_put(pack_fd, buf_bytes(&pack));
	assert(ftruncate(idx_fd, 0) == 0 && lseek(idx_fd, 0, SEEK_SET) == 0);
	assert(pack_index_write(idx_fd, records, 2, &sum, NULL) == 0);
	(void)delta_number(&sizes);
	size = delta_number(&sizes);
	read_all(size <= MANIFEST_PIECE_MAX ? size : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data + 1, size - 1 };

	if (size == 0)
		return 0;
	if (data[0] % 2)
		try_delta(in);
	else
		try_files(in);
	return 0;
}
