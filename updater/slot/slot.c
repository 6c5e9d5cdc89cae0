/* SPDX-License-Identifier: MIT */
/* Slots and which of them may be written: see slot.h. */
#include "slot/slot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/cleanup.h"

static void cleanup_table(struct libmnt_table **t)
{
	mnt_unref_table(*t);
}

bool slot_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > SLOT_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789_.-") == n;
}

int slot_device(const struct slot *slot, dev_t *ret, struct error *e)
{
	struct stat st;

	if (stat(slot->device, &st) < 0)
		return errno == ENOENT
			       ? err_set(e, E_NOTFOUND,
					 "slot %s: %s: no such device; check device= "
					 "in [slot %s]",
					 slot->name, slot->device, slot->name)
			       : err_sys(e, "slot %s: %s", slot->name, slot->device);
	if (!S_ISBLK(st.st_mode))
		return err_set(e, E_INPUT,
			"slot %s: %s is not a block device; check device= in "
			"[slot %s]",
			slot->name, slot->device, slot->name);
	*ret = st.st_rdev;
	return 0;
}

/* The value of osupdate.slot= or rauc.slot= when the word at `s` is one, else NULL. */
static const char *slot_argument(const char *s)
{
	static const char *const keys[] = { "osupdate.slot=", "rauc.slot=" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strncmp(s, keys[i], strlen(keys[i])) == 0)
			return s + strlen(keys[i]);
	return NULL;
}

static int slot_by_bootname(const struct slot *slots, const char *name, size_t n)
{
	for (int i = 0; i < SLOT_COUNT; i++)
		if (strlen(slots[i].bootname) == n &&
			memcmp(slots[i].bootname, name, n) == 0)
			return i;
	return -1;
}

int slot_by_cmdline(
	const struct slot *slots, const char *cmdline, int *ret, struct error *e)
{
	int found = -1;

	for (const char *p = cmdline; *p; p += strcspn(p, " \t\n")) {
		const char *value;
		int index;

		p += strspn(p, " \t\n");
		value = slot_argument(p);
		if (!value)
			continue;
		index = slot_by_bootname(slots, value, strcspn(value, " \t\n"));
		if (index < 0 || (found >= 0 && found != index))
			return err_set(e, E_INPUT,
				"the kernel command line says %.*s, which is %s; check "
				"[slot] and "
				"bootname= against the boot loader's configuration",
				(int)strcspn(p, " \t\n"), p,
				index < 0 ? "no configured slot"
					  : "not the only slot it names");
		found = index;
	}
	*ret = found;
	return 0;
}

int slot_by_root(const struct slot *slots, int *ret, struct error *e)
{
	struct stat root;

	if (stat("/", &root) < 0)
		return err_sys(e, "/");
	*ret = -1;
	for (int i = 0; i < SLOT_COUNT; i++) {
		dev_t device = 0;

		/* A slot whose device is missing is not the one we run from. */
		if (slot_device(&slots[i], &device, NULL) == 0 && device == root.st_dev)
			*ret = i;
	}
	return 0;
}

/* Any mount of the machine, also one that another mount hides. */
static int require_unmounted(const struct slot *slot, dev_t device, struct error *e)
{
	CLEANUP(cleanup_table)
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iter;
	struct libmnt_fs *fs;
	int r = 0;

	if (!table)
		return err_sys(e, "slot %s: /proc/self/mountinfo", slot->name);
	iter = mnt_new_iter(MNT_ITER_FORWARD);
	if (!iter)
		return err_set(
			e, E_SYSTEM, "slot %s: no memory to read mounts", slot->name);
	while (r == 0 && mnt_table_next_fs(table, iter, &fs) == 0)
		if (mnt_fs_get_devno(fs) == device)
			r = err_set(e, E_BUSY,
				"slot %s: %s is mounted at %s; unmount it first",
				slot->name, slot->device, mnt_fs_get_target(fs));
	mnt_free_iter(iter);
	return r;
}

/* Device-mapper, md and the like that stand on the device. */
static int require_no_holders(const struct slot *slot, dev_t device, struct error *e)
{
	autofree char *path =
		xasprintf("/sys/dev/block/%u:%u/holders", major(device), minor(device));
	DIR *dir = opendir(path);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_sys(e, "slot %s: %s", slot->name, path);
	for (struct dirent *d = readdir(dir); d && r == 0; d = readdir(dir))
		if (d->d_name[0] != '.')
			r = err_set(e, E_BUSY, "slot %s: %s is in use by %s", slot->name,
				slot->device, d->d_name);
	(void)closedir(dir);
	return r;
}

/* Links and nodes: two names in the configuration may be one device. */
static int require_distinct(
	const struct slot *slots, int target, dev_t device, struct error *e)
{
	for (int i = 0; i < SLOT_COUNT; i++) {
		dev_t other = 0;

		if (i != target && slot_device(&slots[i], &other, NULL) == 0 &&
			other == device)
			return err_set(e, E_INPUT,
				"slots %s and %s are the same device (%s, %s); check "
				"device= in [slot]",
				slots[i].name, slots[target].name, slots[i].device,
				slots[target].device);
	}
	return 0;
}

int slot_require_free(const struct slot *slots, int target, bool ours, struct error *e)
{
	const struct slot *slot = &slots[target];
	struct stat root;
	dev_t device = 0;
	autofd fd = -1;
	int r = slot_device(slot, &device, e);

	if (r == 0)
		r = require_distinct(slots, target, device, e);
	if (r < 0)
		return r;
	if (stat("/", &root) < 0)
		return err_sys(e, "/");
	if (root.st_dev == device)
		return err_set(e, E_BUSY, "slot %s: %s is the running system's root",
			slot->name, slot->device);
	r = require_unmounted(slot, device, e);
	if (r == 0)
		r = require_no_holders(slot, device, e);
	if (r < 0 || ours)
		return r;
	/* The kernel lets nobody in while a mount or swap, in any namespace, has it. */
	fd = open(slot->device, O_RDWR | O_EXCL | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		return 0;
	if (errno == EBUSY)
		return err_set(e, E_BUSY,
			"slot %s: %s is in use (mounted in another namespace, swap, …)",
			slot->name, slot->device);
	return err_sys(e, "slot %s: %s", slot->name, slot->device);
}
