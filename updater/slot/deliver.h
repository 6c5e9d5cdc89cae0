/* SPDX-License-Identifier: MIT */
/*
 * Whole files that come from the store, hashed and made by threads of their own while
 * more is read: one thread can neither keep a fast network busy nor a fast disk.  Small
 * files travel together; what is under way at any moment is bounded.
 */
#ifndef SLOT_DELIVER_H
#define SLOT_DELIVER_H

#include "slot/make.h"

#define DELIVER_FILE_MAX                                                                 \
	((size_t)4 << 20) /* bytes of a file; larger ones are not taken */

struct deliver;

/* `m` (copied; its writer only says where) must stay valid.  Errors: E_SYSTEM. */
int deliver_new(const struct maker *m, struct deliver **ret, struct error *e);

/*
 * The file of the plan's number `index` is arriving, `size` bytes of it: they are to be
 * added one after the other.  Waits while too much is under way.  Errors: of any file
 * that came before.
 */
int deliver_begin(struct deliver *d, uint64_t index, size_t size, struct error *e);
void deliver_add(struct deliver *d, struct bytes data);

/* Nothing more is here yet: what is complete does not wait for it. */
int deliver_flush(struct deliver *d, struct error *e);

/* Wait until every file stands in its place.  The first error any of them met. */
int deliver_wait(struct deliver *d, struct error *e);

/* Drops what is not made yet, waits for what is; takes NULL. */
void deliver_free(struct deliver *d);

#endif
