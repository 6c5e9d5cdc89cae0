/* SPDX-License-Identifier: MIT */
/* Bases for the store, by a thread: see client-bases.h. */
#include "store/client-bases.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "base/pool.h"

#define PLACE	   4 /* of NEED_BASE; then come … */
#define ITEM	   (DIGEST_SIZE + 4)
#define UNREAD_MAX 65536 /* bytes of answers that the store does not take */

struct question {
	unsigned char *into;
	size_t n;
	atomic_bool done;    /* … and that is known: */
	unsigned char there; /* what BASE says, … */
	int r;		     /* … or an error */
	struct error e;
	unsigned char items[];
};

struct bases {
	struct store *s;
	const struct contents *c;
	struct pool *pool; /* one thread: answers come in order */
	int event;	   /* written when a question is done */
	struct question *asked[BASES_MAX];
	size_t first; /* counts on and on, … */
	size_t end;   /* … modulo BASES_MAX */
};

static int run(void *ctx, unsigned worker, void *job, struct error *ignored)
{
	struct bases *b = ctx;
	struct question *q = job;
	const uint64_t one = 1;
	int r = b->c->base ? 1 : 0;

	(void)worker;
	(void)ignored;
	for (size_t i = 0, done = 0; r == 1 && i < q->n; i++) {
		uint32_t size = le32_get(q->items + i * ITEM + DIGEST_SIZE);
		struct digest d;

		memcpy(d.b, q->items + i * ITEM, DIGEST_SIZE);
		r = b->c->base(b->c->ctx, &d, size, q->into + done, &q->e);
		done += size;
	}
	q->there = r == 1;
	q->r = r < 0 ? r : 0;
	atomic_store(&q->done, true);
	(void)!write(b->event, &one, sizeof(one)); /* cannot fail: the counter is small */
	return 0;
}

static void drop(void *job)
{
	(void)job; /* bases_free frees it */
}

static int wake(void *ctx, struct error *e)
{
	struct bases *b = ctx;
	uint64_t n;

	(void)!read(b->event, &n, sizeof(n)); /* it is set */
	return bases_answer(b, e);
}

int bases_new(
	struct store *s, const struct contents *c, struct bases **ret, struct error *e)
{
	struct bases *b = xcalloc(1, sizeof(*b));
	const struct pool_work work = { .run = run, .drop = drop, .ctx = b };
	int r;

	b->s = s;
	b->c = c;
	b->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = b->event < 0 ? err_sys(e, "eventfd")
			 : pool_new(1, SIZE_MAX, &work, &b->pool, e);
	if (r < 0) {
		bases_free(b);
		return r;
	}
	s->wake_fd = b->event;
	s->wake = wake;
	s->wake_ctx = b;
	*ret = b;
	return 0;
}

void bases_free(struct bases *b)
{
	if (!b)
		return;
	pool_free(b->pool);
	b->s->wake_fd = -1;
	for (; b->first < b->end; b->first++, b->s->busy--)
		free(b->asked[b->first % BASES_MAX]);
	cleanup_fd(&b->event);
	free(b);
}

int bases_ask(struct bases *b, const struct frame *f, struct error *e)
{
	struct bytes p = f->payload;
	uint64_t end = p.size > PLACE ? le32_get(p.data) : 0;
	struct question *q;

	for (size_t at = PLACE; at + ITEM <= p.size; at += ITEM)
		end += le32_get(p.data + at + DIGEST_SIZE);
	if (p.size <= PLACE || (p.size - PLACE) % ITEM != 0 || end > BASE_MAX ||
		b->end - b->first == BASES_MAX ||
		b->s->out.size - b->s->out_done > UNREAD_MAX)
		return client_refuse(b->s, f, e);
	q = xcalloc(1, sizeof(*q) + p.size - PLACE);
	q->into = b->s->base + le32_get(p.data);
	q->n = (p.size - PLACE) / ITEM;
	memcpy(q->items, p.data + PLACE, p.size - PLACE);
	b->asked[b->end++ % BASES_MAX] = q;
	b->s->busy++;
	return pool_put(b->pool, q, 1, e);
}

int bases_answer(struct bases *b, struct error *e)
{
	int r = 0;

	while (r == 0 && b && b->first < b->end) {
		struct question *q = b->asked[b->first % BASES_MAX];

		if (!atomic_load(&q->done))
			break;
		if (q->r == 0)
			r = client_ask(b->s, FRAME_BASE, (struct bytes){ &q->there, 1 },
				(struct bytes){ 0 }, e);
		else
			*e = q->e;
		r = r < 0 ? r : q->r;
		free(q);
		b->first++;
		b->s->busy--;
	}
	return r;
}
