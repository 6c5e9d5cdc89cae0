/* SPDX-License-Identifier: MIT */
/* Syncing along the way: see flush.h. */
#include "slot/flush.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/pool.h"

#define STRIDE ((uint64_t)64 << 20) /* bytes between two syncs */

struct flush {
	struct pool *pool; /* one thread; one sync at a time, and no second one waits */
	int root;
	uint64_t pending;
};

static int run(void *ctx, unsigned worker, void *job, struct error *e)
{
	const struct flush *f = ctx;

	(void)worker;
	(void)job;
	return syncfs(f->root) < 0 ? err_sys(e, "syncfs") : 0;
}

static void drop(void *job)
{
	(void)job; /* there is none: a job is but a call */
}

int flush_new(int root, struct flush **ret, struct error *e)
{
	struct flush *f = xcalloc(1, sizeof(*f));
	const struct pool_work work = { .run = run, .drop = drop, .ctx = f };
	int r;

	f->root = root;
	r = pool_new(1, 0, &work, &f->pool, e);
	if (r < 0) {
		free(f);
		return r;
	}
	*ret = f;
	return 0;
}

int flush_note(struct flush *f, uint64_t bytes, struct error *e)
{
	f->pending += bytes;
	if (f->pending < STRIDE)
		return 0;
	f->pending = 0;
	return pool_put(f->pool, NULL, 0, e);
}

void flush_free(struct flush *f)
{
	if (!f)
		return;
	pool_free(f->pool);
	free(f);
}
