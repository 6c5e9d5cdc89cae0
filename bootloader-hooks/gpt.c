/* SPDX-License-Identifier: MIT */
/*
 * The hook for loaders that choose by attributes of GPT partitions, as ChromeOS and
 * CoreOS do: bits 48-51 priority, 52-55 tries left, 56 successful.  Protocol: README.md.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/io.h"
#include "gpt-table.h"
#include "hook.h"

#define SLOTS_MAX    8 /* fewer than there are priorities */
#define NAME_MAX_LEN 31
#define TRIAL_BOOTS  3

#define PRIORITY_SHIFT 48
#define TRIES_SHIFT    52
#define FIELD_MASK     UINT64_C(15)
#define SUCCESSFUL_BIT (UINT64_C(1) << 56)
#define OUR_BITS                                                                         \
	(FIELD_MASK << PRIORITY_SHIFT | FIELD_MASK << TRIES_SHIFT | SUCCESSFUL_BIT)

struct slot {
	char name[NAME_MAX_LEN + 1];
	uint32_t number; /* of the entry, from 0 */
	unsigned priority;
	unsigned tries;
	bool successful;
};

struct disk {
	struct gpt_table table;
	struct slot slots[SLOTS_MAX];
	size_t n;
};

/* --- names ------------------------------------------------------------------------ */

static bool word_valid(const char *s, size_t n)
{
	if (n == 0 || n > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'A' && s[i] <= 'Z') &&
			!(s[i] >= 'a' && s[i] <= 'z') && s[i] != '_' && s[i] != '-')
			return false;
	return true;
}

static bool name_valid(const char *name)
{
	return word_valid(name, strlen(name));
}

static const char *disk_path(void)
{
	const char *path = hook_setting("OSUPDATE_DISK", NULL);

	if (!path)
		hook_die(
			"no disk is named; set disk= in [boot] to the disk of the slots");
	return path;
}

/* partition-a= (OSUPDATE_PARTITION_A), or root-a. */
static char *partition_name(const char *name)
{
	autofree char *key = xasprintf("OSUPDATE_PARTITION_%s", name);
	autofree char *usual = xasprintf("root-%s", name);

	for (char *p = key; *p; p++) {
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
		else if (*p == '-')
			*p = '_';
	}
	for (char *p = usual; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return xstrdup(hook_setting(key, usual));
}

/* --- slots ------------------------------------------------------------------------ */

static uint32_t find_partition(const struct disk *disk, const char *slot)
{
	autofree char *name = partition_name(slot);
	uint32_t found = UINT32_MAX;

	for (uint32_t i = 0; i < disk->table.count; i++) {
		if (!gpt_entry_is(gpt_table_entry(&disk->table, i), name))
			continue;
		if (found != UINT32_MAX)
			hook_die("%s: partitions %" PRIu32 " and %" PRIu32
				 " are both named \"%s\"; rename one",
				disk->table.path, found + 1, i + 1, name);
		found = i;
	}
	if (found == UINT32_MAX)
		hook_die("%s: slot %s: no partition is named \"%s\"; name one so, or set "
			 "partition-<bootname>= in [boot]",
			disk->table.path, slot, name);
	return found;
}

static void add_slot(struct disk *disk, const char *name)
{
	struct slot *slot = &disk->slots[disk->n];
	uint64_t attributes;

	*slot = (struct slot){ .number = find_partition(disk, name) };
	(void)snprintf(slot->name, sizeof(slot->name), "%s", name);
	for (size_t i = 0; i < disk->n; i++)
		if (disk->slots[i].number == slot->number)
			hook_die("%s: slots %s and %s are the same partition",
				disk->table.path, disk->slots[i].name, name);
	attributes = le64toh(gpt_table_entry(&disk->table, slot->number)->attributes);
	slot->priority = (unsigned)(attributes >> PRIORITY_SHIFT & FIELD_MASK);
	slot->tries = (unsigned)(attributes >> TRIES_SHIFT & FIELD_MASK);
	slot->successful = attributes & SUCCESSFUL_BIT;
	disk->n++;
}

static const char *slot_list(void)
{
	return hook_setting("OSUPDATE_SLOTS", "A B");
}

static void read_slots(struct disk *disk)
{
	const char *list = slot_list();

	for (const char *p = list; *p;) {
		size_t n = strcspn(p, " ");
		autofree char *name = xstrndup(p, n);

		if (n > 0) {
			if (!name_valid(name) || disk->n == SLOTS_MAX)
				hook_die("slots= in [boot]: \"%s\" is not a list of at "
					 "most %d boot names",
					list, SLOTS_MAX);
			add_slot(disk, name);
		}
		p += n + (p[n] == ' ');
	}
}

/* The loader would take it for a slot: it looks at the type, not at the name. */
static void check_others(const struct disk *disk)
{
	for (uint32_t i = 0; i < disk->table.count; i++) {
		const struct gpt_entry *entry = gpt_table_entry(&disk->table, i);
		bool ours = false;
		bool same_type = false;

		for (size_t s = 0; s < disk->n; s++) {
			uint32_t number = disk->slots[s].number;

			ours |= number == i;
			same_type |= memcmp(entry->type,
					     gpt_table_entry(&disk->table, number)->type,
					     sizeof(entry->type)) == 0;
		}
		if (same_type && !ours &&
			(le64toh(entry->attributes) >> PRIORITY_SHIFT & FIELD_MASK) != 0)
			hook_die("%s: partition %" PRIu32 " is no slot, but has the type "
				 "of one and a boot priority; name its slot in slots= in "
				 "[boot], or take its priority away with `cgpt add -i "
				 "%" PRIu32 " -P 0 %s`",
				disk->table.path, i + 1, i + 1, disk->table.path);
	}
}

/* --- is it the slot's device? ----------------------------------------------------- */

/* A one-line file about a block device; "" when there is none. */
static char *sysfs_read(dev_t dev, const char *file)
{
	autofree char *path =
		xasprintf("/sys/dev/block/%u:%u/%s", major(dev), minor(dev), file);
	autobuf text = { 0 };
	struct error e;

	if (io_read_file_at(AT_FDCWD, path, 4096, &text, &e) < 0 || text.size == 0)
		return xstrdup("");
	return xstrndup(text.data, strcspn(text.data, "\n"));
}

/* Where the slot's device is a partition, it must be this one: else another slot would be
 * marked than was meant.
 */
static void check_device(const struct disk *disk, const struct slot *slot)
{
	const char *path = hook_setting("OSUPDATE_DEVICE", NULL);
	autofree char *wanted = xasprintf("%" PRIu32, slot->number + 1);
	autofree char *wanted_disk = NULL;
	autofree char *number = NULL;
	autofree char *its_disk = NULL;
	struct stat st;
	struct stat whole;

	if (!path || stat(path, &st) < 0 || fstat(disk->table.fd, &whole) < 0)
		return;
	if (!S_ISBLK(st.st_mode) || !S_ISBLK(whole.st_mode))
		return;
	number = sysfs_read(st.st_rdev, "partition");
	its_disk = sysfs_read(st.st_rdev, "../dev");
	wanted_disk = xasprintf("%u:%u", major(whole.st_rdev), minor(whole.st_rdev));
	if (!*number ||
		(strcmp(number, wanted) == 0 && strcmp(its_disk, wanted_disk) == 0))
		return;
	hook_die("slot %s: its device %s is not partition %s of %s; set disk= or "
		 "partition-<bootname>= in [boot], or the slot's device=",
		slot->name, path, wanted, disk->table.path);
}

static struct slot *slot_get(struct disk *disk, const char *name)
{
	for (size_t i = 0; i < disk->n; i++)
		if (strcmp(disk->slots[i].name, name) == 0) {
			check_device(disk, &disk->slots[i]);
			return &disk->slots[i];
		}
	hook_die(
		"slot %s is not in slots= in [boot], which is \"%s\"", name, slot_list());
}

/* --- the disk --------------------------------------------------------------------- */

static void disk_close(struct disk *disk)
{
	gpt_table_close(&disk->table);
}

#define autodisk CLEANUP(disk_close) struct disk

static void disk_open(struct disk *disk, bool writable)
{
	gpt_table_open(&disk->table, disk_path(), writable);
	read_slots(disk);
	check_others(disk);
}

/* As loaders do it: the highest priority, of equal ones the lowest number. */
static bool comes_before(const struct slot *a, const struct slot *b)
{
	return a->priority != b->priority ? a->priority > b->priority
					  : a->number < b->number;
}

/*
 * Write priorities n, n-1 … 1 in the order that they have now, so that none is equal to
 * another and 15 is never reached.  `first` and `last` (or NULL) are moved there.
 */
static void disk_save(
	struct disk *disk, const struct slot *first, const struct slot *last)
{
	unsigned ranks[SLOTS_MAX];

	for (size_t i = 0; i < disk->n; i++) {
		const struct slot *slot = &disk->slots[i];

		ranks[i] = 1;
		for (size_t j = 0; j < disk->n; j++) {
			const struct slot *other = &disk->slots[j];

			if (other == slot || other->priority == 0)
				continue;
			ranks[i] += slot == first || other == last ||
				    (other != first && slot != last &&
					    comes_before(slot, other));
		}
	}
	for (size_t i = 0; i < disk->n; i++) {
		const struct slot *slot = &disk->slots[i];
		struct gpt_entry *entry = gpt_table_entry(&disk->table, slot->number);
		uint64_t attributes = le64toh(entry->attributes) & ~OUR_BITS;

		if (slot->priority > 0)
			attributes |= (uint64_t)ranks[i] << PRIORITY_SHIFT;
		attributes |= (uint64_t)slot->tries << TRIES_SHIFT;
		attributes |= slot->successful ? SUCCESSFUL_BIT : 0;
		entry->attributes = htole64(attributes);
	}
	gpt_table_save(&disk->table);
}

/* --- verbs ------------------------------------------------------------------------ */

static bool bootable(const struct slot *slot)
{
	return slot->priority > 0 && (slot->successful || slot->tries > 0);
}

static void get_primary(void)
{
	autodisk disk = { 0 };
	const struct slot *primary = NULL;

	disk_open(&disk, false);
	for (size_t i = 0; i < disk.n; i++) {
		const struct slot *slot = &disk.slots[i];

		if (bootable(slot) && (!primary || comes_before(slot, primary)))
			primary = slot;
	}
	if (!primary)
		hook_die("%s: no slot is bootable; `set-state NAME good` makes one",
			disk.table.path);
	hook_answer(primary->name);
}

static bool is_good(const char *name)
{
	autodisk disk = { 0 };

	disk_open(&disk, false);
	return bootable(slot_get(&disk, name));
}

static void set_primary(const char *name)
{
	autodisk disk = { 0 };
	struct slot *slot;

	disk_open(&disk, true);
	slot = slot_get(&disk, name);
	/* What was confirmed once is not tried again, so it needs no counter. */
	slot->tries = slot->successful ? 0 : TRIAL_BOOTS;
	slot->priority = slot->priority ? slot->priority : 1;
	disk_save(&disk, slot, NULL);
}

static void set_good(const char *name)
{
	autodisk disk = { 0 };
	struct slot *slot;
	bool was_bad;

	disk_open(&disk, true);
	slot = slot_get(&disk, name);
	was_bad = slot->priority == 0;
	slot->successful = true;
	slot->tries = 0;
	slot->priority = was_bad ? 1 : slot->priority;
	disk_save(&disk, NULL, was_bad ? slot : NULL);
}

static void set_bad(const char *name)
{
	autodisk disk = { 0 };
	struct slot *slot;

	disk_open(&disk, true);
	slot = slot_get(&disk, name);
	slot->successful = false;
	slot->tries = 0;
	slot->priority = 0;
	disk_save(&disk, NULL, NULL);
}

static const struct loader gpt = {
	.name_valid = name_valid,
	.name_rule = "letters, digits, - and _, at most 31",
	.get_primary = get_primary,
	.set_primary = set_primary,
	.is_good = is_good,
	.set_good = set_good,
	.set_bad = set_bad,
};

int main(int argc, char **argv)
{
	return hook_main(&gpt, argc, argv);
}
