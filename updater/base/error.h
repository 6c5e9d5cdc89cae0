/* SPDX-License-Identifier: MIT */
/*
 * Errors.  A function that can fail returns 0 (or a documented count) or a
 * negative `enum err_code`, and describes the failure in the caller's
 * `struct error`.  A code is a class of *reaction*, not of cause; the cause is
 * in the text, which grows context on its way up:
 * "slot B: usr/bin/sh: write: No space left on device".
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <errno.h>

enum err_code {
	E_SYSTEM = -1,       /* a system call or tool failed; trying again may help */
	E_INPUT = -2,        /* malformed: a file, a record, a signed but wrong release */
	E_UNTRUSTED = -3,    /* refused by trust or policy */
	E_NOTHING = -4,      /* nothing to do */
	E_BUSY = -5,         /* another updater is running, or a resource is in use */
	E_STALE = -6,        /* only expired news */
	E_USAGE = -7,        /* wrong command line */
	E_NOTFOUND = -8,     /* what was named does not exist */
	E_SPACE = -9,        /* disk, inodes or quota are too small */
	E_REMOTE = -10,      /* the server or the store process failed or lied */
	E_INTERRUPTED = -11, /* a signal asked us to stop */
};

struct error {
	int code; /* enum err_code, 0 when nothing happened */
	int sys;  /* errno, 0 when no system call was involved */
	char text[1024];
};

/* Set `e`; returns `code`.  `e` may be NULL. */
int err_set(struct error *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * What came is not what was signed: an E_REMOTE that is no failing network's.  Sets e->sys
 * to ERR_UNSIGNED and returns `r`; `e` may be NULL.
 */
#define ERR_UNSIGNED EBADMSG
int err_unsigned(struct error *e, int r);

/*
 * Set `e` from errno and append its message.  ENOSPC, EDQUOT -> E_SPACE,
 * ENOENT -> E_NOTFOUND, everything else E_SYSTEM; returns that code.
 */
int err_sys(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prepend "context: " to the text of `e`; returns `r`. */
int err_prefix(struct error *e, int r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The process exit code for `r` (0 or an enum err_code): 0 1 2 3 4 5 64. */
int err_exit_code(int r);

#endif
