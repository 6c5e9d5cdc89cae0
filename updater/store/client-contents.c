/* SPDX-License-Identifier: MIT */
/*
 * Streaming contents from the store process: see client.h.  Wants go out in batches,
 * two of them at a time, so that the store never waits for us; what comes back must be
 * one of the wants of the batch that is being answered, once, in its exact size.
 */
#include "store/client-internal.h"

#include "base/text.h"

#define REASON_SHOWN_MAX 200 /* bytes of what the store says */
#define PATH_SHOWN_MAX   150 /* each may become four */

struct pending {
	uint32_t id;
	uint64_t size;
	size_t path; /* offset in batch.paths */
	bool answered;
};

struct batch {
	struct pending wants[FRAME_BATCH];
	size_t n;
	size_t left; /* not yet answered */
	struct buf paths;  /* each with its NUL */
	struct buf frames; /* as they will be sent */
};

struct stream {
	struct store *s;
	const struct oid *commit;
	const struct contents *c;
	struct batch batches[2];
	struct batch *current; /* the one that is being answered */
	bool exhausted; /* `next` has said so */
};

static void add_want(struct batch *b, const struct want *w)
{
	unsigned char head[WANT_HEAD];

	want_head_put(head, &(struct want_head){ .id = w->id,
				    .is_piece = w->is_piece,
				    .digest = w->digest,
				    .size = w->size });
	b->wants[b->n++] =
		(struct pending){ .id = w->id, .size = w->size, .path = b->paths.size };
	b->left++;
	buf_add(&b->paths, w->path, strlen(w->path) + 1);
	frame_put(&b->frames, FRAME_WANT, (struct bytes){ head, sizeof(head) },
		bytes_of(w->path));
}

/* Fill `b` from the caller and send it; b->n is 0 when there was nothing more. */
static int send_batch(struct stream *st, struct batch *b, struct error *e)
{
	b->n = 0;
	b->left = 0;
	buf_reset(&b->paths);
	buf_reset(&b->frames);
	while (!st->exhausted && b->n < FRAME_BATCH &&
		b->frames.size < FRAME_BATCH_BYTES) {
		struct want w;
		int r = st->c->next(st->c->ctx, &w, e);

		if (r < 0)
			return r;
		if (r == 0) {
			st->exhausted = true;
			break;
		}
		if (strlen(w.path) > FRAME_MAX - WANT_HEAD)
			return err_set(e, E_INPUT, "a path of %zu bytes", strlen(w.path));
		add_want(b, &w);
	}
	if (b->n == 0)
		return 0;
	buf_add(&st->s->out, b->frames.data, b->frames.size);
	return client_ask(st->s, FRAME_WANT_END,
		(struct bytes){ st->commit->b, OID_SIZE }, (struct bytes){ 0 }, e);
}

/* Mark the want `id` answered; NULL when it is none of the current batch. */
static const struct pending *answer(struct batch *b, uint32_t id)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->wants[i].id != id)
			continue;
		if (b->wants[i].answered)
			return NULL;
		b->wants[i].answered = true;
		b->left--;
		return &b->wants[i];
	}
	return NULL;
}

/* E_REMOTE about one want: "PATH: what: why". */
static int want_error(const struct stream *st, const struct pending *p, const char *what,
	struct bytes why, struct error *e)
{
	struct bytes path = bytes_of(st->current->paths.data + p->path);
	autobuf text = { 0 };

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
	return err_set(e, E_REMOTE, "%s", text.data);
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
		else if (f.type == FRAME_DONE && st->current->left == 0)
			return 0;
		else
			r = client_refuse(st->s, &f, e);
		if (r < 0)
			return r;
	}
}

static int stream_all(struct stream *st, struct error *e)
{
	int r = send_batch(st, st->current, e);

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
	r = stream_all(st, e);
	for (size_t i = 0; i < 2; i++) {
		buf_release(&st->batches[i].paths);
		buf_release(&st->batches[i].frames);
	}
	free(st);
	/* Answers may still be under way: they cannot be told from those to a new
	 * question. */
	return r < 0 ? client_break(s, r) : 0;
}
