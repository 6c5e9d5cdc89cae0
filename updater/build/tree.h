/* SPDX-License-Identifier: MIT */
/*
 * From a manifest to the git tree that goes with it: a function, so that `verify` can
 * compare tree ids.  Contents of files up to 16 MiB and targets of links stand at their
 * paths, at every name of a hard link; those of escaped paths and the pieces of larger
 * files stand below usr/lib/osupdate/blobs.  DESIGN, "The release".
 */
#ifndef BUILD_TREE_H
#define BUILD_TREE_H

#include "build/blobs.h"
#include "manifest/manifest.h"

enum leaf_mode {
	LEAF_FILE = 0100644,
	LEAF_EXECUTABLE = 0100755,
	LEAF_LINK = 0120000,
};

struct leaf {
	char *path;
	enum leaf_mode mode;
	struct oid oid;
};

/* In git's order (plain bytes), each path once. */
struct leaves {
	struct leaf *at;
	size_t n;
	size_t cap;
};

void leaves_release(struct leaves *l);
#define autoleaves CLEANUP(leaves_release) struct leaves

/*
 * The leaves of a checked manifest; `blobs` has the ids of all its contents, `own` is
 * the blob of the manifest itself.  Errors: E_INPUT naming a path whose contents are
 * not there.
 */
int leaves_of_manifest(struct bytes manifest, const struct blobs *blobs,
	const struct oid *own, struct leaves *ret, struct error *e);

/* Takes a tree object and gives its id. */
struct tree_sink {
	int (*put)(void *ctx, struct bytes tree, struct oid *ret, struct error *e);
	void *ctx;
};

/* Give all trees to `sink`, leaves first, and the root's id. */
int tree_build(const struct leaves *l, const struct tree_sink *sink, struct oid *ret,
	struct error *e);

/* A sink that only computes ids. */
extern const struct tree_sink tree_name_only;

/* One content of an entry: what it is, and where in the tree it stands. */
struct placed {
	struct digest digest;
	uint64_t size;
	enum leaf_mode mode;
	const char *path;
	char blob[PATH_BLOB_MAX]; /* `path` may point here */
};

/*
 * The n-th content of `entry` (a file's, its pieces, a link's target) under `path`, the
 * entry's own or that of a hard link to it; false when there are no more.
 */
bool entry_placed(
	const struct entry *entry, const char *path, size_t n, struct placed *ret);

#endif
