/* SPDX-License-Identifier: MIT */
/*
 * One release stream, written into a directory: compressed on all processors, in the
 * order of its plan, under its name only when it is complete and on the disk.  The same
 * releases, level and libzstd give the same bytes: frames that the stream of the release
 * before has already are copied, where a sample of them is what this level makes.
 */
#ifndef BUILD_STREAM_WRITE_H
#define BUILD_STREAM_WRITE_H

#include "base/progress.h"
#include "build/committed.h"
#include "stream/catalog.h"
#include "stream/stream.h"

#define STREAM_LEVEL_DEFAULT 9
#define STREAM_LEVEL_MAX     19

struct stream_write {
	git_repository *repo;
	struct committed *target;
	struct committed *source; /* NULL: from nothing */
	struct bytes head;	  /* stream_head_add of all that belongs there */
	int level;
	int dir;
	const char *name;
	const char *before; /* in `dir`: the full stream of the release before, or NULL */
	const struct progress *progress;
};

/*
 * *ret_copied: bytes of it that stood in `before`.  Errors: E_INPUT a release that is not
 * whole; E_SPACE; E_INTERRUPTED.
 */
int stream_write(const struct stream_write *w, struct catalog_stream *ret,
	uint64_t *ret_copied, struct error *e);

#endif
