/* SPDX-License-Identifier: MIT */
/*
 * What a device that follows streams keeps, below `streams/` in the store: of each
 * channel the newest commit, of a few releases commits and manifest, and no contents.
 *
 *   channel/<name>            "etag" LF raw commit     (/ in a name is %2F, % is %25)
 *   release/<commit>/head     of the stream it came with, inflated (stream.h)
 *   release/<commit>/manifest
 *   release/<commit>/{full,from-<commit>}   beginnings of streams, as they came
 *   ahead/release/<commit>/   streams downloaded for later, as a server has them
 */
#ifndef SERVER_KEPT_H
#define SERVER_KEPT_H

#include "store/server/session.h"
#include "stream/stream.h"

#define KEPT_DIR       "streams"
#define KEPT_AHEAD_DIR KEPT_DIR "/ahead"

/*
 * `etag` has HTTP_ETAG_MAX bytes, and is "" after a day: a server may have given it with
 * an older commit, and another server would take it for what it has now.
 * Errors: E_NOTFOUND.
 */
int kept_channel(const char *name, struct buf *ret_commit, char *etag, struct error *e);
int kept_save_channel(
	const char *name, struct bytes commit, const char *etag, struct error *e);

/* Is all of the release here? */
bool kept_has(const struct oid *id);
/* Errors: E_NOTFOUND. */
int kept_head(const struct oid *id, struct buf *ret, struct error *e);
int kept_manifest(const struct oid *id, int *ret_fd, struct error *e);

/*
 * Keep a release: kept_begin gives a file for the manifest, kept_save makes it last, with
 * its head; kept_give_up lets go of it.
 */
int kept_begin(const struct oid *id, int *ret_fd, struct error *e);
void kept_give_up(const struct oid *id);
int kept_save(const struct oid *id, int fd, struct bytes head, struct error *e);

/* The beginning of a stream to `id` from `source` (NULL: the full one).  E_NOTFOUND. */
int kept_beginning(
	const struct oid *id, const struct oid *source, struct buf *ret, struct error *e);
int kept_save_beginning(const struct oid *id, const struct oid *source,
	struct bytes beginning, struct error *e);

/*
 * The commit `id`, or (id NULL) the newest that claims `value` in its trailer `key`, from
 * all heads: 1 and raw bytes, 0 none.  *ret_tags (may be NULL): its tags as in a head.
 */
int kept_find(const struct oid *id, const char *key, const char *value,
	struct buf *ret_commit, struct buf *ret_tags, struct error *e);

/* Forget what was kept of streams to it, but not its commits and manifest. */
void kept_forget_streams(const struct oid *id);

/* Was the stream to `id` downloaded ahead? */
bool kept_ahead(const struct oid *id);

/* Forget all releases but those, and downloads of all that slots do not hold already. */
#define KEPT_MAX 8
void kept_sweep(const struct oid *wanted, const struct oid *held, size_t n_held);

#endif
