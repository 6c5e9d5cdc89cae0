/* SPDX-License-Identifier: MIT */
/* The commits that are here, though their trees or their parents may not be. */
#ifndef SERVER_COMMITS_H
#define SERVER_COMMITS_H

#include "store/server/repository.h"

/* That many are kept without their contents, to tell of them and to find them by version
 * or serial: some 500 kB. */
#define COMMITS_KEPT 1000

struct commits {
	git_oid *ids;
	size_t n;
	size_t cap;
};

/*
 * At most `max` commits, each once: first `tip` (may be NULL) and its first parents down
 * to one that is not here, then the same from each release that is held, the newest
 * first.
 */
void commits_list(
	git_repository *repo, const git_oid *tip, size_t max, struct commits *ret);
/*
 * The first parent, as the commit itself names it; false when it has none.  libgit2 from
 * 1.7 on hides those of commits that the file `shallow` lists.
 */
bool commit_parent(const git_commit *commit, git_oid *ret);
void commits_release(struct commits *c);
#define autocommits CLEANUP(commits_release) struct commits

#endif
