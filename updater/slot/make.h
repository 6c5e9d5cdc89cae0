/* SPDX-License-Identifier: MIT */
/*
 * A new regular file: made under a temporary name, and in its place once all its contents
 * are there.  Each thread has a maker of its own.
 */
#ifndef SLOT_MAKE_H
#define SLOT_MAKE_H

#include "slot/plan.h"
#include "slot/write.h"

struct maker {
	const struct install *in;
	const struct plan *plan; /* its items are set, each by whoever makes the file */
	struct writer *w;
};

/* The file of `entry`, the plan's number `index`, empty and open for writing. */
int make_create(const struct maker *m, const struct entry *entry, uint64_t index,
	int *ret_fd, struct error *e);

/* All contents are there: metadata, and into place. */
int make_finish(const struct maker *m, int fd, uint64_t index, const struct entry *entry,
	struct error *e);

/* Contents of the store are not those of the manifest: E_REMOTE. */
int make_refuse(struct error *e);

/* What was created is not to be. */
int make_discard(const struct maker *m, const struct entry *entry, uint64_t index,
	struct error *e);

#endif
