/* SPDX-License-Identifier: MIT */
/*
 * Doubt about the store: it gave what was not signed.  The server may have, or what lies
 * in the store's directory is wrong (a bad disk, a store process that somebody owned,
 * SHA-1 broken), and would be for ever.  So the next store process is told to begin from
 * nothing, but once for each release: if it was the server, that costs no second
 * download. <state>/doubt, doc/formats.md#doubt.
 */
#ifndef UPDATE_DOUBT_H
#define UPDATE_DOUBT_H

#include <stdbool.h>

#include "base/digest.h"

/* What was to be `identity`, a release, was not.  Cannot fail: without a note the next
 * update ends as this one did. */
void doubt_note(int state_dirfd, const struct digest *identity);

/* Is there a note that no store process has been told of? */
bool doubt_is_new(int state_dirfd);
/* One has been. */
void doubt_told(int state_dirfd);

/* What the store gives is right. */
void doubt_clear(int state_dirfd);

#endif
