/* SPDX-License-Identifier: MIT */
/*
 * Writing a pax tar: everything a manifest entry says, in the form GNU tar, libarchive
 * and our own import read alike.  Format: POSIX.1-2017 pax; star(1) for SCHILY.*.
 */
#ifndef BUILD_TAR_WRITE_H
#define BUILD_TAR_WRITE_H

#include "manifest/manifest.h"

/*
 * Append the header blocks of `entry`.  A file's `size` bytes of contents follow, then
 * tar_pad; a hard link and everything else has none.
 */
void tar_header(const struct entry *entry, struct buf *out);

/* Append the zeros that fill the last block after `size` bytes. */
void tar_pad(uint64_t size, struct buf *out);

/* Append the end mark. */
void tar_end(struct buf *out);

#endif
