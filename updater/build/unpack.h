/* SPDX-License-Identifier: MIT */
/*
 * A tar in any compression, with libarchive for the common parts and a window on the
 * raw bytes behind it, in which each entry's headers can be read again as they are.
 */
#ifndef BUILD_UNPACK_H
#define BUILD_UNPACK_H

#include <archive.h>
#include <archive_entry.h>

#include "build/pax.h"

struct unpack;

/*
 * `fd` is borrowed; so is `progress` (may be NULL), which can stop even a read of a pipe
 * that gives nothing.  Errors: E_INPUT no tar, E_SYSTEM, E_INTERRUPTED.
 */
int unpack_new(
	int fd, const struct progress *progress, struct unpack **ret, struct error *e);
void unpack_free(struct unpack *u);
static inline void unpack_cleanup(struct unpack **u)
{
	unpack_free(*u);
}
#define autounpack CLEANUP(unpack_cleanup) struct unpack *

/*
 * The next entry: 1, *ret (borrowed until the next call) and what its extended headers
 * say; 0 at the end, which is checked: the end mark is there and what is compressed
 * reads to its last byte.  Errors: E_INPUT, E_SYSTEM.
 */
int unpack_next(struct unpack *u, struct archive_entry **ret, struct pax *ret_pax,
	struct error *e);

/* Read on in the entry's contents, holes as zeros: struct input's read. */
int unpack_read(void *u, void *data, size_t size, size_t *ret_n, struct error *e);

#endif
