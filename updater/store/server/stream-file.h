/* SPDX-License-Identifier: MIT */
/* One release stream on a server: its beginning, its manifest, its frames. */
#ifndef SERVER_STREAM_FILE_H
#define SERVER_STREAM_FILE_H

#include "store/server/http.h"
#include "store/server/partial.h"
#include "stream/stream.h"

struct stream_file {
	struct http *http; /* borrowed */
	char *path;
	struct stream_prologue prologue;
	struct buf head; /* inflated */
	struct stream_index index;
	struct body *body; /* where we are in it; NULL: nowhere */
	bool gone;	   /* no place has it any more, as its beginning says it is */
	struct partial partial;
	void *dctx;
};

/*
 * Read the beginning of `path`, a stream to `target` from `source` (NULL: from nothing),
 * unless `beginning` holds it from an earlier time; then it does.  `end`: as much as will
 * be read of it without a gap, 0 all of it.
 * Errors: E_NOTFOUND; E_INPUT it is no such stream; E_REMOTE the server.
 */
int stream_file_open(struct http *h, const char *path, const struct oid *target,
	const struct oid *source, uint64_t end, struct buf *beginning,
	struct stream_file *ret, struct error *e);
void stream_file_close(struct stream_file *s);

/*
 * Write the manifest to `fd`; `source` is the source's, -1 when there is none.
 * Errors: E_NOTFOUND it is needed and there is none; E_REMOTE; E_SPACE.
 */
int stream_file_manifest(struct stream_file *s, int source, int fd, struct error *e);

/*
 * Inflate a frame into `out` (frame->length bytes).  `more`: reading will go on without a
 * gap up to there, as far as is known.  `base` is called when the frame has one and was
 * read: it gives the prefix, or E_NOTFOUND.
 * Errors: E_NOTFOUND of `base`; E_INPUT it does not inflate to what the index says;
 * E_REMOTE.
 */
struct stream_base {
	int (*get)(void *ctx, const struct stream_frame *f, struct bytes *ret,
		struct error *e);
	void *ctx;
};
int stream_file_frame(struct stream_file *s, const struct stream_frame *f, uint64_t more,
	const struct stream_base *base, unsigned char *out, struct error *e);

#endif
