/* SPDX-License-Identifier: MIT */
/* A pack and its index: see pack-file.h. */
#include "store/server/pack-file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define IDX_HEAD   8 /* magic and version */
#define IDX_FANOUT (256 * 4)
#define IDX_NAMES  (IDX_HEAD + IDX_FANOUT)
#define IDX_TAIL   40	       /* checksums of the pack and of the index */
#define IDX_LARGE  0x80000000u /* the offset is in the table of 8-byte ones */
#define PACK_TAIL  20	       /* its checksum */

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

static bool is_index(struct pack_file *p)
{
	static const unsigned char magic[IDX_HEAD] = { 0xff, 't', 'O', 'c', 0, 0, 0, 2 };

	if (p->idx.size < IDX_NAMES || memcmp(p->idx.data, magic, sizeof(magic)) != 0)
		return false;
	p->n = be32(p->idx.data + IDX_NAMES - 4);
	/* Names, checksums and offsets, and two checksums of the file. */
	return p->n <= (p->idx.size - IDX_NAMES) / (OID_SIZE + 8) &&
	       p->idx.size - IDX_NAMES - (size_t)p->n * (OID_SIZE + 8) >= IDX_TAIL;
}

bool pack_file_open(int dirfd, const char *idx_name, struct pack_file *ret)
{
	autofree char *name = xasprintf(
		"%.*s.pack", (int)(strlen(idx_name) - strlen(".idx")), idx_name);
	struct pack_file p = { 0 };

	if (map(dirfd, idx_name, &p.idx) && is_index(&p) && map(dirfd, name, &p.pack) &&
		p.pack.size >= PACK_HEAD + PACK_TAIL) {
		p.pack.size -= PACK_TAIL;
		*ret = p;
		return true;
	}
	unmap(&p.idx);
	unmap(&p.pack);
	return false;
}

void pack_file_close(struct pack_file *p)
{
	unmap(&p->idx);
	p->pack.size += PACK_TAIL;
	unmap(&p->pack);
}

const unsigned char *pack_file_id(const struct pack_file *p, uint32_t at)
{
	return p->idx.data + IDX_NAMES + (size_t)at * OID_SIZE;
}

bool pack_file_offset(const struct pack_file *p, uint32_t at, size_t *ret)
{
	const unsigned char *offsets =
		p->idx.data + IDX_NAMES + (size_t)p->n * (OID_SIZE + 4);
	const unsigned char *large = offsets + (size_t)p->n * 4;
	size_t n_large = (p->idx.size - (size_t)(large - p->idx.data) - IDX_TAIL) / 8;
	uint32_t offset = be32(offsets + (size_t)at * 4);

	*ret = offset;
	if (!(offset & IDX_LARGE))
		return true;
	offset &= ~IDX_LARGE;
	if (offset >= n_large)
		return false;
	large += (size_t)offset * 8;
	*ret = (size_t)be32(large) << 32 | be32(large + 4);
	return true;
}

bool pack_file_find(const struct pack_file *p, const unsigned char *id, size_t *ret)
{
	const unsigned char *fanout = p->idx.data + IDX_HEAD;
	uint32_t low = id[0] ? be32(fanout + 4 * (id[0] - 1)) : 0;
	uint32_t high = be32(fanout + 4 * id[0]);

	if (high > p->n)
		return false;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = memcmp(pack_file_id(p, middle), id, OID_SIZE);

		if (order == 0)
			return pack_file_offset(p, middle, ret);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* The head of an object: type and size, 4 and then 7 bits a byte. */
bool pack_read_head(struct bytes pack, size_t *at, unsigned *ret_type, size_t *ret_size)
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
	return true;
}

/* How far before the delta its base begins: 7 bits a byte, each but the last plus one. */
bool pack_read_distance(struct bytes pack, size_t *at, size_t *ret)
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
