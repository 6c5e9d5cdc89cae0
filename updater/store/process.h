/* SPDX-License-Identifier: MIT */
/*
 * The store process as root sees it: started without privileges in `store/`, with one
 * socket, ended and reaped.
 */
#ifndef STORE_PROCESS_H
#define STORE_PROCESS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct process {
	pid_t pid;	/* also its process group; 0 when it is gone */
	int fd;		/* our end of the socket, non-blocking */
	int err_fd;	/* reading end of its stderr, non-blocking */
	struct buf err; /* the last of what it wrote there */
};

/* Errors: see store_open. */
int process_start(const char *program, const char *user, int state_dirfd, int base_fd,
	struct process *ret, struct error *e);

/* Read what it wrote to stderr, without waiting. */
void process_drain(struct process *p);

/*
 * Close the socket, give it `grace_ms` to end, kill it and its group, reap it.
 * Afterwards p->pid is 0.  Appends how it ended, when it ended badly by itself, and the
 * last line it wrote to `ret_why` (may be NULL).
 */
void process_end(struct process *p, int grace_ms, struct buf *ret_why);

#endif
