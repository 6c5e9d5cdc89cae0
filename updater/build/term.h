/* SPDX-License-Identifier: MIT */
/* What git-osupdate shows on a terminal while it works; nothing elsewhere. */
#ifndef BUILD_TERM_H
#define BUILD_TERM_H

#include <stdio.h>

#include "base/progress.h"

struct term {
	bool live; /* stderr is a terminal */
	bool drawn;
	int64_t last_ms;
	struct progress progress; /* its ctx is this struct: do not move it */
};

/* `stop` is set by a signal handler. */
void term_init(struct term *t, const volatile sig_atomic_t *stop);

/* Wipe the progress line, so that something else can be printed. */
void term_settle(struct term *t);

/* Print foreign text safely: what came from a source, a repository, a server. */
void term_foreign(FILE *f, const char *text);

#endif
