/* SPDX-License-Identifier: MIT */
/*
 * Making things on a slot: under a temporary name, complete, then renamed into place.
 * An inode's contents or mode are never changed once it stands under its own name.
 */
#ifndef SLOT_WRITE_H
#define SLOT_WRITE_H

#include <sys/stat.h>

#include "manifest/manifest.h"

#define TEMP_NAME_MAX 64

struct writer {
	int root;	   /* borrowed */
	int parent;	   /* the directory last used, or -1 */
	char *parent_path; /* its path */
	char tag[17];	   /* random, so that no name of a release is taken */
};

void writer_init(struct writer *w, int root);
void writer_release(struct writer *w);

/* The directory of `path` (kept open for the next one) and its last component. */
int writer_parent(struct writer *w, const char *path, int *ret_dirfd,
	const char **ret_name, struct error *e);
/* The temporary name of entry `index`. */
void writer_temp(const struct writer *w, uint64_t index, char ret[TEMP_NAME_MAX]);

/* Open `name` new for writing, 0600. */
int write_create(int dirfd, const char *name, int *ret_fd, struct error *e);
/* A directory (0700), or what `entry` says: l c b p. */
int write_dir(int dirfd, const char *name, struct error *e);
int write_node(int dirfd, const char *name, const struct entry *entry, struct error *e);
/* Rename over whatever file `name` is now. */
int write_rename(int dirfd, const char *temp, const char *name, struct error *e);

/* Owner, mode, attributes and times of a new file; of a new l c b p; of a directory. */
int write_file_meta(int fd, const struct entry *entry, struct error *e);
int write_node_meta(
	int dirfd, const char *name, const struct entry *entry, struct error *e);
int write_dir_meta(
	int dirfd, const char *name, const struct entry *entry, struct error *e);
int write_times(int dirfd, const char *name, const struct entry *entry, struct error *e);

/* Contents on their way into a file: hashed, and runs of zeros left as holes. */
struct sink {
	int fd; /* owned */
	uint64_t offset;
	uint64_t end; /* of the file as written so far */
	struct digest_state state;
};

void sink_start(struct sink *s, int fd, uint64_t offset);
int sink_write(struct sink *s, struct bytes data, struct error *e);
/* Make the file `size` bytes long, if a hole ends it. */
int sink_extend(const struct sink *s, uint64_t size, struct error *e);

#endif
