/* SPDX-License-Identifier: MIT */
/*
 * One request to one server and its answer, read as it comes: what a conversation needs,
 * where files (http.h) would be asked for again.  Silence is not counted here: nothing is
 * told to root meanwhile, which ends what makes no progress.
 */
#ifndef SERVER_HTTP_ANSWER_H
#define SERVER_HTTP_ANSWER_H

#include "store/server/http.h"

struct answer;

/*
 * Ask the first place of `h` for `path`: GET, or POST when there is a `body`, which must
 * live until the answer is closed; `headers`: NULL-terminated.  Nothing is sent before
 * the first read.  A GET follows redirects.
 */
struct answer *answer_open(
	struct http *h, const char *path, const char *const *headers, struct bytes body);
void answer_close(struct answer *a);

/*
 * 1 to `max` bytes, *ret_n = 0 at the end; `ctx` is the answer.
 * Errors: E_REMOTE, also for a status that is not 200.
 */
int answer_some(void *ctx, void *data, size_t max, size_t *ret_n, struct error *e);

/* Its Content-Type, "" when there is none; known after the first read. */
const char *answer_type(const struct answer *a);

/*
 * After the first read: where a redirect led becomes the first place of `h`, for all
 * requests to come.  Errors: E_REMOTE it led to something else than `path` of some place,
 * or to another host while a login is configured, which is not that host's to see.
 */
int answer_follow(struct answer *a, struct error *e);

#endif
