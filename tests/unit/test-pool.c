/* SPDX-License-Identifier: MIT */
/* Worker threads: everything is done, errors come back, nothing leaks. */
#include <criterion/criterion.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/pool.h"

struct count {
	atomic_uint run;
	atomic_uint dropped;
	unsigned fail_at;
};

static struct count counts;

static int run(void *ctx, unsigned worker, void *job, struct error *e)
{
	struct count *c = ctx;
	unsigned n = atomic_fetch_add(&c->run, 1);

	free(job);
	cr_assert_lt(worker, 4);
	if (c->fail_at && n + 1 == c->fail_at)
		return err_set(e, E_SPACE, "job %u", n + 1);
	return 0;
}

static void drop(void *job)
{
	atomic_fetch_add(&counts.dropped, 1);
	free(job);
}

static struct pool *open_pool(size_t limit)
{
	const struct pool_work work = { .run = run, .drop = drop, .ctx = &counts };
	struct pool *p = NULL;

	cr_assert_eq(pool_new(4, limit, &work, &p, NULL), 0);
	return p;
}

Test(pool, does_every_job)
{
	struct pool *p = open_pool(100);

	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(pool_put(p, xmalloc(1), i % 200, NULL), 0);
	cr_assert_eq(pool_wait(p, NULL), 0);
	cr_assert_eq(counts.run, 1000);
	cr_assert_eq(pool_put(p, xmalloc(1), 0, NULL), 0);
	cr_assert_eq(pool_wait(p, NULL), 0);
	cr_assert_eq(counts.run, 1001);
	pool_free(p);
	cr_assert_eq(counts.dropped, 0);
}

Test(pool, gives_the_first_error_and_drops_the_rest)
{
	struct pool *p = open_pool(1000);
	struct error e = { 0 };
	int r = 0;

	counts.fail_at = 10;
	for (unsigned i = 0; i < 1000; i++)
		r |= pool_put(p, xmalloc(1), 1, NULL) < 0;
	cr_assert_eq(pool_wait(p, &e), E_SPACE);
	cr_assert_str_eq(e.text, "job 10");
	cr_assert_eq(r, 1, "pool_put tells it, too");
	cr_assert_eq(counts.run + counts.dropped, 1000);
	pool_free(p);
}

Test(pool, can_be_left_with_jobs_queued)
{
	struct pool *p = open_pool(100000);

	for (unsigned i = 0; i < 500; i++)
		cr_assert_eq(pool_put(p, xmalloc(1), 1, NULL), 0);
	pool_free(p);
	cr_assert_eq(counts.run + counts.dropped, 500);
	pool_free(NULL);
}
