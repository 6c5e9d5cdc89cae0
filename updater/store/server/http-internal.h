/* SPDX-License-Identifier: MIT */
/* What http.c and http-body.c share: places, and one request to one of them. */
#ifndef SERVER_HTTP_INTERNAL_H
#define SERVER_HTTP_INTERNAL_H

#include "store/server/http.h"
#include "store/server/libcurl.h"

#define HTTP_STALL_MS 15000 /* silence that ends a connection; root waits longer */
/* A place that sends less, averaged by libcurl, is left for the next one. */
#define HTTP_SLOW_BYTES 16l /* a second */
#define HTTP_SLOW_S	120l
#define HTTP_CHUNK	(128l << 10) /* libcurl's buffer */

struct http {
	struct session *ss;
	CURLM *multi;
	char *places[HTTP_PLACES_MAX + 1];
	size_t n_places;
	struct buf shown; /* a place as messages have it */
};

/* The end of a request, which anybody may be told who asks about another one. */
struct http_end {
	bool is_there;
	CURLcode code;
};

int64_t http_now_ms(void);
/* The URL of a place for messages; lives until the next call. */
const char *http_shown(struct http *h, size_t place);
/* A handle with all options set but who reads; errors will be in `why`, its end in `end`,
 * which stay where they are as long as it does.  NULL: no memory. */
CURL *http_request(
	struct http *h, size_t place, const char *path, char *why, struct http_end *end);
/* The value of header `name` in the line `p`, or NULL. */
const char *http_header(const char *p, size_t n, const char *name, size_t *ret_n);
/* For a file, which needs no thinking: an end to what trickles. */
void http_expect_speed(CURL *easy);
/* False: it is of no use, and `etag` as it was. */
bool http_keep_etag(const char *value, size_t n, char *etag);
/* Has nothing come for too long? */
bool http_is_stalled(int64_t since_ms);
/* Fill in the ends of those requests that have come to one. */
void http_see_ends(struct http *h);
const char *http_reason(CURLcode code, const char *why);
/* Does the place say that it has no such file, or not so much of it? */
bool http_is_absent(CURL *easy, CURLcode code);

#endif
