/* SPDX-License-Identifier: MIT */
/*
 * Releases from static files (stream.h, catalog.h) instead of git: the same requests, the
 * cheapest way to answer them.  Nothing here is trusted by root.
 */
#ifndef SERVER_STREAMS_H
#define SERVER_STREAMS_H

#include "store/server/session.h"

struct streams;

/* With the places of ss->options.stream.  Errors: E_USAGE. */
int streams_open(struct session *ss, struct streams **ret, struct error *e);
void streams_close(struct streams *s);

/* Are release streams what this device follows? */
bool streams_configured(const struct session *ss);

/* What the channel offers: 1, 0 there is no such channel.  Errors: E_REMOTE. */
int streams_list(struct streams *s, const char *channel, git_oid *ret, struct error *e);

/* The same, and its commits and manifest are kept; the contents follow when wanted. */
int streams_fetch(struct streams *s, const char *channel, git_oid *ret, struct error *e);

/* As history.h, of what is kept: 1 answered, 0 nothing kept answers that. */
int streams_release(struct streams *s, const char *selector, struct error *e);
int streams_log(struct streams *s, uint32_t max, const char *channel, struct error *e);

/* Is the release kept, or else (`ask`) on a server? */
bool streams_has(struct streams *s, const git_oid *commit);
/* Does a server have a stream of it that begins as one? */
bool streams_serve(struct streams *s, const git_oid *commit);

/* DATA frames of the manifest. */
int streams_manifest(struct streams *s, const git_oid *commit, struct error *e);

/* --- contents --------------------------------------------------------------------- */

/* Take a WANT frame.  Errors: E_USAGE. */
int streams_want(struct streams *s, struct bytes payload, struct error *e);

/* Answer all of them: CONTENT DATA* or MISSING each. */
int streams_send(struct streams *s, const git_oid *commit, struct error *e);

/* FORECAST: bytes that answering them would take; forgets them. */
int streams_forecast(struct streams *s, const git_oid *commit, struct error *e);

#endif
