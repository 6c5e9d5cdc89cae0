/* SPDX-License-Identifier: MIT */
/*
 * Is everything on a slot still as it was sealed?  Every inode and every directory is
 * looked at, in a thread of its own, so that it is done while a release is fetched.  Then
 * a plan has only to compare two manifests.
 */
#ifndef SLOT_SURVEY_H
#define SLOT_SURVEY_H

#include "slot/record.h"
#include "slot/slot.h"

struct survey;

/* Begin, with the slot mounted read-only.  Never fails: it may find nothing to go by. */
struct survey *survey_start(int state_dirfd, const struct slot *slot);

/* Wait for its end.  Takes NULL. */
void survey_wait(struct survey *s);

/*
 * After survey_wait: does it still have this slot mounted?  It does, if all was as it was
 * sealed: what was read of it is in memory for as long.
 */
bool survey_holds(const struct survey *s, const struct slot *slot);

/* Take over the root directory of that mount, for mount_finish; -1: it holds none. */
int survey_take(struct survey *s, const struct slot *slot);

/* After survey_wait: were all files of the sealed manifest as the stat index has them?
 * True only for the file system and the state of it that `key` names.  NULL: no. */
bool survey_found(const struct survey *s, const struct index_key *key);

/* Waits, and unmounts the slot; takes NULL. */
void survey_free(struct survey *s);

#endif
