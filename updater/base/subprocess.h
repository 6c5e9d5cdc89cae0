/* SPDX-License-Identifier: MIT */
/*
 * Run a program: explicit argv, clean environment, only stdin/stdout/stderr,
 * its own process group, a deadline, always reaped.  Never a shell.
 */
#ifndef BASE_SUBPROCESS_H
#define BASE_SUBPROCESS_H

#include "base/buf.h"
#include "base/error.h"

struct subprocess {
	const char *const *argv; /* argv[0] is an absolute path, or looked up in PATH */
	const char *const *env;  /* NULL: PATH and LC_ALL=C only; else used as it is */
	int stdin_fd;            /* -1: /dev/null */
	size_t stdout_max;       /* more is an error (E_INPUT); 0: discarded */
	int timeout_ms;          /* 0: none; then the whole group is killed */
	bool on_terminal;        /* stay in our group, so that it may ask on /dev/tty;
				  * with a deadline only it is killed then */
};

/*
 * Runs it to its end.  *ret_status is the exit code (a death by signal N is
 * 128 + N).  At most 4 KiB of stderr are kept; ret_stdout and ret_stderr may be NULL.
 * Errors: E_NOTFOUND no such program, E_SYSTEM also for the deadline (sys = ETIMEDOUT).
 */
int subprocess_run(const struct subprocess *p, struct buf *ret_stdout,
	struct buf *ret_stderr, int *ret_status, struct error *e);

#endif
