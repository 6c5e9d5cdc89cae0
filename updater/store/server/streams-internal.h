/* SPDX-License-Identifier: MIT */
/* What streams.c, stream-send.c and bases.c share. */
#ifndef SERVER_STREAMS_INTERNAL_H
#define SERVER_STREAMS_INTERNAL_H

#include "store/server/stream-file.h"
#include "store/server/streams.h"
#include "stream/catalog.h"

#define HAVE_MAX 4 /* releases that slots hold */

/* One content root wants. */
struct asked {
	struct digest digest;
	uint32_t id;
	uint32_t size;
	bool answered;
};

struct streams {
	struct session *ss;
	struct http *http;
	struct oid have[HAVE_MAX];
	size_t n_have;
	int lock;		/* held from the first download on; or -1 */
	struct catalog catalog; /* of the release catalog_of; empty: of none */
	struct oid catalog_of;
	bool only_full;		 /* its stream from what a slot holds cannot be read */
	struct stream_file main; /* the chosen stream to it, when it is open */
	struct stream_file full; /* and the full one, besides */
	struct asked *asked;
	size_t n_asked;
	size_t cap_asked;
};

int streams_catalog(struct streams *s, const struct oid *id, struct error *e);
/* "release/<id>/from-<source>", or the full one; owned by the caller. */
char *streams_path(const struct oid *id, const struct oid *source);
const struct oid *streams_choose(const struct streams *s);
int streams_open_main(struct streams *s, const struct oid *id, struct error *e);
int streams_open_full(struct streams *s, const struct oid *id, struct error *e);
/* Of an error while `id` was read: what was wrong of it is not used again. */
int streams_distrust(const struct oid *id, int r, struct error *e);
/* Nobody else downloads into this store from now on.  E_BUSY. */
int streams_lock(struct streams *s, struct error *e);
/*
 * Of error `r`: after E_SPACE all that is kept is let go of.  It is a server's word, and
 * can be had again; what fills the disk of it would be in the way of every later attempt.
 * Returns `r`.
 */
int streams_make_room(struct streams *s, int r);
/* Commits and manifest of the release are kept when it returns 0. */
int streams_keep(struct streams *s, const struct oid *id, struct error *e);
/* Is one of the frame's contents asked for, and not yet answered? */
bool streams_wants(const struct streams *s, const struct stream_file *from,
	const struct stream_frame *f);
/* Download the chosen stream to `id` for later, if it is one that is read as a whole. */
int streams_ahead(struct streams *s, const struct oid *id, struct error *e);

#endif
