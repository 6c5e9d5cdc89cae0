/* SPDX-License-Identifier: MIT */
/*
 * Writing goes to the disk while more is written: a thread syncs the slot each time a
 * certain amount has piled up.  So the seal need not wait for all of it, and memory holds
 * little that is not on the disk yet.
 */
#ifndef SLOT_FLUSH_H
#define SLOT_FLUSH_H

#include <stdint.h>

#include "base/error.h"

struct flush;

/* For the file system of the directory `root` (borrowed). */
int flush_new(int root, struct flush **ret, struct error *e);

/* `bytes` more were written.  Waits when the disk falls behind.  Errors: of the sync. */
int flush_note(struct flush *f, uint64_t bytes, struct error *e);

/* Waits for what is under way; takes NULL. */
void flush_free(struct flush *f);

#endif
