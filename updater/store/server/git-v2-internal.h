/* SPDX-License-Identifier: MIT */
/* What git-v2.c and git-v2-fetch.c share: the server, and one command to it. */
#ifndef SERVER_GIT_V2_INTERNAL_H
#define SERVER_GIT_V2_INTERNAL_H

#include "store/server/git-v2.h"
#include "store/server/http-answer.h"
#include "store/server/pktline.h"

struct git_v2 {
	struct session *ss;
	struct http *h;
	bool shallow; /* fetch=… */
	bool filter;
	bool ls_refs;
	bool says_format; /* object-format=sha1: to be repeated */
	struct answer *answer;
	struct pktline_reader in; /* of the answer */
};

/* Begin a command in `out`: its arguments follow, then a flush. */
void git_v2_command(const struct git_v2 *g, const char *name, struct buf *out);

/* Send it; the answer is read with git_v2_next until git_v2_done. */
void git_v2_ask(struct git_v2 *g, const struct buf *command);

/* The next line of the answer; an ERR line is an error. */
int git_v2_next(struct git_v2 *g, enum pktline_kind *ret_kind, struct bytes *ret,
	struct error *e);

/* Nothing may follow; on error or not, the answer is closed. */
int git_v2_done(struct git_v2 *g, int r, struct error *e);

/* E_REMOTE: "URL: WHAT[: TEXT]"; root escapes what it is told. */
int git_v2_says(
	const struct git_v2 *g, const char *what, struct bytes text, struct error *e);

#endif
