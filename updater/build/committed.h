/* SPDX-License-Identifier: MIT */
/*
 * A release as it stands in a repository: raw commit, what it claims, its manifest, and
 * where its contents are.  Nothing is trusted for having been read here: `verify` checks
 * the signature, a parent is believed only as far as blobs.h says.
 */
#ifndef BUILD_COMMITTED_H
#define BUILD_COMMITTED_H

#include "build/blobs.h"
#include "build/git.h"
#include "build/tree.h"
#include "trust/release.h"

struct committed {
	git_repository *repo; /* borrowed */
	git_odb *odb;
	struct oid id;
	struct buf raw;
	struct release_info info;
	git_odb_object *manifest; /* NULL until committed_manifest */
	struct oid manifest_id;
};

/* Errors: E_NOTFOUND, E_UNTRUSTED the commit is not a release. */
int committed_open(git_repository *repo, const struct oid *id, struct committed *ret,
	struct error *e);
void committed_release(struct committed *c);
#define autocommitted CLEANUP(committed_release) struct committed

/*
 * Read the manifest and check it: size and digest as the commit has them, form, whole.
 * *ret is borrowed from `c`.  Errors: E_INPUT.
 */
int committed_manifest(struct committed *c, struct bytes *ret, struct error *e);

/*
 * Put every content of the manifest into `blobs`, with the id the tree has at its place,
 * as a claim.  Places that hold no blob are passed over with `lenient`, else E_INPUT.
 */
int committed_contents(
	struct committed *c, bool lenient, struct blobs *blobs, struct error *e);

/*
 * Read a content and check size and BLAKE2b digest.  Errors: E_INPUT.
 */
int committed_read(struct committed *c, const struct blob *blob, git_odb_object **ret,
	struct error *e);

/*
 * Calls `take` with each tag object below refs/tags/osupdate/ on the commit `id`, further
 * signatures, RELEASE_TAGS_MAX at most.  The bytes are borrowed.
 */
int committed_tags(git_repository *repo, const struct oid *id,
	void (*take)(void *ctx, struct bytes raw), void *ctx, struct error *e);

#endif
