/* SPDX-License-Identifier: MIT */
/*
 * Streaming contents from the store process: see client.h.  Wants go out in batches as
 * large as the store likes them, two of them at a time, so that the store never waits for
 * us; what comes back must be one of the wants of the batch that is being answered, once,
 * in its exact size.
 */
#include "store/client-internal.h"

#include "base/text.h"
#include "store/client-bases.h"

#define REASON_SHOWN_MAX 200 /* bytes of what the store says */
#define PATH_SHOWN_MAX	 150 /* each may become four */
#define PATH_SENT_MAX	 (FRAME_MAX - WANT_HEAD)

struct pending {
	uint32_t id;
	bool answered;
	uint64_t size;
};

struct batch {
	struct pending *wants; /* ids ascending */
	size_t n;
	size_t cap;
	size_t left; /* not yet answered */
};

struct stream {
	struct store *s;
	const struct oid *commit;
	const struct contents *c;
	struct batch batches[2];
	struct batch *current; /* the one that is being answered */
	struct bases *bases;   /* NULL until one is asked for */
	bool exhausted;	       /* `next` has said so */
	uint32_t room;	       /* WANTs at a time */
	bool paths;	       /* … with their paths */
};

static void put_want(struct stream *st, struct batch *b, const struct want *w)
{
	unsigned char head[WANT_HEAD];

	want_head_put(head, &(struct want_head){ .id = w->id,
				    .is_piece = w->is_piece,
				    .digest = w->digest,
				    .size = w->size });
	ARRAY_GROW(b->wants, b->n, b->cap);
	b->wants[b->n++] = (struct pending){ .id = w->id, .size = w->size };
	b->left++;
	frame_put(&st->s->out, FRAME_WANT, (struct bytes){ head, sizeof(head) },
		st->paths ? bytes_of(w->path) : (struct bytes){ 0 });
}

/* Fill `b` from the caller and send it; b->n is 0 when there was nothing more. */
static int send_batch(struct stream *st, struct batch *b, struct error *e)
{
	b->n = 0;
	b->left = 0;
	while (!st->exhausted && b->n < st->room) {
		struct want w;
		int r = st->c->next(st->c->ctx, &w, e);

		if (r < 0)
			return r;
		if (r == 0) {
			st->exhausted = true;
			break;
		}
		if (strlen(w.path) > PATH_SENT_MAX)
			return err_set(e, E_INPUT, "a path of %zu bytes", strlen(w.path));
		put_want(st, b, &w);
	}
	if (b->n == 0)
		return 0;
	return client_ask(st->s, FRAME_WANT_END,
		(struct bytes){ st->commit->b, OID_SIZE }, (struct bytes){ 0 }, e);
}

/* Mark the want `id` answered; NULL when it is none of the current batch. */
static const struct pending *answer(struct batch *b, uint32_t id)
{
	size_t low = 0;
	size_t high = b->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (b->wants[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == b->n || b->wants[low].id != id || b->wants[low].answered)
		return NULL;
	b->wants[low].answered = true;
	b->left--;
	return &b->wants[low];
}

/* E_REMOTE about one want: "PATH: what: why". */
static int want_error(const struct stream *st, const struct pending *p, const char *what,
	struct bytes why, struct error *e)
{
	autobuf name = { 0 };
	autobuf text = { 0 };
	struct bytes path;

	buf_add(&name, "", 0);
	st->c->name(st->c->ctx, p->id, &name);
	path = buf_bytes(&name);
	if (why.size > REASON_SHOWN_MAX)
		why.size = REASON_SHOWN_MAX;
	/* The end of a very long path tells more, and leaves room for the reason. */
	if (path.size > PATH_SHOWN_MAX) {
		path.data += path.size - PATH_SHOWN_MAX;
		path.size = PATH_SHOWN_MAX;
		buf_adds(&text, "...");
	}
	text_escape(&text, path, false);
	buf_addf(&text, ": %s: ", what);
	text_escape(&text, why, false);
	return err_unsigned(e, err_set(e, E_REMOTE, "%s", text.data));
}

static int take_content(struct stream *st, const struct frame *content, struct error *e)
{
	const struct contents *c = st->c;
	const struct pending *p;
	uint64_t left;
	int r;

	if (content->payload.size != 12)
		return client_refuse(st->s, content, e);
	p = answer(st->current, le32_get(content->payload.data));
	if (!p)
		return client_refuse(st->s, content, e);
	left = le64_get(content->payload.data + 4);
	if (left != p->size)
		return want_error(st, p, "the store sends", bytes_of("another size"), e);
	r = c->begin(c->ctx, p->id, p->size, e);
	while (r == 0 && left > 0) {
		struct frame f;

		r = client_answer(st->s, &f, e);
		if (r < 0)
			return r;
		if (f.type != FRAME_DATA || f.payload.size > left)
			return client_refuse(st->s, &f, e);
		left -= f.payload.size;
		r = c->data(c->ctx, f.payload, e);
		if (r == 0)
			r = bases_answer(st->bases, e);
	}
	return r < 0 ? r : c->end(c->ctx, e);
}

static int take_missing(struct stream *st, const struct frame *f, struct error *e)
{
	const struct pending *p;

	if (f->payload.size < 4)
		return client_refuse(st->s, f, e);
	p = answer(st->current, le32_get(f->payload.data));
	if (!p)
		return client_refuse(st->s, f, e);
	return want_error(st, p, "missing from the store",
		(struct bytes){ f->payload.data + 4, f->payload.size - 4 }, e);
}

static int need_base(struct stream *st, const struct frame *f, struct error *e)
{
	int r = st->bases ? 0 : bases_new(st->s, st->c, &st->bases, e);

	return r < 0 ? r : bases_ask(st->bases, f, e);
}

/* Read the answer to the current batch up to its DONE. */
static int take_batch(struct stream *st, struct error *e)
{
	for (;;) {
		struct frame f;
		int r = client_answer(st->s, &f, e);

		if (r < 0)
			return r;
		if (f.type == FRAME_CONTENT)
			r = take_content(st, &f, e);
		else if (f.type == FRAME_MISSING)
			r = take_missing(st, &f, e);
		else if (f.type == FRAME_NEED_BASE)
			r = need_base(st, &f, e);
		else if (f.type == FRAME_DONE && st->current->left == 0)
			return 0;
		else
			r = client_refuse(st->s, &f, e);
		if (r < 0)
			return r;
	}
}

/* How many wants the store likes to have at a time. */
static int ask_room(struct stream *st, struct error *e)
{
	struct frame f = { 0 };
	int r = client_ask(st->s, FRAME_WANTS, (struct bytes){ st->commit->b, OID_SIZE },
		(struct bytes){ 0 }, e);

	if (r == 0)
		r = client_answer(st->s, &f, e);
	if (r < 0)
		return r;
	if (f.type != FRAME_ROOM || f.payload.size != 5)
		return client_refuse(st->s, &f, e);
	st->room = le32_get(f.payload.data);
	st->paths = f.payload.data[4] != 0;
	if (st->room == 0 || st->room > FRAME_WANTS_MAX)
		return client_refuse(st->s, &f, e);
	r = client_answer(st->s, &f, e);
	return r < 0 || f.type == FRAME_DONE ? r : client_refuse(st->s, &f, e);
}

static int stream_all(struct stream *st, struct error *e)
{
	int r = ask_room(st, e);

	if (r == 0)
		r = send_batch(st, st->current, e);

	while (r == 0 && st->current->n > 0) {
		struct batch *other =
			st->current == st->batches ? st->batches + 1 : st->batches;

		r = send_batch(st, other, e);
		if (r == 0)
			r = take_batch(st, e);
		st->current = other;
	}
	return r;
}

int store_contents(struct store *s, const struct oid *commit, const struct contents *c,
	struct error *e)
{
	struct stream *st = xcalloc(1, sizeof(*st));
	int r;

	*st = (struct stream){ .s = s, .commit = commit, .c = c, .current = st->batches };
	s->receiver = c;
	r = stream_all(st, e);
	s->receiver = NULL;
	bases_free(st->bases);
	free(st->batches[0].wants);
	free(st->batches[1].wants);
	free(st);
	/* Answers may still be under way: they cannot be told from those to a new
	 * question. */
	return r < 0 ? client_break(s, r) : 0;
}

int store_forecast(struct store *s, const struct oid *commit, const struct contents *c,
	uint64_t *ret_bytes, struct error *e)
{
	struct stream st = { .s = s, .commit = commit, .c = c };
	bool known = false;
	struct want w;
	int r = ask_room(&st, e);

	while (r == 0 && !st.paths && (r = c->next(c->ctx, &w, e)) > 0) {
		put_want(&st, &st.batches[0], &w);
		r = 0;
	}
	if (r == 0)
		r = client_ask(s, FRAME_WANT_COUNT, (struct bytes){ commit->b, OID_SIZE },
			(struct bytes){ 0 }, e);
	free(st.batches[0].wants);
	while (r == 0) {
		struct frame f;

		r = client_answer(s, &f, e);
		if (r < 0 || f.type == FRAME_DONE)
			break;
		if (f.type != FRAME_FORECAST || f.payload.size != 8 || known)
			return client_refuse(s, &f, e);
		*ret_bytes = le64_get(f.payload.data);
		known = true;
	}
	return r < 0 ? r : known;
}
