/* SPDX-License-Identifier: MIT */
/*
 * Large arrays in an unlinked file: what grows with the number of files in a release is
 * memory the kernel can write out, and no part of what a small machine must have free.
 */
#ifndef BASE_SPOOL_H
#define BASE_SPOOL_H

#include <stddef.h>

#include "base/error.h"

/* Zeroed = empty. */
struct spool {
	void *data; /* moves when it grows; bytes never written are 0 */
	size_t size;
	int fd; /* only while `data` is not NULL */
};

/*
 * Room for `size` bytes, in a file in `dirfd`.  The disk space is really there: writing
 * to it cannot fail later.  Errors: E_SPACE, E_SYSTEM.
 */
int spool_reserve(struct spool *s, int dirfd, size_t size, struct error *e);
/* As spool_reserve for one more element behind `n` of `width` bytes each. */
int spool_grow(struct spool *s, int dirfd, size_t n, size_t width, struct error *e);
void spool_release(struct spool *s);
#define autospool CLEANUP(spool_release) struct spool

#endif
