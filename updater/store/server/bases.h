/* SPDX-License-Identifier: MIT */
/*
 * What frames of a stream are inflated with, from root: asked for ahead, as far as the
 * memory goes that it comes in, so that root reads and checks bases while frames before
 * them are inflated and written.
 */
#ifndef SERVER_BASES_H
#define SERVER_BASES_H

#include "store/server/streams-internal.h"

struct base_asked {
	const struct stream_frame *frame;
	size_t place; /* in the memory */
	size_t size;
};

/* Zeroed but `s` and `from`. */
struct ahead {
	struct streams *s;
	struct stream_file *from;
	/* Counting on and on, modulo BASES_MAX: */
	struct base_asked asked[BASES_MAX];
	size_t used; /* 1: the one at `first` has its answer and is being used */
	size_t first;
	size_t end;
	const struct stream_frame *next; /* after the last that was asked for */
	size_t tail;			 /* where that ends in the memory */
};

/*
 * The bases of the frame `f`, until the next call: struct stream_base's get, with a
 * struct ahead.  Frames come in their order.  Errors: E_NOTFOUND root cannot have them.
 */
int ahead_base(
	void *ctx, const struct stream_frame *f, struct bytes *ret, struct error *e);

/* Take answers that are of no use any more.  Returns `r` when that is an error. */
int ahead_end(struct ahead *a, int r, struct error *e);

#endif
