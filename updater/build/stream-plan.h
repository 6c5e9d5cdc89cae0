/* SPDX-License-Identifier: MIT */
/*
 * What a release stream carries, in which frames, made from which older contents.
 *
 * From nothing: all contents, the like ones (by kind of file) together in frames of about
 * STREAM_SHARED_MAX, so that they shrink each other and a range of few of them is small.
 * From another release: the contents it lacks, each with the old file at the same path as
 * its base, else the one whose path is equal when digits are ignored, else (or when there
 * are several, the first) the one of the same name.
 */
#ifndef BUILD_STREAM_PLAN_H
#define BUILD_STREAM_PLAN_H

#include "build/committed.h"
#include "stream/stream.h"

#define STREAM_SHARED_MAX  (1u << 20) /* inflated bytes of a frame that contents share */
#define STREAM_ALONE_MIN   (128u << 10) /* a content of so many bytes stands alone … */
#define STREAM_BASED_MAX   (256u << 10) /* frames of contents that have bases, shared */
#define STREAM_BASED_ALONE (48u << 10)	/* … where they stand alone from here on */

struct stream_plan {
	struct stream_frame *frames; /* without offset and stored */
	size_t n_frames;
	size_t cap_frames;
	struct stream_content *contents; /* of all frames, one behind the other */
	size_t n_contents;
	size_t cap_contents;
	struct stream_content *bases;
	size_t n_bases;
	size_t cap_bases;
	uint64_t contents_length;
};

/*
 * `target` and `source` (empty: from nothing) are manifests that were checked.
 * Deterministic.
 */
int stream_plan_make(struct bytes target, struct bytes source, struct stream_plan *ret,
	struct error *e);
void stream_plan_release(struct stream_plan *p);

#endif
