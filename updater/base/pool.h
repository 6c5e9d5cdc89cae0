/* SPDX-License-Identifier: MIT */
/*
 * Worker threads behind a queue that is bounded by the bytes it holds, so that memory
 * stays flat however fast the source is read.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#include "base/error.h"

struct pool;

struct pool_work {
	/* Do one job and free it.  `worker` counts from 0; each runs one job at a time.
	 */
	int (*run)(void *ctx, unsigned worker, void *job, struct error *e);
	void (*drop)(void *job); /* free a job that is not to be done any more */
	void *ctx;
};

/* `limit`: bytes queued or in work; a single larger job is let in alone. */
int pool_new(unsigned threads, size_t limit, const struct pool_work *work,
	struct pool **ret, struct error *e);

/*
 * Give a job that weighs `bytes`; waits while the queue is full.  The job is taken in
 * any case.  Returns the first error any worker met.
 */
int pool_put(struct pool *p, void *job, size_t bytes, struct error *e);

/* Wait until every job is done; the first error any worker met. */
int pool_wait(struct pool *p, struct error *e);

/* Processors this process may use, at most `max`. */
unsigned pool_processors(unsigned max);

/* Drops what is queued, waits for what is running.  Takes NULL. */
void pool_free(struct pool *p);

#endif
