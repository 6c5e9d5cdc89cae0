/* SPDX-License-Identifier: MIT */
/*
 * From path to blob in one tree.  Wants come mostly in manifest order, so the trees on
 * the way to the last directory are kept.
 */
#ifndef SERVER_LOOKUP_H
#define SERVER_LOOKUP_H

#include "store/server/session.h"

struct lookup {
	git_repository *repo;
	struct buf dir; /* of the last path, "" for the root */
	git_tree **trees; /* of the root and of each component of `dir` */
	size_t *ends; /* where in `dir` that component ends */
	size_t n;
	size_t cap;
	size_t cap_ends;
};

/* Errors: E_NOTFOUND no such commit, E_REMOTE no tree. */
int lookup_open(
	struct lookup *l, git_repository *repo, const git_oid *commit, struct error *e);
void lookup_release(struct lookup *l);

/* False when the path does not lead to a blob. */
bool lookup_blob(struct lookup *l, const char *path, git_oid *ret);

#endif
