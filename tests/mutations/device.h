/* SPDX-License-Identifier: MIT */
/*
 * A device in the current directory, as far as this needs one: the store process and
 * root's side of it, the checks, the installation, in the order of update/offer.c and
 * deploy.c. Slots are directories: mount.c's functions and process_start are replaced by
 * the linker. state/   slot-a/ slot-b/   signers.2 (two of its keys have to sign)
 */
#ifndef TESTS_MUTATIONS_DEVICE_H
#define TESTS_MUTATIONS_DEVICE_H

#include "base/digest.h"
#include "base/error.h"

struct attempt {
	const char *const *options; /* of the store process */
	bool no_fetch;		    /* the store is asked for what it has */
	bool booted;		    /* slot A runs release 1 */
};

/* The release into slot B, emptied before.  An error, or all went well. */
int device_update(const struct attempt *a, struct error *e);

/*
 * Once: remember what slot B is now as what release 2 makes of a slot.
 * Then: is it that?  `why` is given the first lines that are not.
 */
void device_remember(void);
bool device_is_right(struct buf *why);

/* Everything the store process and its files leave behind. */
void device_forget_store(void);
/* The same, and then a copy of the directory `template` is the store. */
void device_put_store(const char *template);

/* What came from the store process while this is set (NULL: not). */
void device_record(struct buf *into);
/* From now on this comes, and no process is there (data NULL: one is). */
void device_replay(struct bytes frames);

#endif
