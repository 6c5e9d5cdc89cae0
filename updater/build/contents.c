/* SPDX-License-Identifier: MIT */
/* See contents.h. */
#include "build/contents.h"

#include "build/git.h"

#define TOO_SHORT "shorter than its size: is it being written to?"

void contents_init(struct contents *c, struct pack *pack, struct blobs *blobs,
	git_odb *odb, const struct progress *progress)
{
	*c = (struct contents){
		.pack = pack, .blobs = blobs, .odb = odb, .progress = progress
	};
	chunker_init(&c->chunker);
	c->window = xmalloc(CHUNK_MAX);
}

void contents_release(struct contents *c)
{
	free(c->window);
	c->window = NULL;
}

/* A parent's manifest said so: is there such a blob, of that size? */
static bool holds(struct contents *c, const struct blob *blob, size_t size)
{
	git_object_t type;
	size_t found;

	return git_odb_read_header(&found, &type, c->odb, git_id(&blob->oid)) == 0 &&
	       type == GIT_OBJECT_BLOB && found == size;
}

static int store(struct contents *c, struct bytes data, const struct digest *digest,
	bool *ret_new, struct error *e)
{
	struct blob *blob = blobs_find(c->blobs, digest);
	void *copy;

	*ret_new = false;
	if (blob && (!blob->claimed || holds(c, blob, data.size))) {
		blob->claimed = false;
		return 0;
	}
	*ret_new = true;
	blob = blobs_add(c->blobs, digest);
	blob->claimed = false;
	blob->size = data.size;
	copy = xmalloc(data.size);
	if (data.size)
		memcpy(copy, data.data, data.size);
	return pack_add(c->pack, GIT_OBJECT_BLOB, copy, data.size, &blob->oid, e);
}

static int fill(
	const struct input *in, char *data, size_t size, size_t *ret_n, struct error *e)
{
	size_t n = 1;

	*ret_n = 0;
	while (size > 0 && n > 0) {
		int r = in->read(in->ctx, data, size, &n, e);

		if (r < 0)
			return r;
		data += n;
		size -= n;
		*ret_n += n;
	}
	return 0;
}

/* The input may have no more than what it announced. */
static int expect_end(const struct input *in, struct error *e)
{
	char byte;
	size_t n;
	int r = in->read(in->ctx, &byte, 1, &n, e);

	if (r == 0 && n != 0)
		return err_set(
			e, E_INPUT, "longer than its size: is it being written to?");
	return r;
}

static int put_whole(struct contents *c, const struct input *in, size_t size,
	struct content *ret, bool *ret_new, struct error *e)
{
	struct bytes data = { (unsigned char *)c->window, size };
	size_t n;
	int r = fill(in, c->window, size, &n, e);

	if (r < 0)
		return r;
	if (n != size)
		return err_set(
			e, E_INPUT, "shorter than its size: is it being written to?");
	ret->digest = digest_of(data);
	return store(c, data, &ret->digest, ret_new, e);
}

/* A file over 16 MiB on its way through the window. */
struct cutting {
	struct digest_state whole;
	size_t have;   /* bytes in the window */
	uint64_t left; /* bytes still to be read */
	struct content content;
	size_t cap;
	bool is_new;
};

/* Cut off and store the first piece of what the window holds. */
static int put_piece(struct contents *c, struct cutting *x, struct error *e)
{
	struct bytes data = { (unsigned char *)c->window, x->have };
	struct piece piece;
	bool is_new;
	int r;

	data.size = chunk_next(&c->chunker, data);
	digest_update(&x->whole, data.data, data.size);
	piece.size = data.size;
	piece.digest = digest_of(data);
	r = store(c, data, &piece.digest, &is_new, e);
	if (r < 0)
		return r;
	x->is_new |= is_new;
	ARRAY_GROW(x->content.pieces, x->content.n_pieces, x->cap);
	x->content.pieces[x->content.n_pieces++] = piece;
	x->have -= data.size;
	memmove(c->window, c->window + data.size, x->have);
	return 0;
}

static int fill_window(
	struct contents *c, const struct input *in, struct cutting *x, struct error *e)
{
	size_t room = CHUNK_MAX - x->have;
	size_t want = x->left < room ? (size_t)x->left : room;
	size_t n;
	int r = fill(in, c->window + x->have, want, &n, e);

	if (r == 0 && n != want)
		r = err_set(e, E_INPUT, TOO_SHORT);
	x->have += n;
	x->left -= n;
	return r;
}

static int put_pieces(struct contents *c, const struct input *in, uint64_t size,
	struct content *ret, bool *ret_new, struct error *e)
{
	struct cutting x = { .left = size };
	int r = 0;

	digest_start(&x.whole);
	while (r == 0 && (x.left > 0 || x.have > 0)) {
		struct progress_event event = { "commit", "bytes", 0, 0 };

		r = fill_window(c, in, &x, e);
		if (r == 0)
			r = put_piece(c, &x, e);
		event.done = c->bytes + size - x.left;
		if (r == 0)
			r = progress_report(c->progress, &event, e);
	}
	digest_finish(&x.whole, &x.content.digest);
	*ret = x.content;
	*ret_new = x.is_new;
	return r;
}

int contents_put(struct contents *c, const struct input *in, uint64_t size,
	struct content *ret, struct error *e)
{
	struct content content = { 0 };
	struct progress_event event = { .step = "commit", .unit = "bytes" };
	bool is_new = false;
	int r;

	if (size > MANIFEST_FILE_MAX)
		return err_set(
			e, E_INPUT, "larger than a file of a release may be (4 TiB)");
	if (size <= MANIFEST_PIECE_MAX)
		r = put_whole(c, in, (size_t)size, &content, &is_new, e);
	else
		r = put_pieces(c, in, size, &content, &is_new, e);
	if (r == 0)
		r = expect_end(in, e);
	c->bytes += size;
	event.done = c->bytes;
	if (r == 0)
		r = progress_report(c->progress, &event, e);
	if (r < 0) {
		free(content.pieces);
		return r;
	}
	c->files++;
	c->files_reused += is_new ? 0 : 1;
	*ret = content;
	return 0;
}

int contents_put_bytes(struct contents *c, struct bytes data, struct error *e)
{
	struct digest digest = digest_of(data);
	bool is_new;

	return store(c, data, &digest, &is_new, e);
}
