/* SPDX-License-Identifier: MIT */
/*
 * The state record: <state>/state, one small text file of fixed size, replaced
 * atomically by exchanging it with an equally large, preallocated twin, so that a
 * full partition cannot stop a confirm.  doc/formats.md#state.
 * Unknown keys are kept in their order.
 */
#ifndef UPDATE_STATE_H
#define UPDATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "slot/record.h"
#include "slot/slot.h"
#include "trust/release.h"
#include "update/machine.h"

#define STATE_SIZE	 16384 /* bytes on disk, padded with newlines */
#define STATE_DENIED_MAX 32    /* the oldest is forgotten first */
#define STATE_TEXT_MAX	 200   /* bytes of a reason or error text, escaped */
#define BOOT_ID_MAX	 37

/* Names a release in the record. */
struct release_ref {
	struct digest identity;
	struct oid commit;
	uint64_t serial;
	int64_t time; /* the commit's */
	char version[RELEASE_VERSION_MAX + 1];
	char signer[SSHKEY_FINGERPRINT_MAX]; /* fingerprint of its key; "": unknown */
};

struct denial {
	struct release_ref release;
	char reason[STATE_TEXT_MAX + 1];
};

struct state {
	enum phase phase;
	char boot_id[BOOT_ID_MAX];	/* kernel boot in which the phase was entered */
	char target[SLOT_NAME_MAX + 1]; /* slot being written or tried; "" in idle */
	struct release_ref release;	/* what is being installed; serial 0 in idle */
	unsigned arm_calls;		/* how often the hook was asked to arm this one */
	unsigned retries;		/* trials of this release that were repeated */
	uint64_t floor;			/* highest serial ever confirmed; 0 = none */
	int64_t floor_time;		/* commit time of that release */
	char floor_signer[SSHKEY_FINGERPRINT_MAX]; /* of its key; "": unknown */
	int64_t valid_until; /* of the channel's newest as last seen; 0: no limit */
	bool has_candidate;  /* newest release seen and accepted */
	struct release_ref candidate;
	struct denial denied[STATE_DENIED_MAX];
	size_t n_denied;
	int64_t error_time; /* 0: no last error */
	char error_step[16];
	char error_text[STATE_TEXT_MAX + 1];
	char *unknown; /* owned: lines of a newer version, kept as they are; NULL */
};

/* After a load: was there a record, was it whole? */
enum state_found { STATE_FOUND, STATE_ABSENT, STATE_DAMAGED };

/*
 * STATE_ABSENT and STATE_DAMAGED (neither twin readable) give an empty idle record and
 * are not errors: the caller recovers.  Errors: only of the system.
 */
int state_load(
	int state_dirfd, struct state *ret, enum state_found *ret_found, struct error *e);
/* Durable when it returns 0. */
int state_save(int state_dirfd, const struct state *s, struct error *e);
void state_release(struct state *s);

/* Remember a denial (once per identity; the newest reason wins).  `reason` is cut. */
void state_deny(struct state *s, const struct release_ref *ref, const char *reason);
void state_allow(struct state *s, const struct digest *identity);
const struct denial *state_denied(const struct state *s, const struct digest *identity);
/* Of what is on its way or on trial: decided, though not yet done. */
const struct denial *state_release_denied(const struct state *s);
void state_set_error(struct state *s, int64_t now, const char *step, const char *text);
/* `ref` is confirmed: the one thing that moves the floor, and only up. */
void state_raise_floor(struct state *s, const struct release_ref *ref);
/* `info` is the channel's newest release. */
void state_set_news(struct state *s, const struct release_info *info);
void state_set_release(struct release_ref *ret, const struct release *release);
void state_set_recorded(struct release_ref *ret, const struct slot_record *rec);

#endif
