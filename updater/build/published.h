/* SPDX-License-Identifier: MIT */
/*
 * A stream as it stands in a published directory: what it says of itself, and its frames
 * for the stream to the next release, most of whose contents are the same.
 */
#ifndef BUILD_PUBLISHED_H
#define BUILD_PUBLISHED_H

#include "base/cleanup.h"
#include "stream/catalog.h"
#include "stream/stream.h"

struct published {
	int fd;
	struct stream_prologue prologue;
	struct stream_index index;
	struct first_content *firsts; /* of frames without bases, by digest */
	size_t n_firsts;
};

/*
 * Open `name` in `dir`.  Errors: E_NOTFOUND; E_INPUT it is no stream, or not a whole one.
 */
int published_open(int dir, const char *name, struct published *ret, struct error *e);
void published_release(struct published *f); /* takes one that is closed: fd -1 */
#define autopublished CLEANUP(published_release) struct published

/* Its line in the catalog. */
struct catalog_stream published_line(const struct published *f);

/* The frame without bases of just these contents, or NULL. */
const struct stream_frame *published_find(
	const struct published *f, const struct stream_content *contents, uint32_t n);

/*
 * Read a frame as it is stored, frame->stored bytes, and check what it holds; `inflated`
 * takes frame->length bytes.  Errors: E_INPUT.
 */
int published_read(const struct published *f, const struct stream_frame *frame,
	void *stored, unsigned char *inflated, struct error *e);

#endif
