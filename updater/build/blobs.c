/* SPDX-License-Identifier: MIT */
/* Open addressing over the digest's own bytes, which are spread evenly: see blobs.h. */
#include "build/blobs.h"

static size_t place(const struct blobs *b, const struct digest *digest)
{
	uint64_t h;
	size_t at;

	memcpy(&h, digest->b, sizeof(h));
	at = (size_t)h & (b->cap - 1);
	while (b->slots[at] &&
		memcmp(b->slots[at]->digest.b, digest->b, DIGEST_SIZE) != 0)
		at = (at + 1) & (b->cap - 1);
	return at;
}

static void grow(struct blobs *b)
{
	struct blobs bigger = { .n = b->n, .cap = b->cap ? b->cap * 2 : 1024 };

	bigger.slots = xcalloc(bigger.cap, sizeof(struct blob *));
	for (size_t i = 0; i < b->cap; i++)
		if (b->slots[i])
			bigger.slots[place(&bigger, &b->slots[i]->digest)] = b->slots[i];
	free(b->slots);
	*b = bigger;
}

struct blob *blobs_find(const struct blobs *b, const struct digest *digest)
{
	return b->cap ? b->slots[place(b, digest)] : NULL;
}

struct blob *blobs_add(struct blobs *b, const struct digest *digest)
{
	size_t at;

	if (b->n >= b->cap / 2)
		grow(b);
	at = place(b, digest);
	if (!b->slots[at]) {
		b->slots[at] = xcalloc(1, sizeof(struct blob));
		b->slots[at]->digest = *digest;
		b->n++;
	}
	return b->slots[at];
}

void blobs_release(struct blobs *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->cap; i++)
		free(b->slots[i]);
	free(b->slots);
	*b = (struct blobs){ 0 };
}
