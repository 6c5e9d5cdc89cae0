/* SPDX-License-Identifier: MIT */
/* Bases of frames: see bases.h. */
#include "store/server/bases.h"

static struct base_asked *first(struct ahead *a)
{
	return &a->asked[a->first % BASES_MAX];
}

/* Room behind the last one, or at the beginning again; never all of it, so that where the
 * last ends and where the first begins are the same only when there is none. */
static bool find_place(struct ahead *a, size_t size, size_t *ret)
{
	size_t begin;

	if (a->first == a->end) {
		*ret = 0;
		return size <= BASE_MAX;
	}
	begin = first(a)->place;
	if (a->end - a->first == BASES_MAX)
		return false;
	*ret = a->tail;
	if (a->tail < begin)
		return size < begin - a->tail;
	if (size <= BASE_MAX - a->tail)
		return true;
	*ret = 0;
	return size < begin;
}

/* 1; 0: there is no room now. */
static int ask(struct ahead *a, const struct stream_frame *f, struct error *e)
{
	struct base_asked asked = { .frame = f };
	autobuf question = { 0 };
	unsigned char n[4];
	int r;

	for (uint32_t i = 0; i < f->n_bases; i++)
		asked.size += stream_frame_base(&a->from->index, f, i).size;
	if (!find_place(a, asked.size, &asked.place))
		return 0;
	le32_put(n, (uint32_t)asked.place);
	buf_add(&question, n, sizeof(n));
	for (uint32_t i = 0; i < f->n_bases; i++) {
		struct stream_content c = stream_frame_base(&a->from->index, f, i);

		le32_put(n, c.size);
		buf_add(&question, c.digest.b, DIGEST_SIZE);
		buf_add(&question, n, sizeof(n));
	}
	a->asked[a->end++ % BASES_MAX] = asked;
	a->tail = asked.place + asked.size;
	r = reply(a->s->ss, FRAME_NEED_BASE, buf_bytes(&question), e);
	return r < 0 ? r : 1;
}

static int ask_more(struct ahead *a, struct error *e)
{
	const struct stream_frame *end = a->from->index.frames + a->from->index.n_frames;

	for (; a->next < end; a->next++) {
		int r = 1;

		if (a->next->n_bases > 0 && streams_wants(a->s, a->from, a->next))
			r = ask(a, a->next, e);
		if (r <= 0)
			return r;
	}
	return 0;
}

static void forget_first(struct ahead *a)
{
	a->first++;
	a->used = 0;
}

/* The answer to the first question that waits: E_NOTFOUND no slot has it. */
static int take_answer(struct ahead *a, struct error *e)
{
	struct frame answer;
	int r = session_next(a->s->ss, &answer, e);

	if (r <= 0)
		return r < 0 ? r : err_set(e, E_SYSTEM, "root is gone");
	if (answer.type != FRAME_BASE || answer.payload.size != 1)
		return err_set(e, E_USAGE, "no answer to NEED_BASE");
	a->used = 1;
	return answer.payload.data[0] == 1
		       ? 0
		       : err_set(e, E_NOTFOUND, "a base that no slot has");
}

/* Up to the question about `f`, or all (NULL). */
static int forget_before(struct ahead *a, const struct stream_frame *f, struct error *e)
{
	if (a->used)
		forget_first(a);
	while (a->first < a->end && first(a)->frame != f) {
		int r = take_answer(a, e);

		if (r < 0 && r != E_NOTFOUND)
			return r;
		forget_first(a);
	}
	return 0;
}

int ahead_base(
	void *ctx, const struct stream_frame *f, struct bytes *ret, struct error *e)
{
	struct ahead *a = ctx;
	int found;
	int r = forget_before(a, f, e);

	if (r == 0 && a->first == a->end) {
		r = ask(a, f, e);
		if (r == 0)
			r = err_set(
				e, E_NOTFOUND, "a base of more than %u bytes", BASE_MAX);
		a->next = f + 1;
	}
	if (r < 0)
		return r;
	found = take_answer(a, e);
	if (found < 0 && found != E_NOTFOUND)
		return found;
	r = ask_more(a, e);
	if (r == 0)
		r = session_base(a->s->ss, first(a)->place, first(a)->size, ret, e);
	return r < 0 ? r : found;
}

int ahead_end(struct ahead *a, int r, struct error *e)
{
	struct error later; /* the first error is the one to tell */
	int ended = forget_before(a, NULL, r < 0 ? &later : e);

	return r < 0 ? r : ended;
}
