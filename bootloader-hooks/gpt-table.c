/* SPDX-License-Identifier: MIT */
/*
 * Both copies of a partition table: see gpt-table.h.
 *
 * Not by libfdisk, for three reasons.  It writes the backup first also when the primary
 * copy is damaged, and for a while no copy is whole.  It writes the protective MBR anew,
 * without the boot flag that BIOS machines need.  It moves the backup of a disk that
 * grew.
 *
 * The order here: a damaged primary copy is mended from the backup; then the backup is
 * written, then the primary.  Whichever write is torn, its copy's checksum is wrong, and
 * the other copy is whole.
 */
#include "gpt-table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/io.h"
#include "hook.h"

#define SIGNATURE	   "EFI PART"
#define PRIMARY_LBA	   1
#define PRIMARY_ENTRIES	   2 /* where its entries are unless it says otherwise */
#define ENTRIES_SIZE_LIMIT (128 * 1024)

_Static_assert(sizeof(struct gpt_header) == 92, "as on the disk");
_Static_assert(sizeof(struct gpt_entry) == 128, "as on the disk");

static size_t entries_size(const struct gpt_header *header)
{
	return (size_t)le32toh(header->count) * le32toh(header->entry_size);
}

static uint64_t entries_sectors(
	const struct gpt_table *table, const struct gpt_header *header)
{
	return (entries_size(header) + table->sector_size - 1) / table->sector_size;
}

static uint32_t checksum(const void *data, size_t size)
{
	return (uint32_t)crc32_z(0, data, size);
}

static uint32_t header_checksum(const struct gpt_copy *copy)
{
	unsigned char raw[GPT_SECTOR_MAX];

	memcpy(raw, copy->raw, sizeof(raw));
	memset(raw + offsetof(struct gpt_header, crc), 0, sizeof(uint32_t));
	return checksum(raw, le32toh(copy->header.size));
}

/* --- reading ---------------------------------------------------------------------- */

static bool header_valid(const struct gpt_table *table, const struct gpt_copy *copy)
{
	const struct gpt_header *header = &copy->header;
	uint32_t size = le32toh(header->size);
	uint32_t count = le32toh(header->count);
	uint32_t entry_size = le32toh(header->entry_size);
	uint64_t at = le64toh(header->entries_lba);

	if (memcmp(header->signature, SIGNATURE, sizeof(header->signature)) != 0)
		return false;
	if (size < sizeof(*header) || size > table->sector_size)
		return false;
	if (le32toh(header->crc) != header_checksum(copy) ||
		le64toh(header->my_lba) != copy->lba)
		return false;
	if (entry_size < sizeof(struct gpt_entry) || entry_size % 8 != 0 || count == 0 ||
		count > ENTRIES_SIZE_LIMIT / entry_size)
		return false;
	return at >= PRIMARY_ENTRIES && at <= table->last_lba &&
	       entries_sectors(table, header) <= table->last_lba - at;
}

static void read_at(const struct gpt_table *table, void *data, size_t size, uint64_t lba)
{
	struct error e;

	if (io_pread_full(table->fd, data, size, lba * table->sector_size, &e) < 0)
		hook_die("%s: sector %" PRIu64 ": %s", table->path, lba, e.text);
}

static void copy_read(const struct gpt_table *table, struct gpt_copy *copy, uint64_t lba)
{
	const struct gpt_header *header = &copy->header;
	size_t size;

	copy->lba = lba;
	read_at(table, copy->raw, table->sector_size, lba);
	copy->header_valid = header_valid(table, copy);
	if (!copy->header_valid)
		return;
	size = entries_size(header);
	copy->entries = xmalloc(size);
	read_at(table, copy->entries, size, le64toh(header->entries_lba));
	copy->valid = le32toh(header->entries_crc) == checksum(copy->entries, size);
}

/* A block device or an image of one. */
static void measure(struct gpt_table *table)
{
	off_t size = lseek(table->fd, 0, SEEK_END);
	int sector_size = 512;
	struct stat st;

	if (fstat(table->fd, &st) < 0)
		hook_die("%s: stat: %s", table->path, strerror(errno));
	if (S_ISBLK(st.st_mode) && ioctl(table->fd, BLKSSZGET, &sector_size) < 0)
		hook_die("%s: size of a sector: %s", table->path, strerror(errno));
	if (sector_size < 512 || sector_size > GPT_SECTOR_MAX)
		hook_die("%s: sectors of %d bytes, which is not supported", table->path,
			sector_size);
	table->sector_size = (uint32_t)sector_size;
	if (size < 3 * (off_t)sector_size)
		hook_die("%s: no disk; name it with disk= in [boot]", table->path);
	table->last_lba = (uint64_t)size / table->sector_size - 1;
}

void gpt_table_open(struct gpt_table *table, const char *path, bool writable)
{
	const struct gpt_copy *truth;

	*table = (struct gpt_table){ .path = path };
	/* O_DSYNC: what is written is on the disk before the next write begins. */
	table->fd = open(
		path, (writable ? O_RDWR | O_DSYNC : O_RDONLY) | O_CLOEXEC | O_NOCTTY);
	if (table->fd < 0)
		hook_die("%s: %s; name the disk of the slots with disk= in [boot]", path,
			strerror(errno));
	if (flock(table->fd, writable ? LOCK_EX : LOCK_SH) < 0)
		hook_die("%s: lock: %s", path, strerror(errno));
	measure(table);
	copy_read(table, &table->primary, PRIMARY_LBA);
	copy_read(table, &table->backup, table->last_lba);
	truth = table->primary.valid ? &table->primary : &table->backup;
	if (!truth->valid)
		hook_die("%s: both partition tables are damaged, or there is none; see "
			 "`sfdisk --verify %s`",
			path, path);
	if (writable && le64toh(table->primary.header.other_lba) != table->last_lba &&
		table->primary.valid)
		hook_die("%s: the backup of the partition table is not at the end of the "
			 "disk, where loaders look for it; move it with `sfdisk "
			 "--relocate gpt-bak-std %s`",
			path, path);
	table->count = le32toh(truth->header.count);
	table->entry_size = le32toh(truth->header.entry_size);
	table->entries = xmalloc(entries_size(&truth->header));
	memcpy(table->entries, truth->entries, entries_size(&truth->header));
}

void gpt_table_close(struct gpt_table *table)
{
	cleanup_fd(&table->fd);
	free(table->primary.entries);
	free(table->backup.entries);
	free(table->entries);
}

/* --- entries ---------------------------------------------------------------------- */

struct gpt_entry *gpt_table_entry(const struct gpt_table *table, uint32_t i)
{
	void *entry = table->entries + (size_t)i * table->entry_size;

	return entry;
}

bool gpt_entry_used(const struct gpt_entry *entry)
{
	static const uint8_t none[sizeof(entry->type)];

	return memcmp(entry->type, none, sizeof(none)) != 0;
}

bool gpt_entry_is(const struct gpt_entry *entry, const char *name)
{
	size_t n = strlen(name);

	if (!gpt_entry_used(entry) || n > GPT_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (le16toh(entry->name[i]) != (unsigned char)name[i])
			return false;
	return n == GPT_NAME_MAX || entry->name[n] == 0;
}

/* --- writing ---------------------------------------------------------------------- */

/*
 * With its header lost, whether the entries were at their usual place: some boards have
 * boot code there and the entries elsewhere.
 */
static bool usual_place(const struct gpt_table *table, const struct gpt_copy *from)
{
	unsigned char found[GPT_SECTOR_MAX];
	const struct gpt_entry blank = { 0 };
	size_t size = offsetof(struct gpt_entry, first_lba); /* type and GUID */

	read_at(table, found, table->sector_size, PRIMARY_ENTRIES);
	return memcmp(found, from->entries, size) == 0 ||
	       memcmp(found, &blank, size) == 0;
}

/* A header for `copy`, which has none that can be used, made of the other's. */
static void make_header(const struct gpt_table *table, struct gpt_copy *copy)
{
	bool is_primary = copy == &table->primary;
	const struct gpt_copy *from = is_primary ? &table->backup : &table->primary;
	const struct gpt_header *header = &from->header;
	uint64_t sectors = entries_sectors(table, header);
	uint64_t at = is_primary ? PRIMARY_ENTRIES : table->last_lba - sectors;
	bool fits = is_primary ? at + sectors <= le64toh(header->first_usable)
			       : at > le64toh(header->last_usable);

	if (!fits || (is_primary && !usual_place(table, from)))
		hook_die("%s: the %s partition table is damaged and not at its usual "
			 "place; mend it with `gdisk %s`",
			table->path, is_primary ? "primary" : "backup", table->path);
	memcpy(copy->raw, from->raw, sizeof(copy->raw));
	copy->header.my_lba = htole64(copy->lba);
	copy->header.other_lba = htole64(from->lba);
	copy->header.entries_lba = htole64(at);
	copy->header_valid = true;
}

static void write_at(
	const struct gpt_table *table, const void *data, size_t size, uint64_t lba)
{
	struct error e;

	if (io_pwrite_full(table->fd, data, size, lba * table->sector_size, &e) < 0)
		hook_die("%s: sector %" PRIu64 ": %s", table->path, lba, e.text);
}

/* Entries first: without the header's checksum over them they do not count. */
static void copy_write(const struct gpt_table *table, struct gpt_copy *copy,
	const unsigned char *entries)
{
	size_t size = (size_t)table->count * table->entry_size;

	if (copy->valid && entries_size(&copy->header) == size &&
		memcmp(copy->entries, entries, size) == 0)
		return;
	if (!copy->header_valid || le32toh(copy->header.count) != table->count ||
		le32toh(copy->header.entry_size) != table->entry_size)
		make_header(table, copy);
	copy->header.entries_crc = htole32(checksum(entries, size));
	copy->header.crc = htole32(header_checksum(copy));
	write_at(table, entries, size, le64toh(copy->header.entries_lba));
	write_at(table, copy->raw, table->sector_size, copy->lba);
	free(copy->entries);
	copy->entries = xmalloc(size);
	memcpy(copy->entries, entries, size);
	copy->valid = true;
}

void gpt_table_save(struct gpt_table *table)
{
	if (!table->primary.valid)
		copy_write(table, &table->primary, table->backup.entries);
	copy_write(table, &table->backup, table->entries);
	copy_write(table, &table->primary, table->entries);
	/* Also when nothing changed: a call before may have been killed within a write.
	 */
	if (fdatasync(table->fd) < 0)
		hook_die("%s: fdatasync: %s", table->path, strerror(errno));
}
