/* SPDX-License-Identifier: MIT */
/* See contents.h. */
#include "build/contents.h"

#include "build/git.h"

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

/* Cut off and store the first piece of what the window holds. */
static int put_piece(struct contents *c, size_t *have, struct digest_state *whole,
	struct content *ret, size_t *cap, bool *ret_new, struct error *e)
{
	struct bytes data = { (unsigned char *)c->window, *have };
	struct piece piece;
	int r;

	data.size = chunk_next(&c->chunker, data);
	digest_update(whole, data.data, data.size);
	piece.size = data.size;
	piece.digest = digest_of(data);
	r = store(c, data, &piece.digest, ret_new, e);
	if (r < 0)
		return r;
	ARRAY_GROW(ret->pieces, ret->n_pieces, *cap);
	ret->pieces[ret->n_pieces++] = piece;
	*have -= data.size;
	memmove(c->window, c->window + data.size, *have);
	return 0;
}

static int put_pieces(struct contents *c, const struct input *in, uint64_t size,
	struct content *ret, bool *ret_new, struct error *e)
{
	struct digest_state whole;
	uint64_t left = size;
	size_t have = 0;
	size_t cap = 0;

	digest_start(&whole);
	while (left > 0 || have > 0) {
		size_t want = left < CHUNK_MAX - have ? (size_t)left : CHUNK_MAX - have;
		struct progress_event event = { "commit", "bytes", c->bytes + size - left,
			0 };
		bool piece_is_new;
		size_t n;
		int r = fill(in, c->window + have, want, &n, e);

		if (r == 0 && n != want)
			r = err_set(e, E_INPUT,
				"shorter than its size: is it being written to?");
		have += n;
		left -= n;
		if (r == 0)
			r = put_piece(c, &have, &whole, ret, &cap, &piece_is_new, e);
		if (r == 0)
			r = progress_report(c->progress, &event, e);
		if (r < 0)
			return r;
		*ret_new |= piece_is_new;
	}
	digest_finish(&whole, &ret->digest);
	return 0;
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
