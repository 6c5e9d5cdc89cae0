/* SPDX-License-Identifier: MIT */
/* The message of a release's commit.  Format: doc/formats.md#release. */
#ifndef TRUST_TRAILERS_H
#define TRUST_TRAILERS_H

#include "trust/release.h"

/*
 * Read the subject and the Osupdate- trailers of `message` (untrusted; well-formed
 * UTF-8 without NUL and CR) into `info`; its other fields are left alone.
 * Errors: E_UNTRUSTED naming the trailer; `info` is half written then.
 */
int trailers_read(struct bytes message, struct release_info *info, struct error *e);

#endif
