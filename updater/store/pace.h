/* SPDX-License-Identifier: MIT */
/*
 * Does the store process get anywhere?  The stall timeout ends silence; this ends what
 * trickles or never comes to an end.  The process says itself how far it is, so a slow
 * server is caught by its rate, a process that lies by the deadline.
 */
#ifndef STORE_PACE_H
#define STORE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Slower than any link that is used (NB-IoT: 2,000 bytes a second), faster than
 * keepalives of a server that gathers objects; averaged, so that it may pause. */
#define PACE_RATE_MIN  16 /* bytes, or objects looked at, a second of waiting for them */
#define PACE_WINDOW_MS (10 * 60 * 1000)
/* Waiting for one process, all in all: 4 GiB at 16 KiB a second.  Git begins anew. */
#define PACE_TOTAL_MS ((int64_t)72 * 3600 * 1000)

struct pace {
	int window_ms;
	int64_t total_ms;
	int64_t waited_ms; /* of this window */
	uint64_t came;	   /* in this window */
	uint64_t seen[2];  /* bytes and objects of the last PROGRESS */
	int64_t spent_ms;  /* all in all */
};

/* 0 means the default. */
void pace_start(struct pace *p, int window_ms, int64_t total_ms);

/* Bytes of an answer. */
void pace_came(struct pace *p, uint64_t n);
/* What a PROGRESS says; numbers that are smaller than before begin anew. */
void pace_progress(struct pace *p, uint64_t bytes, uint64_t objects);
/* Nothing came for `ms`, which the process could have used.  True: it is too slow. */
bool pace_waited(struct pace *p, int64_t ms);

#endif
