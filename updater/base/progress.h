/* SPDX-License-Identifier: MIT */
/*
 * How the core tells a program what it is doing, and how a program stops it.
 * The core never prints.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Where a step stands; total 0 = unknown. */
struct progress_event {
	const char *step; /* fetch verify plan apply seal arm */
	const char *unit; /* "bytes" or "files" */
	uint64_t done;
	uint64_t total;
};

struct progress {
	void (*report)(void *ctx, const struct progress_event *event); /* may be NULL */
	/* One line worth telling ("slot B: no file system, making one"); may be NULL. */
	void (*note)(void *ctx, const char *text);
	void *ctx;
	const volatile sig_atomic_t *stop; /* set by a signal handler; may be NULL */
};

/* Report; E_INTERRUPTED when asked to stop.  `p` may be NULL. */
int progress_report(
	const struct progress *p, const struct progress_event *event, struct error *e);
/* E_INTERRUPTED when asked to stop. */
int progress_check(const struct progress *p, struct error *e);
void progress_note(const struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
