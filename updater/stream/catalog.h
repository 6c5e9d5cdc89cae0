/* SPDX-License-Identifier: MIT */
/*
 * What streams of one release a server has: the file release/<commit>/index.
 *
 *   catalog = "osupdate-streams 1\n" full from*
 *   full    = "full " size SP start LF
 *   from    = "from " commit SP size SP start LF      sorted by commit
 *
 * `size` is the whole stream's, `start` what comes before its contents (prologue, head,
 * index and manifest), in bytes.  Untrusted, as all that a server says.
 */
#ifndef STREAM_CATALOG_H
#define STREAM_CATALOG_H

#include "base/digest.h"
#include "base/error.h"

#define CATALOG_MAX	    (1u << 20) /* bytes of the file */
#define CATALOG_STREAMS_MAX 4096

struct catalog_stream {
	struct oid source; /* all zero: the full stream */
	uint64_t size;
	uint64_t start;
};

struct catalog {
	struct catalog_stream *streams; /* the full one first */
	size_t n;
	size_t cap;
};

/* Errors: E_INPUT naming the line. */
int catalog_parse(struct bytes text, struct catalog *ret, struct error *e);
void catalog_print(const struct catalog *c, struct buf *out);
void catalog_release(struct catalog *c);
#define autocatalog CLEANUP(catalog_release) struct catalog

/* The stream from `source` (NULL: the full one), or NULL. */
const struct catalog_stream *catalog_find(
	const struct catalog *c, const struct oid *source);

/* Put `s` in its place, instead of one from the same source. */
void catalog_put(struct catalog *c, const struct catalog_stream *s);

#endif
