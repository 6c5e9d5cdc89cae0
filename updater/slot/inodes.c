/* SPDX-License-Identifier: MIT */
/* See inodes.h. */
#include "slot/inodes.h"

#include <ext2fs/ext2fs.h>
#include <stddef.h>

#include "base/buf.h"

#define EPOCH_BITS 2 /* of an extra time, before its nanoseconds (ext4's ext4.h) */

struct inodes {
	ext2_filsys fs;
};

struct inodes *inodes_open(const char *device)
{
	struct inodes *x = xcalloc(1, sizeof(*x));

	if (ext2fs_open(device, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &x->fs) != 0) {
		x->fs = NULL;
		inodes_close(x);
		return NULL;
	}
	if (ext2fs_has_feature_journal_needs_recovery(x->fs->super) ||
		(x->fs->super->s_state & EXT2_ERROR_FS) ||
		!(x->fs->super->s_state & EXT2_VALID_FS) ||
		x->fs->super->s_last_orphan != 0 ||
		EXT2_INODE_SIZE(x->fs->super) < sizeof(struct ext2_inode_large)) {
		inodes_close(x);
		return NULL;
	}
	return x;
}

void inodes_close(struct inodes *x)
{
	if (!x)
		return;
	if (x->fs)
		(void)ext2fs_close(x->fs); /* opened for reading */
	free(x);
}

static struct timespec time_of(uint32_t seconds, uint32_t extra)
{
	const uint32_t epoch = extra & ((1u << EPOCH_BITS) - 1);

	return (struct timespec){ .tv_sec = (int32_t)seconds + ((int64_t)epoch << 32),
		.tv_nsec = (long)(extra >> EPOCH_BITS) };
}

bool inodes_stat(struct inodes *x, uint64_t number, struct stat *ret)
{
	const size_t needed =
		offsetof(struct ext2_inode_large, i_crtime) - EXT2_GOOD_OLD_INODE_SIZE;
	struct ext2_inode_large inode;

	if (number == 0 || number > x->fs->super->s_inodes_count ||
		ext2fs_read_inode_full(x->fs, (ext2_ino_t)number,
			(struct ext2_inode *)&inode, sizeof(inode)) != 0 ||
		inode.i_extra_isize < needed || inode.i_links_count == 0)
		return false;
	*ret = (struct stat){
		.st_ino = number,
		.st_mode = inode.i_mode,
		.st_nlink = inode.i_links_count,
		.st_uid = inode_uid(inode),
		.st_size = (off_t)EXT2_I_SIZE(&inode),
		.st_mtim = time_of(inode.i_mtime, inode.i_mtime_extra),
		.st_ctim = time_of(inode.i_ctime, inode.i_ctime_extra),
	};
	return true;
}

struct names {
	void (*each)(void *ctx, const char *name, size_t size, uint64_t inode);
	void *ctx;
};

static int on_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset,
	int blocksize, char *buf, void *private)
{
	struct names *n = private;
	int size = ext2fs_dirent_name_len(dirent);

	(void)dir;
	(void)offset;
	(void)blocksize;
	(void)buf;
	if (entry != DIRENT_DOT_FILE && entry != DIRENT_DOT_DOT_FILE)
		n->each(n->ctx, dirent->name, (size_t)size, dirent->inode);
	return 0;
}

bool inodes_names(struct inodes *x, uint64_t number,
	void (*each)(void *ctx, const char *name, size_t size, uint64_t inode), void *ctx)
{
	struct names n = { each, ctx };

	return number <= UINT32_MAX &&
	       ext2fs_dir_iterate2(x->fs, (ext2_ino_t)number, 0, NULL, on_name, &n) == 0;
}
