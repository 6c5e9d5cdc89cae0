/* SPDX-License-Identifier: MIT */
/*
 * What happened to this device: <state>/history, one line an event, oldest first, for
 * `osupdate log --device`.  It tells; nothing is decided by it.  Writing is best effort:
 * a full partition must not stop an update or a confirm.  doc/formats.md#history.
 */
#ifndef UPDATE_HISTORY_H
#define UPDATE_HISTORY_H

#include "update/state.h"

struct history_line {
	int64_t time;
	struct bytes
		event; /* armed trial confirmed failed retry rolled-back installed … */
	struct bytes slot;    /* "-" when none is meant */
	uint64_t serial;      /* 0 when no release is meant */
	struct bytes version; /* escaped */
	struct bytes text;    /* escaped; may be empty */
};

/* Note an event of now; `ref` and `text` may be NULL. */
void history_add(int state_dirfd, const char *event, const char *slot,
	const struct release_ref *ref, const char *text);

/* Each line, oldest first; malformed ones are skipped.  Returns what `line` returned
 * when that is negative.  None at all is no error. */
int history_read(int state_dirfd,
	int (*line)(void *ctx, const struct history_line *line, struct error *e),
	void *ctx, struct error *e);

#endif
