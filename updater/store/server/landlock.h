/* SPDX-License-Identifier: MIT */
/*
 * The files this process can still reach, by Landlock (landlock(7)), whatever user it is.
 */
#ifndef SERVER_LANDLOCK_H
#define SERVER_LANDLOCK_H

#include "base/error.h"

/*
 * From now on: read and write beneath directory `own`, read beneath `readable` (NULL at
 * the end; what is not there is left out), run nothing.  Where the kernel knows how: take
 * connections on no TCP port, signal no process and reach no abstract socket outside.
 * 1; 0 the kernel has no Landlock that is of use here (5.19; Debian 12 has).
 */
int landlock_confine(const char *own, const char *const *readable, struct error *e);

#endif
