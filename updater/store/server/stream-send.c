/* SPDX-License-Identifier: MIT */
/*
 * Contents out of streams: see streams.h.  All that is wanted is known before the first
 * byte is asked for, so a stream is read once, from front to back, with gaps where
 * nothing is wanted.  What the chosen stream does not give (a base that a slot has lost,
 * contents it takes for granted) comes from the full one.
 */
#include "store/server/bases.h"

#include "store/server/kept.h"

int streams_want(struct streams *s, struct bytes payload, struct error *e)
{
	struct want_head head;

	if (payload.size < WANT_HEAD || s->n_asked == STREAM_CONTENTS_MAX)
		return err_set(e, E_USAGE, "WANT: too short, or too many of them");
	want_head_get(payload.data, &head);
	if (head.size > STREAM_FRAME_MAX)
		return err_set(e, E_USAGE, "WANT: larger than any content");
	ARRAY_GROW(s->asked, s->n_asked, s->cap_asked);
	s->asked[s->n_asked++] = (struct asked){
		.digest = head.digest, .id = head.id, .size = (uint32_t)head.size
	};
	return 0;
}

static void forget(struct streams *s)
{
	free(s->asked);
	s->asked = NULL;
	s->n_asked = 0;
	s->cap_asked = 0;
}

/* --- who wants what --------------------------------------------------------------- */

static int by_digest(const void *a, const void *b)
{
	const struct asked *x = a;
	const struct asked *y = b;
	int order = memcmp(x->digest.b, y->digest.b, DIGEST_SIZE);

	return order ? order : (x->id < y->id ? -1 : x->id > y->id);
}

static void sort(struct streams *s)
{
	if (s->n_asked > 1)
		qsort(s->asked, s->n_asked, sizeof(*s->asked), by_digest);
}

/* The first who asked for `c`, or the end. */
static struct asked *first_asked(const struct streams *s, const struct stream_content *c)
{
	size_t low = 0;
	size_t high = s->n_asked;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(s->asked[middle].digest.b, c->digest.b, DIGEST_SIZE) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return s->asked + low;
}

static bool asks_for(
	const struct streams *s, const struct asked *a, const struct stream_content *c)
{
	return a < s->asked + s->n_asked && digest_equal(&a->digest, &c->digest) &&
	       a->size == c->size;
}

bool streams_wants(const struct streams *s, const struct stream_file *from,
	const struct stream_frame *f)
{
	for (uint32_t i = 0; i < f->n_contents; i++) {
		struct stream_content c = stream_frame_content(&from->index, f, i);

		for (struct asked *a = first_asked(s, &c); asks_for(s, a, &c); a++)
			if (!a->answered)
				return true;
	}
	return false;
}

static size_t unanswered(const struct streams *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_asked; i++)
		n += !s->asked[i].answered;
	return n;
}

/* --- sending ---------------------------------------------------------------------- */

static int send_contents(struct streams *s, const struct stream_file *from,
	const struct stream_frame *f, const unsigned char *data, struct error *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < f->n_contents; i++) {
		struct stream_content c = stream_frame_content(&from->index, f, i);

		for (struct asked *a = first_asked(s, &c); r == 0 && asks_for(s, a, &c);
			a++) {
			if (a->answered)
				continue;
			a->answered = true;
			r = reply_content(
				s->ss, a->id, (struct bytes){ data, c.size }, e);
		}
		data += c.size;
	}
	return r;
}

/* Where a run of wanted frames that begins with number `i` ends in the file. */
static uint64_t run_end(const struct streams *s, const struct stream_file *from, size_t i)
{
	uint64_t end = from->index.frames[i].offset;

	for (; i < from->index.n_frames; i++) {
		const struct stream_frame *f = &from->index.frames[i];

		if (!streams_wants(s, from, f))
			break;
		end = f->offset + f->stored;
	}
	return end;
}

static int send_frame(struct streams *s, struct stream_file *from,
	const struct stream_frame *f, uint64_t end, struct ahead *ahead, struct error *e)
{
	const struct stream_base base = { ahead_base, ahead };
	autofree unsigned char *data = xmalloc(f->length);
	int r = stream_file_frame(from, f, end, &base, data, e);

	/* Without its base, or not what the index says: the full stream has it. */
	if ((r == E_NOTFOUND && !from->gone) || (r == E_INPUT && from == &s->main))
		return 0;
	return r < 0 ? r : send_contents(s, from, f, data, e);
}

static int send_from(struct streams *s, struct stream_file *from, struct error *e)
{
	struct ahead ahead = { .s = s, .from = from };
	uint64_t end = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->index.n_frames; i++) {
		const struct stream_frame *f = &from->index.frames[i];

		if (!streams_wants(s, from, f))
			continue;
		if (f->offset >= end)
			end = run_end(s, from, i);
		r = send_frame(s, from, f, end, &ahead, e);
	}
	r = ahead_end(&ahead, r, e);
	if (!from->gone || from != &s->main)
		return r;
	/* It is on no server any more, or another one is. */
	kept_forget_streams(&s->catalog_of);
	return 0;
}

static int send_missing(struct streams *s, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n_asked; i++) {
		unsigned char id[4];

		if (s->asked[i].answered)
			continue;
		le32_put(id, s->asked[i].id);
		r = frame_send(s->ss->fd, FRAME_MISSING, (struct bytes){ id, sizeof(id) },
			bytes_of("no stream of this release has it"), e);
	}
	return r;
}

int streams_send(struct streams *s, const git_oid *commit, struct error *e)
{
	struct oid id;
	bool has_source;
	int r;

	memcpy(id.b, commit->id, OID_SIZE);
	if (s->n_asked == 0)
		return 0;
	sort(s);
	memory_keep(); /* this process ends soon */
	r = streams_open_main(s, &id, e);
	if (r == 0)
		r = send_from(s, &s->main, e);
	/* One at a time: an index may take most of the memory there is. */
	has_source = stream_has_source(&s->main.prologue);
	stream_file_close(&s->main);
	if (r == 0 && unanswered(s) > 0 && has_source) {
		r = streams_open_full(s, &id, e);
		if (r == 0)
			r = send_from(s, &s->full, e);
		stream_file_close(&s->full);
	}
	if (r == 0 && unanswered(s) > 0) {
		kept_forget_streams(&id);
		r = send_missing(s, e);
	}
	if (r == 0)
		partial_remove();
	forget(s);
	return streams_make_room(s, streams_distrust(&id, r, e));
}

/* --- forecast --------------------------------------------------------------------- */

/* Stored bytes of frames that are wanted; they count as answered. */
static uint64_t add_up(struct streams *s, const struct stream_file *from)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < from->index.n_frames; i++) {
		const struct stream_frame *f = &from->index.frames[i];

		if (!streams_wants(s, from, f))
			continue;
		bytes += f->stored;
		for (uint32_t k = 0; k < f->n_contents; k++) {
			struct stream_content c =
				stream_frame_content(&from->index, f, k);

			for (struct asked *a = first_asked(s, &c); asks_for(s, a, &c);
				a++)
				a->answered = true;
		}
	}
	return bytes;
}

static int forecast_wanted(
	struct streams *s, const struct oid *id, uint64_t *ret, struct error *e)
{
	int r = streams_open_main(s, id, e);
	bool has_source = stream_has_source(&s->main.prologue);

	sort(s);
	if (r == 0)
		*ret = add_up(s, &s->main);
	stream_file_close(&s->main);
	if (r == 0 && unanswered(s) > 0 && has_source) {
		r = streams_open_full(s, id, e);
		if (r == 0)
			*ret += add_up(s, &s->full);
		stream_file_close(&s->full);
	}
	return r;
}

int streams_forecast(struct streams *s, const git_oid *commit, struct error *e)
{
	const struct catalog_stream *chosen;
	unsigned char payload[8];
	uint64_t bytes = 0;
	bool whole;
	struct oid id;
	int r;

	memcpy(id.b, commit->id, OID_SIZE);
	r = streams_catalog(s, &id, e);
	if (r < 0)
		return r;
	chosen = catalog_find(&s->catalog, streams_choose(s));
	whole = streams_choose(s) || s->n_have == 0;
	if (whole && kept_ahead(&id))
		bytes = 0;
	else if (s->n_asked > 0)
		r = forecast_wanted(s, &id, &bytes, e);
	else if (whole && !kept_has(&id))
		bytes = chosen->size;
	else
		return 0; /* it takes the wants to know */
	forget(s);
	le64_put(payload, bytes);
	return r < 0 ? r : reply(s->ss, FRAME_FORECAST, (struct bytes){ payload, 8 }, e);
}
