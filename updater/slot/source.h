/* SPDX-License-Identifier: MIT */
/*
 * Contents that this machine has already: files of the slot being written and of the
 * booted one, found by digest in the manifests they carry.  Hints only: whoever copies
 * checks the digest and falls back to the store.
 */
#ifndef SLOT_SOURCE_H
#define SLOT_SOURCE_H

#include "slot/plan.h"

struct sources;

/*
 * For the files `plan` is to make.  `target` is borrowed, the slot being written.  Never
 * fails: there may be no source.
 */
struct sources *sources_open(
	const struct install *in, const struct plan *plan, int target);
/* For anything those slots hold: what a new content is made from may be any old one. */
struct sources *sources_open_all(const struct install *in, int target);
void sources_close(struct sources *s);

/*
 * Open a file in which these contents (of a whole file, or of one piece) should stand at
 * *ret_offset.  1 found, 0 not.
 */
int sources_find(struct sources *s, const struct digest *digest, int *ret_fd,
	uint64_t *ret_offset);

#endif
