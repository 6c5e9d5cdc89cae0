/* SPDX-License-Identifier: MIT */
/* Threads and their queue: see pool.h. */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "base/buf.h"

struct node {
	struct node *next;
	void *job;
	size_t bytes;
};

struct worker {
	struct pool *pool;
	unsigned index;
	pthread_t thread;
};

struct pool {
	struct pool_work work;
	struct worker *workers;
	unsigned n_workers;
	size_t limit;
	pthread_mutex_t lock;
	pthread_cond_t filled; /* something to do, or the end */
	pthread_cond_t drained;
	struct node *first;
	struct node **last;
	size_t bytes; /* queued and in work */
	int result;
	struct error error;
	bool end;
};

/* With the lock held; NULL at the end. */
static struct node *take(struct pool *p)
{
	struct node *node;

	while (!p->first && !p->end)
		(void)pthread_cond_wait(&p->filled, &p->lock);
	node = p->first;
	if (!node)
		return NULL;
	p->first = node->next;
	if (!p->first)
		p->last = &p->first;
	return node;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	struct node *node;

	(void)pthread_mutex_lock(&p->lock);
	while ((node = take(p))) {
		bool spoiled = p->result < 0 || p->end;
		struct error e = { 0 };
		int r = 0;

		(void)pthread_mutex_unlock(&p->lock);
		if (spoiled)
			p->work.drop(node->job);
		else
			r = p->work.run(p->work.ctx, w->index, node->job, &e);
		(void)pthread_mutex_lock(&p->lock);
		if (r < 0 && p->result == 0) {
			p->result = r;
			p->error = e;
		}
		p->bytes -= node->bytes;
		free(node);
		(void)pthread_cond_broadcast(&p->drained);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int start(struct pool *p, unsigned threads, struct error *e)
{
	sigset_t all;
	sigset_t before;
	int r = 0;

	/* Signals are for the thread that reads the source. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; r == 0 && p->n_workers < threads; p->n_workers += r == 0) {
		struct worker *w = &p->workers[p->n_workers];

		*w = (struct worker){ .pool = p, .index = p->n_workers };
		r = pthread_create(&w->thread, NULL, work, w);
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		return 0;
	errno = r;
	return err_sys(e, "threads");
}

int pool_new(unsigned threads, size_t limit, const struct pool_work *w, struct pool **ret,
	struct error *e)
{
	struct pool *p = xcalloc(1, sizeof(*p));
	int r;

	p->work = *w;
	p->limit = limit;
	p->last = &p->first;
	p->workers = xcalloc(threads, sizeof(*p->workers));
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->filled, NULL);
	(void)pthread_cond_init(&p->drained, NULL);
	r = start(p, threads, e);
	if (r < 0) {
		pool_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

static int result_of(const struct pool *p, struct error *e)
{
	if (p->result < 0 && e)
		*e = p->error;
	return p->result;
}

int pool_put(struct pool *p, void *job, size_t bytes, struct error *e)
{
	struct node *node = xmalloc(sizeof(*node));
	int r;

	bytes += sizeof(*node); /* so that no job weighs nothing */
	*node = (struct node){ .job = job, .bytes = bytes };
	(void)pthread_mutex_lock(&p->lock);
	while (p->bytes > 0 && p->bytes + bytes > p->limit)
		(void)pthread_cond_wait(&p->drained, &p->lock);
	*p->last = node;
	p->last = &node->next;
	p->bytes += bytes;
	(void)pthread_cond_signal(&p->filled);
	r = result_of(p, e);
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

int pool_wait(struct pool *p, struct error *e)
{
	int r;

	(void)pthread_mutex_lock(&p->lock);
	while (p->bytes > 0)
		(void)pthread_cond_wait(&p->drained, &p->lock);
	r = result_of(p, e);
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->end = true;
	(void)pthread_cond_broadcast(&p->filled);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_workers; i++)
		(void)pthread_join(p->workers[i].thread, NULL);
	(void)pthread_cond_destroy(&p->drained);
	(void)pthread_cond_destroy(&p->filled);
	(void)pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p);
}

unsigned pool_processors(unsigned max)
{
	unsigned n = 1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (unsigned)CPU_COUNT(&set);
	return n > max ? max : n;
}
