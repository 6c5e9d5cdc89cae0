/* SPDX-License-Identifier: MIT */
/*
 * The device as one program run sees it: configuration, lock, state record, what is
 * booted, who may sign.  Opening it for writing takes the lock, recovers a lost state
 * record and records what the boot loader did since the last time.
 */
#ifndef UPDATE_DEVICE_H
#define UPDATE_DEVICE_H

#include "base/progress.h"
#include "boot/hook.h"
#include "slot/record.h"
#include "slot/slot.h"
#include "store/client.h"
#include "update/config.h"
#include "update/freshness.h"
#include "update/state.h"

#define SLOT_NONE (-1)

struct device {
	struct config config;
	struct hook hook;
	struct state state;
	struct slot_record records[SLOT_COUNT];
	struct signers *signers;
	struct digest signers_digest; /* of the file they were read from */
	int state_dirfd;
	int lock_fd;	   /* -1: opened for reading */
	int booted;	   /* index into config.slots, or SLOT_NONE */
	bool booted_known; /* false: nobody could say (SLOT_NONE then) */
	char boot_id[BOOT_ID_MAX];
	struct store *store;   /* started at the first use */
	struct survey *survey; /* of slot `surveyed`; NULL: none was begun */
	int surveyed;
	bool ahead;	   /* a fetch brings contents, too (streams) */
	bool will_install; /* what is fetched is for the slot that is not booted */
	struct progress store_progress;
	const struct progress *progress;
};

struct device_options {
	const char *config_file;
	const char *booted; /* NULL: find out; "none"; or a slot's name */
	bool write;	    /* take the lock; state may be changed */
	const struct progress *progress;
};

/*
 * Errors: E_BUSY another updater holds the lock; E_INPUT, E_UNTRUSTED, E_NOTFOUND as
 * config_load, hook_open and signers; E_USAGE for an unknown --booted name.
 * For reading, an unknown booted slot is no error.
 */
int device_open(const struct device_options *o, struct device *ret, struct error *e);
/*
 * Only the record, locked, with a configuration's defaults: for who was refused all of
 * it. Errors: E_NOTFOUND there is none; E_BUSY.
 */
int device_open_record(struct device *ret, struct error *e);
void device_close(struct device *d);
#define autodevice CLEANUP(device_close) struct device

int device_save(struct device *d, struct error *e);

/* The clock, and what is known for sure. */
struct known_time device_time(const struct device *d);

/* Enter `event`: the action to take; the record's phase is changed, not yet saved. */
enum action device_step(struct device *d, enum event event);

/* Leave the phase for idle: nothing is being installed or tried any more. */
void device_idle(struct device *d);

/* The same, saved, where what boots next is known to be good: in the record's twin, too.
 * Should the record become unreadable, the twin before it would call that a trial. */
int device_settle(struct device *d, struct error *e);

/* Remember for `status` that `step` failed (`why`), or with NULL that all is well again.
 * Best effort: the failure itself is what the caller reports. */
void device_note_error(struct device *d, const char *step, const struct error *why);

/* Note an event in the device's history (history.h); `index` may be SLOT_NONE.  Opened
 * for reading, nothing is noted. */
void device_history(const struct device *d, const char *event, int index,
	const struct release_ref *ref, const char *text);

/* Index of the slot named so; E_NOTFOUND listing the names. */
int device_slot(const struct device *d, const char *name, int *ret, struct error *e);
/* The slot that is not `index`. */
int device_other(int index);
/* Index of the slot the record is about, SLOT_NONE in idle. */
int device_target(const struct device *d);

/* The store process, started when it is first needed. */
int device_store(struct device *d, struct store **ret, struct error *e);

/*
 * Begin to look whether the slot is as it was sealed, unless that was done.  While it
 * runs, and after, the slot is mounted: see survey_holds.
 */
void device_survey(struct device *d, int index);

/* A slot's root directory for reading: a view of "/" for the booted slot, else a
 * detached read-only mount. */
int device_open_slot(const struct device *d, int index, int *ret_root, struct error *e);

/* The verified release a slot carries.  E_NOTFOUND when it carries none. */
int device_slot_release(
	const struct device *d, int index, struct release **ret, struct error *e);

/* The manifest a slot carries, checked against `rel`'s digest and wholly: an owned
 * mapping.
 */
int device_slot_manifest(const struct device *d, int slot, const struct release *rel,
	struct bytes *ret, struct error *e);

#endif
