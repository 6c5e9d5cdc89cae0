/* SPDX-License-Identifier: MIT */
/*
 * What osupdate remembers of a slot: state/slots/<name> (text, one key a line) and
 * state/slots/<name>.index (the stat index).  doc/formats.md#slot-record.
 * Records are hints for speed and for `status`; the slot's own signed release is
 * the truth when they are lost.
 */
#ifndef SLOT_RECORD_H
#define SLOT_RECORD_H

#include <stdint.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/io.h"
#include "manifest/manifest.h"
#include "slot/mount.h"
#include "trust/release.h"

enum slot_contents { SLOT_EMPTY, SLOT_DIRTY, SLOT_SEALED };

/* "empty", "dirty", "sealed" */
const char *slot_contents_name(enum slot_contents c);

struct slot_record {
	enum slot_contents contents;
	/* of the release it holds (sealed) or was being given (dirty): */
	struct digest identity;
	struct oid commit;
	uint64_t serial;
	int64_t time; /* the commit's */
	char version[RELEASE_VERSION_MAX + 1];
	struct digest manifest;
	char signer[SSHKEY_FINGERPRINT_MAX]; /* fingerprint of its key; "": unknown */
	char uuid[FS_UUID_MAX];		     /* of the file system */
};

/* A missing record reads as SLOT_EMPTY; a malformed one is E_INPUT. */
int slot_record_load(
	int state_dirfd, const char *slot, struct slot_record *ret, struct error *e);
int slot_record_save(int state_dirfd, const char *slot, const struct slot_record *rec,
	struct error *e);
/* state/slots, made if it is missing. */
int slot_record_dir(int state_dirfd, int *ret_fd, struct error *e);
void slot_record_from(struct slot_record *ret, const struct release *release);

/*
 * The stat index of a sealed slot: one item per manifest entry, in its order.  An
 * entry whose file still has this inode, ctime, and the manifest's mtime and size is
 * what was written there.  While the file system's stamp is the same, too, nobody has
 * mounted it for writing: then all of them do.
 */
struct index_item {
	uint64_t inode;
	int64_t ctime_seconds;
	uint32_t ctime_nanoseconds;
	uint32_t reserved; /* 0 */
};

/* Which slot an index is about. */
struct index_key {
	const char *uuid;	/* of the file system */
	struct digest manifest; /* that it is parallel to */
	struct digest stamp;	/* see mount_stamp; not looked at by slot_index_load */
};

struct slot_index {
	struct bytes map; /* owned mapping */
	struct digest stamp;
	const struct index_item *items;
	uint64_t count;
};

/*
 * E_NOTFOUND when there is none for this file system and manifest (or it is damaged:
 * its own BLAKE2b is checked); then everything is read instead.
 */
int slot_index_load(int state_dirfd, const char *slot, const struct index_key *key,
	struct slot_index *ret, struct error *e);
int slot_index_save(int state_dirfd, const char *slot, const struct index_key *key,
	const struct index_item *items, uint64_t count, struct error *e);
void slot_index_release(struct slot_index *i);

/* Is what `st` is of what was sealed as `entry`, number `at`, which is not ENTRY_HARD? */
bool slot_index_says(const struct slot_index *i, uint64_t at, const struct entry *entry,
	const struct stat *st);

#endif
