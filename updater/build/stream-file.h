/* SPDX-License-Identifier: MIT */
/*
 * A stream that was published: what it says of itself, and its frames for the stream to
 * the next release, most of whose contents are the same.
 */
#ifndef BUILD_STREAM_FILE_H
#define BUILD_STREAM_FILE_H

#include "base/cleanup.h"
#include "stream/catalog.h"
#include "stream/stream.h"

struct stream_file {
	int fd;
	struct stream_prologue prologue;
	struct stream_index index;
	struct first_content *firsts; /* of frames without bases, by digest */
	size_t n_firsts;
};

/*
 * Open `name` in `dir`.  Errors: E_NOTFOUND; E_INPUT it is no stream, or not a whole one.
 */
int stream_file_open(int dir, const char *name, struct stream_file *ret, struct error *e);
void stream_file_release(struct stream_file *f); /* takes one that is closed: fd -1 */
#define autostreamfile CLEANUP(stream_file_release) struct stream_file

/* Its line in the catalog. */
struct catalog_stream stream_file_line(const struct stream_file *f);

/* The frame without bases of just these contents, or NULL. */
const struct stream_frame *stream_file_find(
	const struct stream_file *f, const struct stream_content *contents, uint32_t n);

/*
 * Read a frame as it is stored, frame->stored bytes, and check what it holds; `inflated`
 * takes frame->length bytes.  Errors: E_INPUT.
 */
int stream_file_read(const struct stream_file *f, const struct stream_frame *frame,
	void *stored, unsigned char *inflated, struct error *e);

#endif
