/* SPDX-License-Identifier: MIT */
/*
 * Mutations: one small random change to what was signed, published or sent, and the count
 * of what became of it.  Everything follows from a seed: the same numbers, the same
 * mutations.
 */
#ifndef TESTS_MUTATE_H
#define TESTS_MUTATE_H

#include <stdint.h>

#include "base/buf.h"

/* --- chance ------------------------------------------------------------------------ */

struct chance {
	uint64_t state;
};

uint64_t chance_next(struct chance *c);
/* 0 … n - 1; 0 for n = 0. */
size_t chance_below(struct chance *c, size_t n);

/* --- one mutation ------------------------------------------------------------------ */

/*
 * Append to `out` what differs from `in` by one change: bits, bytes, lines, fields, or a
 * piece of `other`, the same thing of another release.  `how` (appended) says which.
 */
void mutate(struct chance *c, struct bytes in, struct bytes other, struct buf *out,
	struct buf *how);

/* The same, but only between `from` and `to`. */
void mutate_part(struct chance *c, struct bytes in, size_t from, size_t to,
	struct bytes other, struct buf *out, struct buf *how);

bool bytes_same(struct bytes a, struct bytes b);
struct bytes bytes_part(struct bytes in, size_t from, size_t to);

/* --- many -------------------------------------------------------------------------- */

enum verdict {
	REFUSED,  /* an error, and nothing else */
	HARMLESS, /* taken, and the effect is that of the original */
	ACCEPTED, /* taken, with another effect: what must not be */
};

struct campaign {
	const char *name;
	/* One mutation; `how` says which, for who has to look at it. */
	enum verdict (*try)(void *ctx, struct chance *c, struct buf *how);
	void *ctx;
};

/* Prints a line of results; the number of those accepted is returned. */
uint64_t campaign_run(
	const struct campaign *k, uint64_t seed, uint64_t first, uint64_t count);

/* The files of the signed releases, in the current directory; ends where there is none.
 */
void load(const char *name, struct buf *ret);

/* Ends the program: what a campaign itself needs does not work. */
_Noreturn void give_up(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- the campaigns ----------------------------------------------------------------- */

const struct campaign *campaign_commits(void);
const struct campaign *campaign_tags(void);
const struct campaign *campaign_signers(void);
const struct campaign *campaign_manifests(void);
const struct campaign *campaign_digests(void);
const struct campaign *campaign_frames(void);
const struct campaign *campaign_packs(void);
const struct campaign *campaign_stores(void);
const struct campaign *campaign_streams(void);
const struct campaign *campaign_slots(void);

#endif
