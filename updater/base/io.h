/* SPDX-License-Identifier: MIT */
/*
 * Files and descriptors: the one place with EINTR loops, the one way to replace
 * a small file durably, and spools that no other process can name.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"

/* At most `size` bytes; *ret_n = 0 at the end of the file.  */
int io_read(int fd, void *data, size_t size, size_t *ret_n, struct error *e);
/* Exactly `size` bytes; E_INPUT "unexpected end of file" when there are fewer. */
int io_read_full(int fd, void *data, size_t size, struct error *e);
int io_pread_full(int fd, void *data, size_t size, uint64_t offset, struct error *e);
int io_write_full(int fd, const void *data, size_t size, struct error *e);
int io_pwrite_full(int fd, const void *data, size_t size, uint64_t offset, struct error *e);

/*
 * Append the regular file `name` (final symlink refused) to `ret`; E_INPUT when it
 * is over `max` bytes or not a regular file, E_NOTFOUND when it is absent.
 */
int io_read_file_at(int dirfd, const char *name, size_t max, struct buf *ret,
	struct error *e);

/* The same of what is open for reading; `name` is for errors. */
int io_read_file(int fd, const char *name, size_t max, struct buf *ret, struct error *e);

/* Was it written in the last `seconds`?  Not if the clock went back since. */
bool io_is_recent(int dirfd, const char *name, int64_t seconds);

/* Write `data` under a temporary name, fsync, rename over `name`, fsync the directory. */
int io_replace_at(int dirfd, const char *name, struct bytes data, mode_t mode,
	struct error *e);
/* The same of `n` parts, one behind the other. */
int io_replace_parts_at(int dirfd, const char *name, const struct bytes *parts, size_t n,
	mode_t mode, struct error *e);

/* fsync, with its errors reported. */
int io_sync(int fd, struct error *e);

/* A nameless file in `dirfd`'s file system, 0600, open for reading and writing. */
int io_spool(int dirfd, int *ret_fd, struct error *e);

/* A read-only view of a whole regular file; unmapped with io_unmap. */
int io_map(int fd, struct bytes *ret, struct error *e);
void io_unmap(struct bytes *b);

#define automap CLEANUP(io_unmap) struct bytes

/*
 * Refuse (E_UNTRUSTED) a file or directory that someone other than root could
 * have written: owner not root, or writable by group or others.  `what` names it.
 */
int io_require_root_owned(int fd, const char *what, struct error *e);

#endif
