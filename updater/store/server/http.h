/* SPDX-License-Identifier: MIT */
/*
 * Files from a web server, or several with the same files (mirrors), or a directory on
 * this machine (file://): read from any byte on, carried on where a connection broke.
 * libcurl.  Everything that comes is untrusted and bounded by who reads it.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "store/server/session.h"

#define HTTP_PLACES_MAX 16

struct http;

/*
 * `places`: URLs separated by spaces, tried in random order; `first` (may be NULL) is
 * tried before all others.  Errors: E_USAGE a URL that is not http, https or file.
 */
int http_open(struct session *ss, const char *places, const char *first,
	struct http **ret, struct error *e);
void http_close(struct http *h);

/*
 * A small file as a whole, at most `max` bytes.  With `etag` (of HTTP_ETAG_MAX bytes):
 * the one known so far ("" for none) is sent, and replaced by the server's.  1: not
 * changed, nothing was added to `ret`. Errors: E_NOTFOUND no place has it; E_REMOTE none
 * answers, or more than `max`.
 */
#define HTTP_ETAG_MAX 200
int http_get(struct http *h, const char *path, size_t max, char *etag, struct buf *ret,
	struct error *e);

struct body;

/*
 * Begin to read `path` at `at`, up to `end` (0: open).  Nothing is asked of a server
 * before the first read.
 */
struct body *body_open(struct http *h, const char *path, uint64_t at, uint64_t end);
void body_close(struct body *b);

/* The next byte that will be read, and where reading has to end (0: open). */
uint64_t body_at(const struct body *b);
uint64_t body_end(const struct body *b);

/* Size of the whole file, 0 while it is not known (before the first read). */
uint64_t body_total(const struct body *b);
/* It is known before: a file of another size is another file, and as good as absent. */
void body_expect(struct body *b, uint64_t total);

/*
 * Exactly `n` bytes.  Broken connections are made again, at any place that has the file
 * in the same size, with growing pauses, a few times; once each where another place has
 * it in another size: it may be what we know that is wrong. Errors: E_NOTFOUND, E_REMOTE.
 */
int body_read(struct body *b, void *data, size_t n, struct error *e);

/* The same, but what has come is given at once: 1 to `max` bytes. */
int body_some(struct body *b, void *data, size_t max, size_t *ret_n, struct error *e);

#endif
