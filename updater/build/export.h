/* SPDX-License-Identifier: MIT */
/* A release as a tar that loses nothing: importing it gives the same manifest. */
#ifndef BUILD_EXPORT_H
#define BUILD_EXPORT_H

#include "base/progress.h"
#include "build/committed.h"

/*
 * Write the release to `fd`.  Each content is checked against the manifest, and the
 * manifest against the commit; the signature is not looked at.
 * Errors: E_UNTRUSTED not a release, E_INPUT broken, by path, E_SYSTEM, E_SPACE.
 */
int export_release(git_repository *repo, const struct oid *id, int fd,
	const struct progress *progress, struct error *e);

#endif
