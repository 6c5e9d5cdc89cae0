/* SPDX-License-Identifier: MIT */
/*
 * Inodes and directories of an ext4 file system, read from its device (libext2fs) and not
 * through a mount: for those who ask for all of them, and want none of them kept.
 * Everything that looks odd (a journal to be replayed, a checksum that is wrong) is a
 * "no".
 */
#ifndef SLOT_INODES_H
#define SLOT_INODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct inodes;

#define INODES_ROOT 2 /* of the root directory (ext4's own number) */

/* NULL when the file system cannot be read, or is not clean. */
struct inodes *inodes_open(const char *device);
void inodes_close(struct inodes *x);

/* Sets inode, type and mode, links, owner, size, mtime and ctime, and nothing else. */
bool inodes_stat(struct inodes *x, uint64_t number, struct stat *ret);

/* `each` name of a directory but . and .., in no order; false when it cannot be read. */
bool inodes_names(struct inodes *x, uint64_t number,
	void (*each)(void *ctx, const char *name, size_t size, uint64_t inode),
	void *ctx);

#endif
