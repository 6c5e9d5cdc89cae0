/* SPDX-License-Identifier: MIT */
/*
 * The store's bare repository and its refs:
 *   refs/osupdate/incoming/CHANNEL   fetched, not yet known to be complete (quarantine)
 *   refs/osupdate/channels/CHANNEL   complete when it was promoted
 *   refs/tags/osupdate/SERIAL/NAME   further signatures
 * A file `damaged` beside it says that a later fetch must begin from nothing.
 */
#ifndef SERVER_REPOSITORY_H
#define SERVER_REPOSITORY_H

#include "store/server/session.h"

#define REF_INCOMING "refs/osupdate/incoming/"
#define REF_CHANNELS "refs/osupdate/channels/"
#define REF_TAGS     "refs/tags/osupdate/"

/* Once per process: libgit2 with bounded memory, no configuration but its own. */
int library_start(const struct session *ss, struct error *e);

/* Strict: objects are hashed when read.  Off only where root checks the bytes itself. */
void library_strict(bool strict);

/* Open ss->repo, make it when there is none.  Errors: E_SYSTEM damaged or unreadable. */
int repository_open(struct session *ss, struct error *e);

/* A new, empty one at GIT_DIR_NEW. */
int repository_new(git_repository **ret, struct error *e);

/* Put GIT_DIR_NEW in the place of GIT_DIR, in one step, and remove the old one. */
int repository_replace(struct session *ss, struct error *e);

/* "PREFIX<channel>"; E_USAGE when that is no valid ref name.  For free(). */
int channel_ref(const char *prefix, const char *channel, char **ret, struct error *e);

/* 1 and *ret, 0 when there is no such ref. */
int ref_read(git_repository *repo, const char *name, git_oid *ret, struct error *e);
int ref_write(git_repository *repo, const char *name, const git_oid *id, struct error *e);

/* Calls `each` for all refs that match; it may remove them. */
void each_ref(git_repository *repo, const char *glob,
	void (*each)(void *ctx, git_repository *repo, const git_reference *ref),
	void *ctx);

/* The mark that objects are missing or unreadable. */
void damage_set(void);
bool damage_is_set(void);
void damage_clear(void);

#endif
