/* SPDX-License-Identifier: MIT */
/*
 * Why a trial failed, with what proves it: <state>/failure, kept until the next trial
 * fails.  For people: nothing is decided by the file.  doc/formats.md#failure.
 */
#ifndef UPDATE_FAILURE_H
#define UPDATE_FAILURE_H

#include "update/state.h"

enum failure_kind {
	FAILURE_PANIC,	     /* the kernel's own last words, from pstore */
	FAILURE_HEALTH,	     /* a required check said no */
	FAILURE_TIMEOUT,     /* no verdict within trial-timeout */
	FAILURE_RESET,	     /* it came up, and then was gone: power loss or a hang */
	FAILURE_NOT_REACHED, /* it never came so far as to run osupdate */
	FAILURE_KIND_COUNT
};

#define FAILURE_LOG_MAX 4096 /* bytes of evidence */

struct failure {
	enum failure_kind kind;
	int64_t time;
	char slot[SLOT_NAME_MAX + 1];
	struct release_ref release;
	char text[STATE_TEXT_MAX + 1]; /* escaped, one line */
	struct buf log;		       /* escaped lines, each ending in a newline */
};

void failure_release(struct failure *f);
#define autofailure CLEANUP(failure_release) struct failure

const char *failure_kind_name(enum failure_kind kind);

/* Add foreign text to the log, line by line, escaped; the last lines are what is kept. */
void failure_add_log(struct failure *f, struct bytes foreign);

/*
 * The loader went back from the trial the record tells of: look for the cause.  Fills in
 * all of *ret.  Reads pstore and the journal; what cannot be read is not evidence.
 */
void failure_find(int state_dirfd, const struct state *s, struct failure *ret);

/* Best effort, like the history. */
void failure_save(int state_dirfd, const struct failure *f);
/* E_NOTFOUND when there is none (that can be read). */
int failure_load(int state_dirfd, struct failure *ret, struct error *e);

#endif
