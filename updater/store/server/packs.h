/* SPDX-License-Identifier: MIT */
/*
 * Whole blobs straight out of packs: libgit2's zlib is what an install waits for, and
 * libdeflate inflates the same in less than half the time.  Whatever is not found here,
 * or looks odd, is left to libgit2.  Formats: gitformat-pack(5).
 */
#ifndef SERVER_PACKS_H
#define SERVER_PACKS_H

#include <git2.h>

#include "base/buf.h"

struct packs;	 /* all packs of a repository, mapped; for any number of threads */
struct inflater; /* and what each of them needs */

/* Those of GIT_DIR now.  Never fails: there may be none. */
struct packs *packs_open(void);
void packs_close(struct packs *p);

struct inflater *inflater_new(void);
void inflater_free(struct inflater *i);

/* Give back what a large blob took. */
void inflater_trim(struct inflater *i);

/*
 * The blob `id` of `size` bytes, at most MANIFEST_PIECE_MAX: *ret lives until the next
 * call with the same inflater.  False: ask libgit2.  Not hashed.
 */
bool packs_blob(const struct packs *p, const git_oid *id, size_t size,
	struct inflater *inflater, struct bytes *ret);

#endif
