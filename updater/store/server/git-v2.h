/* SPDX-License-Identifier: MIT */
/*
 * git's protocol version 2 over http(s): what libgit2 does not do, fetching without the
 * history (and with some of it pruned here).  Everything that comes is untrusted:
 * bounded, in the order the protocol gives, or E_REMOTE.  Format: gitprotocol-v2(5),
 * gitprotocol-http(5).
 */
#ifndef SERVER_GIT_V2_H
#define SERVER_GIT_V2_H

#include "store/server/session.h"

struct git_v2;

/*
 * Ask ss->options.url what it speaks: 1, or 0 when it is a git server that does not know
 * version 2 with shallow fetches.  Errors: E_REMOTE, E_USAGE, E_SYSTEM.
 */
int git_v2_open(struct session *ss, struct git_v2 **ret, struct error *e);
void git_v2_close(struct git_v2 *g);

/* Does it send commits without their trees? */
bool git_v2_filters(const struct git_v2 *g);

struct git_v2_ref {
	char *name;
	git_oid id;
	git_oid peeled; /* what a tag object stands on; else zero */
};

struct git_v2_refs {
	struct git_v2_ref *refs;
	size_t n;
	size_t cap;
};

/* Refs whose names begin with one of `prefixes` (NULL-terminated), at most 100,000. */
int git_v2_list(struct git_v2 *g, const char *const *prefixes, struct git_v2_refs *ret,
	struct error *e);
void git_v2_refs_release(struct git_v2_refs *r);
#define autorefs CLEANUP(git_v2_refs_release) struct git_v2_refs

/* What to fetch.  Ids are borrowed. */
struct git_v2_fetch {
	const git_oid *wants;
	size_t n_wants;
	const git_oid *commits; /* which wants are, or stand on (tags) */
	size_t n_commits;
	const git_oid *haves; /* commits whose trees are complete here */
	size_t n_haves;
	unsigned depth; /* of history */
	bool no_trees;	/* commits alone; git_v2_filters() */
};

/*
 * Fetch objects into `repo`.  *ret_heal on error: what we have may be what is wrong.
 * Nothing says that they are complete: complete.h.
 * Errors: E_REMOTE, E_SPACE, E_SYSTEM.
 */
int git_v2_fetch(struct git_v2 *g, git_repository *repo, const struct git_v2_fetch *f,
	bool *ret_heal, struct error *e);

#endif
