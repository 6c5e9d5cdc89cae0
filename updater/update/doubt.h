/* SPDX-License-Identifier: MIT */
/*
 * Doubt about the store: it gave what was not signed.  The server may have, or what lies
 * in the store's directory is wrong (a bad disk, a store process that somebody owned,
 * SHA-1 broken), and would be for ever.  So the next store process is told to begin from
 * nothing, but once for each release: if it was the server, that costs no second
 * download.  What streams left is little, and a server's word: that goes each time; but
 * when it is signatures that do not count, once a day for a commit.  <state>/doubt,
 * doc/formats.md#doubt.
 */
#ifndef UPDATE_DOUBT_H
#define UPDATE_DOUBT_H

#include "base/digest.h"
#include "base/error.h"

/* What was to be `identity`, a release, was not.  Cannot fail: without a note the next
 * update ends as this one did. */
void doubt_note(int state_dirfd, const struct digest *identity);
/* The same, if that is what error `r` of `e` says (ERR_UNSIGNED).  Returns `r`. */
int doubt_error(
	int state_dirfd, const struct digest *identity, int r, const struct error *e);
/* The signatures of this raw commit do not count: others may come with it. */
void doubt_signatures(int state_dirfd, struct bytes commit);

/* What the next store process is to begin without: "all", "streams" or NULL, nothing. */
const char *doubt_about(int state_dirfd);
/* It has been told. */
void doubt_told(int state_dirfd);

/* What the store gives is right. */
void doubt_clear(int state_dirfd);

#endif
