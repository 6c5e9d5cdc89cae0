/* SPDX-License-Identifier: MIT */
/*
 * Root's side of the store process: start it without privileges, ask, believe
 * nothing.  Every answer is bounded; silence longer than the stall timeout, less than
 * a minimum rate (pace.h), a frame out of order or an unknown one ends it with E_REMOTE.
 */
#ifndef STORE_CLIENT_H
#define STORE_CLIENT_H

#include <sys/types.h>

#include "base/digest.h"
#include "base/progress.h"

struct store;

/* `key=value` strings for FRAME_OPTION, NULL-terminated: url, ca, username, proxy,
 * stream, have, rate-limit, ahead, and the contents of secrets root reads itself:
 * password, ssh-key, known-hosts, netrc, client-certificate, client-key. The process dies
 * with the thread that opened it. */
struct store_options {
	const char *program; /* absolute path of osupdate-store */
	const char *user;    /* system user it runs as */
	int state_dirfd;     /* `store/` is made below it, owned by that user */
	const char *const *options;
	int stall_timeout_ms;		 /* 0: wait for ever */
	int pace_window_ms;		 /* 0: PACE_WINDOW_MS of pace.h */
	int64_t pace_total_ms;		 /* 0: PACE_TOTAL_MS */
	const struct progress *progress; /* may be NULL */
};

/*
 * Start it.  Errors: E_NOTFOUND no such user ("create it with …") or program;
 * E_INPUT an option it refuses; E_UNTRUSTED `store/` belongs to somebody else.
 *
 * All that follows: E_REMOTE the server or the store process failed, fell silent, came
 * to no end (pace.h) or lied; E_SPACE the store's disk is full; E_SYSTEM other trouble of
 * the store with the machine; E_INTERRUPTED.  Text that came from the store is escaped.
 */
int store_open(const struct store_options *o, struct store **ret, struct error *e);
/* Ends and reaps it; takes NULL. */
void store_close(struct store *s);
static inline void store_cleanup(struct store **s)
{
	store_close(*s);
}
#define autostore CLEANUP(store_cleanup) struct store *

/* What the server offers now, without downloading.  E_NOTFOUND: no such channel. */
int store_list(
	struct store *s, const char *channel, struct oid *ret_tip, struct error *e);
/* Fetch the channel completely into the store.  Same errors; reports step "fetch". */
int store_fetch(
	struct store *s, const char *channel, struct oid *ret_tip, struct error *e);

/*
 * Bring one release that the store no longer holds, or never did, by a selector as in
 * store_release.  E_NOTFOUND: nobody knows of it.
 */
int store_bring(struct store *s, const char *channel, const char *selector,
	struct oid *ret, struct error *e);

/* A raw commit and its raw tags: untrusted until release_verify. */
struct raw_release {
	struct buf commit;
	struct buf tags_text; /* owns what `tags` points into */
	struct bytes *tags;
	size_t n_tags;
};
void raw_release_release(struct raw_release *r);
#define autoraw CLEANUP(raw_release_release) struct raw_release

/* `selector`: see protocol.h.  E_NOTFOUND when the store has no such release. */
int store_release(
	struct store *s, const char *selector, struct raw_release *ret, struct error *e);

/*
 * Raw commits of a channel, newest first, at most `max`.  A negative return of `each`
 * ends the walk and is returned.  E_NOTFOUND: the channel was never fetched.
 */
int store_log(struct store *s, const char *channel, uint32_t max,
	int (*each)(void *ctx, struct bytes commit, struct error *e), void *ctx,
	struct error *e);

/*
 * Write the manifest of `commit` to `fd` (root's own spool) and check its size and
 * digest.  E_REMOTE when they differ: the server's fault, never remembered.
 */
int store_manifest(struct store *s, const struct oid *commit, const struct digest *digest,
	uint64_t size, int fd, struct error *e);

/* One content that is wanted: a whole file, or a piece of a file over 16 MiB. */
struct want {
	uint32_t id; /* the caller's, ascending within one store_contents */
	bool is_piece;
	struct digest digest;
	uint64_t size;
	const char *path; /* of the file in the manifest */
};

struct contents {
	/* Next want: 1 and *ret (strings live until the next call), 0 no more, or error.
	 */
	int (*next)(void *ctx, struct want *ret, struct error *e);
	/* Contents of one want arrive: begin, data*, end; never interleaved.  The store
	 * may answer in any order.  Digests are the receiver's business. */
	int (*begin)(void *ctx, uint32_t id, uint64_t size, struct error *e);
	int (*data)(void *ctx, struct bytes data, struct error *e);
	int (*end)(void *ctx, struct error *e);
	/* Nothing has come for a moment.  May be NULL. */
	int (*idle)(void *ctx, struct error *e);
	/* The path of a want, for messages: appended to `ret`. */
	void (*name)(void *ctx, uint32_t id, struct buf *ret);
	/* Put contents that are here already into `into`, checked: 1, 0 they are not, or
	 * an error.  NULL: there are none.  Called by another thread, beside the others.
	 */
	int (*base)(void *ctx, const struct digest *digest, uint32_t size,
		unsigned char *into, struct error *e);
	void *ctx;
};

/*
 * Stream everything `c->next` names.  E_REMOTE when a blob is missing (path named).
 * After an error, also one of a callback, only store_close is left.
 */
int store_contents(struct store *s, const struct oid *commit, const struct contents *c,
	struct error *e);

/*
 * What store_contents would download for everything c->next names (the only member that
 * is used): 1 and *ret_bytes, 0 it cannot be known, or an error.
 */
int store_forecast(struct store *s, const struct oid *commit, const struct contents *c,
	uint64_t *ret_bytes, struct error *e);

#endif
