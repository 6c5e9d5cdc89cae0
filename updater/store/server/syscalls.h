/* SPDX-License-Identifier: MIT */
/*
 * The system calls this process can still make, by seccomp (seccomp(2)).
 *
 * A list of what libgit2, libcurl, TLS and the C library use; three answers to the rest:
 *  - what only somebody who has taken the process over would call ends it at once
 *    (SIGSYS): root then tells the signal, and there is no second try;
 *  - what a library may try, and can do without, is EPERM: running programs, making
 *    processes, signals, owners;
 *  - anything else is ENOSYS, as on an older kernel: libraries that learn new calls fall
 *    back to old ones, and an update of theirs does not end ours.  clone3, whose flags a
 *    filter cannot read, is among them: the C library then makes threads with clone.
 */
#ifndef SERVER_SYSCALLS_H
#define SERVER_SYSCALLS_H

#include "base/error.h"

/* For all threads, for good.  1; 0 the kernel has no seccomp filters. */
int syscalls_confine(struct error *e);

/* Behind syscalls_confine: no socket can be made, connected or bound any more. */
int syscalls_end_network(struct error *e);

#endif
