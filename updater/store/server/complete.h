/* SPDX-License-Identifier: MIT */
/*
 * Is a release complete in the store?  libgit2's fetch can succeed with a tree missing,
 * so nothing counts before every object of it was seen.
 */
#ifndef SERVER_COMPLETE_H
#define SERVER_COMPLETE_H

#include "store/server/session.h"

/*
 * Walk the commit `id`: its tree, all trees below, all blobs.  What the tree of the
 * commit `known` (may be NULL), complete itself, holds at the same place is taken as
 * seen.  *ret_missing is NULL, or says what is not there; for free().
 * Errors: E_REMOTE when there are things in it that no release holds.
 */
int complete_check(struct session *ss, git_repository *repo, const git_oid *id,
	const git_oid *known, char **ret_missing, struct error *e);

#endif
