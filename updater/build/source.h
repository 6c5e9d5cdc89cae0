/* SPDX-License-Identifier: MIT */
/*
 * Everything a source holds, collected in memory in whatever order it comes (contents
 * go to the pack at once), then checked as a whole and printed as a manifest.  What a
 * release cannot represent is refused here, by path.
 */
#ifndef BUILD_SOURCE_H
#define BUILD_SOURCE_H

#include "build/contents.h"

/* One inode; all pointers are owned. */
struct inode {
	enum entry_type type; /* never ENTRY_HARD */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	struct timespec mtime;
	uint64_t size;
	uint32_t major;
	uint32_t minor;
	struct content content;
	char *target;
	struct xattr *xattrs;
	size_t n_xattrs;
	const char *first; /* of its names, once they are in order */
};

/* One name; several may share an inode. */
struct name {
	char *path;
	size_t inode;
};

struct source {
	struct contents *contents;
	const struct progress *progress;
	struct inode *inodes;
	size_t n_inodes;
	size_t cap_inodes;
	struct name *names;
	size_t n_names;
	size_t cap_names;
};

void source_init(
	struct source *s, struct contents *contents, const struct progress *progress);
void source_release(struct source *s);

void inode_release(struct inode *i);
#define autoinode CLEANUP(inode_release) struct inode

/*
 * Give `inode` an attribute.  Errors: E_INPUT not part of a release, there already,
 * too large or too many.
 */
int inode_xattr(
	struct inode *inode, const char *name, struct bytes value, struct error *e);

/*
 * Add a name with its own inode, which is taken in any case.  The contents of files and
 * links are stored by the caller.  *ret_index serves source_link; may be NULL.
 * Errors: E_INPUT what a manifest cannot say (path, ids, times, devices, target).
 */
int source_add(struct source *s, const char *path, struct inode *inode, size_t *ret_index,
	struct error *e);

/* Another name of an inode; E_INPUT for directories. */
int source_link(struct source *s, const char *path, size_t index, struct error *e);

/*
 * Add the directories a release must have where they are missing (with `time`), put all
 * in order, check it as a whole, append the manifest.  Errors: E_INPUT naming the path.
 */
int source_manifest(struct source *s, int64_t time, struct buf *ret, struct error *e);

/*
 * Read all of a directory, or of a tar in any compression libarchive knows, without
 * reserved names and sockets.  Errors: E_INPUT and E_SYSTEM naming the path,
 * E_INTERRUPTED.
 */
int source_read_dir(struct source *s, int fd, struct error *e);
int source_read_tar(struct source *s, int fd, struct error *e);

/* Prefix an error with a path, made safe to print; returns r. */
int source_at(struct error *e, int r, const char *path);

#endif
