/* SPDX-License-Identifier: MIT */
/*
 * One release stream, written into a directory: compressed on all processors, in the
 * order of its plan, under its name only when it is complete and on the disk.  The same
 * releases, level and libzstd give the same bytes.
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
	const struct progress *progress;
};

/* Errors: E_INPUT a release that is not whole; E_SPACE; E_INTERRUPTED. */
int stream_write(
	const struct stream_write *w, struct catalog_stream *ret, struct error *e);

/*
 * Read what `name` in `dir` says of itself.  Errors: E_NOTFOUND; E_INPUT it is no stream,
 * or not one to `target`.
 */
int stream_look(int dir, const char *name, const struct oid *target,
	struct catalog_stream *ret, struct error *e);

#endif
