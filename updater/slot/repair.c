/* SPDX-License-Identifier: MIT */
/*
 * What stands on a slot's device, and making it mountable: libblkid to look, e2fsck
 * and mkfs.ext4 to mend.  Never touches a device that holds something foreign.
 */
#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/subprocess.h"
#include "slot/inodes.h"
#include "slot/mount.h"

#define FSCK_TIMEOUT_MS 3600000 /* large slots on slow cards */
#define LABEL_MAX	17

/* e2fsck(8), EXIT CODE */
#define FSCK_CHANGED 3	/* 1 mended, 2 mended and a reboot is due */
#define FSCK_USAGE   16 /* and above: it did not look at all */

/* What blkid finds; empty strings where there is nothing. */
struct found {
	char type[32];
	char uuid[FS_UUID_MAX];
	char label[LABEL_MAX];
	bool partitions;
};

static void cleanup_probe(blkid_probe *p)
{
	blkid_free_probe(*p);
}

static void copy_value(blkid_probe probe, const char *key, char *ret, size_t size)
{
	const char *value;

	if (blkid_probe_lookup_value(probe, key, &value, NULL) == 0)
		(void)snprintf(ret, size, "%s", value);
}

static int probe(const char *device, struct found *ret, struct error *e)
{
	CLEANUP(cleanup_probe) blkid_probe probe = NULL;
	autofd fd = open(device, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	*ret = (struct found){ 0 };
	if (fd < 0)
		return err_sys(e, "%s", device);
	probe = blkid_new_probe();
	if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0)
		return err_sys(e, "%s: look for a file system", device);
	(void)blkid_probe_enable_superblocks(probe, 1);
	(void)blkid_probe_set_superblocks_flags(
		probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	(void)blkid_probe_enable_partitions(probe, 1);
	r = blkid_do_safeprobe(probe);
	if (r == -1)
		return err_sys(e, "%s: look for a file system", device);
	if (r == -2)
		return err_set(e, E_UNTRUSTED,
			"%s: signs of several file systems; clear it with `wipefs -a %s` "
			"if it "
			"is meant to be a slot",
			device, device);
	copy_value(probe, "TYPE", ret->type, sizeof(ret->type));
	copy_value(probe, "UUID", ret->uuid, sizeof(ret->uuid));
	copy_value(probe, "LABEL", ret->label, sizeof(ret->label));
	ret->partitions = blkid_probe_has_value(probe, "PTTYPE") == 1;
	return 0;
}

static bool is_ext(const struct found *f)
{
	return strcmp(f->type, "ext4") == 0 || strcmp(f->type, "ext3") == 0 ||
	       strcmp(f->type, "ext2") == 0;
}

static int refuse_foreign(const char *device, const struct found *f, struct error *e)
{
	if (is_ext(f) || (f->type[0] == '\0' && !f->partitions))
		return 0;
	return err_set(e, E_UNTRUSTED,
		"%s: holds %s%s, not ext4: it will not be overwritten; check device= in "
		"[slot], or "
		"clear it with `wipefs -a %s`",
		device, f->type[0] ? f->type : "a partition table",
		f->type[0] ? " data" : "", device);
}

int mount_require_ours(const char *device, struct error *e)
{
	struct found f;
	int r = probe(device, &f, e);

	return r < 0 ? r : refuse_foreign(device, &f, e);
}

static int run_tool(const char *const *argv, int *ret_status, struct error *e)
{
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C", NULL };
	struct subprocess p = {
		.argv = argv, .env = env, .stdin_fd = -1, .timeout_ms = FSCK_TIMEOUT_MS
	};
	autobuf err = { 0 };
	int r = subprocess_run(&p, NULL, &err, ret_status, e);

	if (r < 0)
		return err_prefix(e, r, "%s (package e2fsprogs)", argv[0]);
	if (*ret_status != 0)
		(void)err_set(e, E_SYSTEM, "%s: exit code %d: %.*s", argv[0], *ret_status,
			(int)strcspn(err.data ? err.data : "", "\n"),
			err.data ? err.data : "");
	return 0;
}

static int make_anew(const char *device, const struct found *f, struct error *e)
{
	/* GRUB 2.06 reads neither of the two features; 256 bytes hold nanoseconds. */
	const char *argv[16] = { "mkfs.ext4", "-F", "-q", "-I", "256", "-O",
		"^metadata_csum_seed,^orphan_file" };
	size_t n = 7;
	int status;
	int r;

	if (f->uuid[0]) {
		argv[n++] = "-U";
		argv[n++] = f->uuid;
	}
	if (f->label[0]) {
		argv[n++] = "-L";
		argv[n++] = f->label;
	}
	argv[n] = device;
	r = run_tool(argv, &status, e);
	if (r < 0)
		return r;
	return status == 0 ? 0 : E_SYSTEM;
}

static bool mounts(const char *device, struct error *e)
{
	int root = -1;

	if (mount_slot(device, false, &root, e) < 0)
		return false;
	return mount_finish(device, &root, e) == 0;
}

/* Left in order, so that e2fsck -p would only say so? */
static bool is_clean(const char *device)
{
	struct inodes *x = inodes_open(device);
	bool clean = x != NULL;

	inodes_close(x);
	return clean;
}

/* e2fsck -p: 1 mended, 0 nothing to mend, E_INPUT beyond mending. */
static int mend(const char *device, bool mountable, bool damaged, struct error *e)
{
	/* Without -f it looks only if the file system itself says it should. */
	const char *const argv[] = { "e2fsck", damaged ? "-fp" : "-p", device, NULL };
	int status;
	int r;

	if (mountable && !damaged && is_clean(device))
		return 0;
	r = run_tool(argv, &status, e);
	if (r < 0)
		return r;
	if (status >= FSCK_USAGE)
		return E_SYSTEM;
	if (status > FSCK_CHANGED || !mounts(device, e))
		return E_INPUT;
	return status != 0;
}

int mount_repair(const char *device, bool mountable, bool damaged,
	const struct progress *p, struct error *e)
{
	struct error why = { 0 };
	struct found f;
	int r = probe(device, &f, e);

	if (r == 0)
		r = refuse_foreign(device, &f, e);
	if (r < 0)
		return r;
	if (is_ext(&f)) {
		r = mend(device, mountable, damaged, &why);
		if (r == 1)
			progress_note(p, "%s: e2fsck mended the file system", device);
		if (r >= 0)
			return r;
		if (r != E_INPUT) {
			if (e)
				*e = why;
			return r;
		}
	}
	progress_note(p, "%s: %s; making a new one", device,
		is_ext(&f) ? why.text : "no file system");
	r = make_anew(device, &f, e);
	return r < 0 ? r : 1;
}
