/* SPDX-License-Identifier: MIT */
/*
 * Does a plan fit?  On the safe side: files come in any order, so every file that grows
 * is counted before any that shrinks, and the largest one twice.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#include "base/text.h"
#include "slot/plan.h"

#define MARGIN_BYTES  (UINT64_C(2) << 20) /* directories that grow, extents, journal */
#define MARGIN_INODES 8
#define INODE_RATIO   16384 /* bytes per inode: mke2fs.conf(5), type "default" */
#define INODE_SIZE    256

static int too_few(const struct install *in, const char *what, uint64_t need,
	uint64_t have, struct error *e)
{
	return err_set(e, E_SPACE,
		"%s: needs %" PRIu64 " %s and has %" PRIu64
		"; nothing was changed; make the slot larger or the release smaller",
		in->slot->device, need, what, have);
}

static int check(const struct install *in, uint64_t need, uint64_t have, struct error *e)
{
	char needed[TEXT_SIZE_MAX];
	char there[TEXT_SIZE_MAX];

	if (need <= have)
		return 0;
	text_size(need, needed);
	text_size(have, there);
	return err_set(e, E_SPACE,
		"%s: needs %s of space and has %s; nothing was changed; make the slot "
		"larger or "
		"the release smaller",
		in->slot->device, needed, there);
}

/* What mkfs.ext4 will leave of the device: less inode tables, journal, descriptors. */
static int check_device(
	const struct plan *p, const struct install *in, uint64_t need, struct error *e)
{
	autofd fd = open(in->slot->device, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	uint64_t size;
	uint64_t usable;
	int r;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0)
		return err_sys(e, "%s: size", in->slot->device);
	/* Journals: mke2fs takes 1/32 or less on devices up to 32 GB, 1 GB at most. */
	usable = size - size / INODE_RATIO * INODE_SIZE - size / 32;
	r = check(in, need, usable, e);
	if (r == 0 && p->new_inodes + MARGIN_INODES > size / INODE_RATIO)
		r = too_few(in, "inodes", p->new_inodes + MARGIN_INODES,
			size / INODE_RATIO, e);
	return r;
}

int plan_check_space(
	const struct plan *p, const struct install *in, int root, struct error *e)
{
	uint64_t need = p->grow + p->largest + in->manifest.size + MARGIN_BYTES;
	struct statvfs fs;
	uint64_t free_inodes;
	int r;

	if (root < 0)
		return check_device(p, in, need - p->largest, e);
	if (fstatvfs(root, &fs) < 0)
		return err_sys(e, "%s: statvfs", in->slot->device);
	/* f_bfree: root may use the reserved blocks. */
	r = check(in, need, fs.f_bfree * fs.f_frsize + p->freed_bytes, e);
	free_inodes = fs.f_ffree + p->freed_inodes;
	if (r == 0 && p->new_inodes + MARGIN_INODES > free_inodes)
		r = too_few(in, "inodes", p->new_inodes + MARGIN_INODES, free_inodes, e);
	return r;
}
