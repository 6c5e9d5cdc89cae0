/* SPDX-License-Identifier: MIT */
/*
 * From a stream of bytes to what the manifest says about it, and into the pack: hashed
 * with BLAKE2b first, and only what is new is named and deflated.  At most 16 MiB of a
 * file are in memory.
 */
#ifndef BUILD_CONTENTS_H
#define BUILD_CONTENTS_H

#include "base/progress.h"
#include "build/blobs.h"
#include "build/chunk.h"
#include "build/pack.h"
#include "manifest/manifest.h"

struct contents {
	struct pack *pack;
	struct blobs *blobs;
	git_odb *odb;
	const struct progress *progress; /* may be NULL */
	struct chunker chunker;
	char *window; /* CHUNK_MAX bytes */
	uint64_t files;
	uint64_t files_reused; /* every byte of them was there */
	uint64_t bytes;
};

/* Everything is borrowed. */
void contents_init(struct contents *c, struct pack *pack, struct blobs *blobs,
	git_odb *odb, const struct progress *progress);
void contents_release(struct contents *c);

/* Where a file's bytes come from: at most `size`; *ret_n = 0 at the end. */
struct input {
	int (*read)(void *ctx, void *data, size_t size, size_t *ret_n, struct error *e);
	void *ctx;
};

struct content {
	struct digest digest;
	struct piece *pieces; /* owned; none up to MANIFEST_PIECE_MAX */
	size_t n_pieces;
};

/*
 * Take exactly `size` bytes.  Errors: E_INPUT the input has fewer or more, or too many
 * to be part of a release; E_INTERRUPTED; those of `in` and of the pack.
 */
int contents_put(struct contents *c, const struct input *in, uint64_t size,
	struct content *ret, struct error *e);

/* Bytes in memory: a link's target. */
int contents_put_bytes(struct contents *c, struct bytes data, struct error *e);

#endif
