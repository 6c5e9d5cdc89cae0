/* SPDX-License-Identifier: MIT */
/*
 * Release streams: one file that brings a device from one release (or none) to another.
 * doc/formats.md#stream.  Integers are little-endian.
 *
 *   stream   = prologue head index frame*
 *   prologue = magic[16] version:u32 0:u32 target[20] source[20]
 *              head_stored:u32 head_length:u32 index_stored:u32 index_length:u32
 *              frames_stored:u64 contents_length:u64
 *   head     = zstd( 1*( kind:u8 size:u32 raw ) )    'c' raw commits, from the target
 *              down towards the source; after each the raw tags on it, 't'
 *   index    = zstd( n_slices:u32 slice* frame_entry* )
 *   slice    = stored:u32 length:u32 base_length:u32 0:u32 base_offset:u64
 *   frame_entry = stored:u32 length:u32 n_contents:u32 n_bases:u32
 *              ( digest[32] size:u32 ){n_contents} ( digest[32] size:u32 ){n_bases}
 *   frame    = one zstd frame, exactly `stored` bytes, no dictionary id
 *
 * The first n_slices frames are the target's manifest, cut; a slice's prefix is that part
 * of the source's manifest.  Every other frame holds whole contents (a file's, or a piece
 * of one over 16 MiB), one behind the other; its zstd prefix (ZSTD_CCtx_refPrefix) is its
 * bases, one behind the other.  Frames stand without gaps in the order of the index.
 *
 * Nothing here is trusted by root: it checks what comes out against the signed manifest.
 * The parsers take untrusted bytes; everything is bounded by the constants below.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"

#define STREAM_MAGIC	  "osupdate-stream\n"
#define STREAM_MAGIC_SIZE 16
#define STREAM_VERSION	  1
#define STREAM_PROLOGUE	  96
#define STREAM_HEAD_MAX	  (8u << 20)   /* of the commits, inflated */
#define STREAM_INDEX_MAX  (256u << 20) /* of the index, inflated */
#define STREAM_FRAME_MAX  (16u << 20)  /* of a frame, inflated; of its bases together */
#define STREAM_STORED_MAX                                                                \
	(STREAM_FRAME_MAX + (STREAM_FRAME_MAX >> 7)) /* and deflated                     \
						      */
#define STREAM_CONTENTS_MAX (1u << 23)
#define STREAM_BASES_MAX    4096 /* of one frame */
#define STREAM_COMMITS_MAX  4096

struct stream_prologue {
	struct oid target;
	struct oid source; /* all zero: from nothing */
	uint32_t head_stored;
	uint32_t head_length;
	uint32_t index_stored;
	uint32_t index_length;
	uint64_t frames_stored;
	uint64_t contents_length; /* without the manifest */
};

bool stream_has_source(const struct stream_prologue *p);
/* Where the frames begin, and where the stream ends. */
uint64_t stream_frames_at(const struct stream_prologue *p);
uint64_t stream_size(const struct stream_prologue *p);

void stream_prologue_print(
	const struct stream_prologue *p, unsigned char out[STREAM_PROLOGUE]);
/* Errors: E_INPUT not a stream, another version, or over a limit. */
int stream_prologue_parse(const unsigned char in[STREAM_PROLOGUE],
	struct stream_prologue *ret, struct error *e);

/* --- head ------------------------------------------------------------------------- */

enum stream_item { STREAM_COMMIT = 'c', STREAM_TAG = 't' };

void stream_head_add(struct buf *head, enum stream_item kind, struct bytes raw);
/*
 * The next object from *at on (0 at first): 1, 0 at the end, or E_INPUT.  The first is a
 * commit.
 */
int stream_head_next(struct bytes head, size_t *at, enum stream_item *ret_kind,
	struct bytes *ret, struct error *e);

/* --- index ------------------------------------------------------------------------ */

struct stream_content {
	struct digest digest;
	uint32_t size;
};

struct stream_slice {
	uint64_t offset; /* in the file */
	uint32_t stored;
	uint32_t length;
	uint32_t base_length; /* 0: no prefix */
	uint64_t base_offset; /* in the source's manifest */
};

struct stream_frame {
	uint64_t offset; /* in the file */
	uint32_t stored;
	uint32_t length;
	uint32_t n_contents;
	uint32_t n_bases;
	uint32_t first; /* number of its first content in the whole index */
	size_t at;	/* of its contents in `raw`, bytes */
};

struct stream_index {
	struct buf raw; /* inflated, owned */
	struct stream_slice *slices;
	size_t n_slices;
	struct stream_frame *frames;
	size_t n_frames;
	size_t cap_frames;
	uint32_t n_contents; /* of all frames */
};

/*
 * Parse `raw`, which is taken in any case.  Errors: E_INPUT.  Sizes of contents add up to
 * their frame's, frames to what `p` says.
 */
int stream_index_parse(struct buf *raw, const struct stream_prologue *p,
	struct stream_index *ret, struct error *e);
void stream_index_release(struct stream_index *x);

/* Content or base number `i` of a frame. */
struct stream_content stream_frame_content(
	const struct stream_index *x, const struct stream_frame *f, uint32_t i);
struct stream_content stream_frame_base(
	const struct stream_index *x, const struct stream_frame *f, uint32_t i);

/* For the publisher: n_slices and the slices first, then each frame with all it has. */
void stream_index_begin(
	struct buf *raw, const struct stream_slice *slices, uint32_t n_slices);
void stream_index_add(struct buf *raw, const struct stream_frame *f,
	const struct stream_content *contents, const struct stream_content *bases);

#endif
