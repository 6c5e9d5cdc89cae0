/* SPDX-License-Identifier: MIT */
/*
 * Files that root believes or runs, wherever they are: who could replace one of them, or
 * a directory or link on the way to it, could say what root does.  (sshd's StrictModes
 * and sudo's secure paths are the models; unlike theirs, links are looked at, too.)
 */
#ifndef BASE_TRUSTED_H
#define BASE_TRUSTED_H

#include "base/buf.h"
#include "base/error.h"

/*
 * Open `path` as open(2) would, O_CLOEXEC and O_NOCTTY added, links followed one by one.
 * Refused (E_UNTRUSTED, naming what is at fault): a file, directory or link that is not
 * root's, or that group or others may write; a sticky directory of root's is fine, since
 * what is root's in it stays.  E_NOTFOUND when there is none.
 */
int trusted_open(const char *path, int flags, int *ret_fd, struct error *e);

/* Append such a regular file to `ret`; E_INPUT when it is over `max` bytes or none. */
int trusted_read(const char *path, size_t max, struct buf *ret, struct error *e);

#endif
