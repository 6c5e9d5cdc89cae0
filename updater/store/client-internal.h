/* SPDX-License-Identifier: MIT */
/* What client.c, client-answer.c and client-contents.c share: one conversation with a
 * store process. */
#ifndef STORE_CLIENT_INTERNAL_H
#define STORE_CLIENT_INTERNAL_H

#include "store/client.h"
#include "store/frame.h"
#include "store/pace.h"
#include "store/process.h"

#define CLOSE_GRACE_MS 500 /* for its last words, before it is killed */

struct store {
	struct process process; /* pid 0: ended, nothing can be asked any more */
	struct frame_reader in;
	struct buf out;	 /* queued for the store … */
	size_t out_done; /* … of which so many bytes are sent */
	const struct progress *progress;
	int stall_timeout_ms;
	char *url;		/* shown form, for messages */
	int64_t quiet_since_ms; /* 0: not waiting */
	uint64_t seen[3];	/* numbers of the last PROGRESS */
	struct pace pace;
	int64_t answer_since_ms; /* we wait for a frame since */
	bool is_fetch;
	unsigned char *base; /* BASE_MAX bytes the store can read */
	unsigned busy;	     /* questions of the store's that we are seeing to */
	/* Something is done that this thread has to see to: -1, or readable then. */
	int wake_fd;
	int (*wake)(void *ctx, struct error *e);
	void *wake_ctx;
	const struct contents *receiver; /* of the contents that are streamed, or NULL */
};

/* Send what the socket takes without waiting. */
void client_flush(struct store *s);

/* Queue a request and send what the socket takes. */
int client_ask(struct store *s, enum frame_type type, struct bytes a, struct bytes b,
	struct error *e);

/*
 * The next frame of the answer.  PROGRESS is dealt with, ERROR becomes our error; every
 * other type is returned and the caller refuses those it does not expect.
 * Any error but one the store reported in an ERROR frame ends the process.
 */
int client_answer(struct store *s, struct frame *ret, struct error *e);

/* End the process: the conversation cannot go on.  Returns `r`, after `e` was set. */
int client_break(struct store *s, int r);

/* "sent frame N out of order", and the end of the process. */
int client_refuse(struct store *s, const struct frame *f, struct error *e);

#endif
