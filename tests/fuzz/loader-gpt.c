/* SPDX-License-Identifier: MIT */
/*
 * A disk's partition tables: a byte, then the disk's image.  Checksums are made right
 * here, of the primary copy with bit 0 of that byte, of the backup with bit 1; bit 2: the
 * disk ends with the input; bits 3 to 5 choose the slots of the configuration; bit 6: it
 * names no disk.
 */
#include <zlib.h>

#include "../../bootloader-hooks/gpt-table.h"
#include "loader.h"

#define SECTOR	  512
#define DISK_SIZE 8192

static const char *path;
static int fd;

void loader_init(void)
{
	path = memory_file(&fd);
}

static void make_right(unsigned char *disk, size_t lba)
{
	unsigned char *at = disk + lba * SECTOR;
	struct gpt_header h;
	uint64_t entries;
	uint64_t size;

	memcpy(&h, at, sizeof(h));
	entries = le64toh(h.entries_lba);
	size = (uint64_t)le32toh(h.count) * le32toh(h.entry_size);
	if (entries < DISK_SIZE / SECTOR && size <= DISK_SIZE - entries * SECTOR)
		h.entries_crc = htole32(
			(uint32_t)crc32_z(0, disk + entries * SECTOR, (size_t)size));
	h.crc = 0;
	memcpy(at, &h, sizeof(h));
	if (le32toh(h.size) <= SECTOR)
		h.crc = htole32((uint32_t)crc32_z(0, at, le32toh(h.size)));
	memcpy(at, &h, sizeof(h));
}

void loader_put(struct bytes input)
{
	static const char *const slots[] = { "A B", "A B", "A B", "A B", "B A  b-c",
		"A A", "B", "A /" };
	static unsigned char disk[DISK_SIZE];
	unsigned char how = input.size ? input.data[0] : 0;
	size_t n = input.size ? input.size - 1 : 0;

	memset(disk, 0, sizeof(disk));
	if (n > 0)
		memcpy(disk, input.data + 1, n < DISK_SIZE ? n : DISK_SIZE);
	assert(setenv("OSUPDATE_DISK", how & 64 ? "" : path, 1) == 0);
	assert(setenv("OSUPDATE_SLOTS", slots[how >> 3 & 7], 1) == 0);
	if (how & 1)
		make_right(disk, 1);
	if (how & 2)
		make_right(disk, DISK_SIZE / SECTOR - 1);
	memory_put(fd, (struct bytes){ disk, how & 4 ? n % DISK_SIZE : DISK_SIZE });
}
