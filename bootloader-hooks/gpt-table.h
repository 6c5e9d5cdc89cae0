/* SPDX-License-Identifier: MIT */
/*
 * A disk's GUID partition table: both copies read, checked and written so that one of
 * them is whole at every moment.  Format: UEFI specification, "GUID Partition Table".
 */
#ifndef BOOTLOADER_HOOKS_GPT_TABLE_H
#define BOOTLOADER_HOOKS_GPT_TABLE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define GPT_SECTOR_MAX 4096
#define GPT_NAME_MAX   36

/* As on the disk: little-endian. */
struct gpt_header {
	char signature[8];
	uint32_t revision;
	uint32_t size;
	uint32_t crc;
	uint32_t reserved;
	uint64_t my_lba;
	uint64_t other_lba;
	uint64_t first_usable;
	uint64_t last_usable;
	uint8_t guid[16];
	uint64_t entries_lba;
	uint32_t count;
	uint32_t entry_size;
	uint32_t entries_crc;
} __attribute__((packed));

struct gpt_entry {
	uint8_t type[16];
	uint8_t guid[16];
	uint64_t first_lba;
	uint64_t last_lba;
	uint64_t attributes;
	uint16_t name[GPT_NAME_MAX]; /* UTF-16 */
} __attribute__((packed));

/* One of the two, as it is on the disk. */
struct gpt_copy {
	uint64_t lba;
	bool header_valid;
	bool valid; /* the entries too */
	union {
		struct gpt_header header;
		unsigned char raw[GPT_SECTOR_MAX];
	};
	unsigned char *entries;
};

struct gpt_table {
	int fd;
	const char *path;
	uint32_t sector_size;
	uint64_t last_lba;
	struct gpt_copy primary;
	struct gpt_copy backup;
	unsigned char *entries; /* for change, until gpt_table_save */
	uint32_t count;
	uint32_t entry_size;
};

/*
 * Read the table as a loader does: the primary one, if that is damaged the backup.  The
 * disk (or an image of one) is locked until gpt_table_close.  Ends the process with a
 * reason when there is no whole table.
 */
void gpt_table_open(struct gpt_table *table, const char *path, bool writable);
/* Write what was changed, durably; a damaged copy is mended. */
void gpt_table_save(struct gpt_table *table);
void gpt_table_close(struct gpt_table *table);

#define autotable CLEANUP(gpt_table_close) struct gpt_table

struct gpt_entry *gpt_table_entry(const struct gpt_table *table, uint32_t i);
/* Whether there is a partition, of that name (ASCII). */
bool gpt_entry_is(const struct gpt_entry *entry, const char *name);
bool gpt_entry_used(const struct gpt_entry *entry);

#endif
