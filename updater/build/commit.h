/* SPDX-License-Identifier: MIT */
/* A source becomes a signed release on a branch. */
#ifndef BUILD_COMMIT_H
#define BUILD_COMMIT_H

#include "base/progress.h"
#include "build/pack.h"
#include "build/stamp.h"

struct commit_options {
	const char *branch;
	const char *key;
	const char *source; /* directory, tar, "-" for standard input */
	uint64_t serial;    /* 0: the parent's + 1, or 1 */
	struct stamp stamp; /* serial, people and time are filled in */
	const struct progress *progress;
};

struct commit_sums {
	struct oid commit;
	uint64_t serial;
	uint64_t entries;
	uint64_t files;
	uint64_t files_reused; /* contents were there already */
	uint64_t bytes;	       /* of all files */
	struct pack_sums pack;
	bool early;	  /* its time is before that of the release it follows */
	bool checked_out; /* the branch is the one HEAD names, and there is a work tree */
};

/*
 * Import, sign, and move the branch last of all, if it still is where it was.  On any
 * error the branch and what git sees of the repository are as before.
 * Errors: E_USAGE what devices would refuse about the options; E_UNTRUSTED product or
 * serial do not follow the parent's; E_INPUT the source, by path; E_BUSY the branch
 * moved meanwhile; E_INTERRUPTED.
 */
int commit_source(git_repository *repo, struct commit_options *o, struct commit_sums *ret,
	struct error *e);

#endif
