/* SPDX-License-Identifier: MIT */
/*
 * Confirm and rollback: see switch.h.  Going back saves the denial first, then asks the
 * hook, then leaves the phase: a crash in between is seen at the next boot as the
 * fallback it then is.
 */
#include "update/switch.h"

#include <stdio.h>

#include "update/keyring.h"
#include "update/loader.h"

int switch_leaving(const struct device *d, struct error *e)
{
	const struct slot_record *rec = d->booted >= 0 ? &d->records[d->booted] : NULL;
	int primary;
	int r;

	if (!rec || rec->contents != SLOT_SEALED ||
		strcmp(d->state.boot_id, d->boot_id) != 0 ||
		!state_denied(&d->state, &rec->identity))
		return 0;
	/* Rolled back before, and an update is armed since. */
	if (d->state.phase == PHASE_ARMED && d->state.release.serial > rec->serial)
		return 0;
	r = loader_get_primary(d, &primary, e);
	return r < 0 ? r : primary == device_other(d->booted);
}

/* What was rolled back is not made the boot loader's fallback by a check. */
static int refuse_leaving(struct device *d, struct error *e)
{
	int r = switch_leaving(d, e);

	if (r <= 0)
		return r;
	return err_set(e, E_UNTRUSTED,
		"release %s was rolled back, and slot %s boots next: reboot first",
		d->records[d->booted].version,
		d->config.slots[device_other(d->booted)].name);
}

static int mark_good(struct device *d, struct error *e)
{
	int r = loader_set_state(d, d->booted, BOOT_GOOD, e);

	return r < 0 ? err_prefix(
			       e, r, "slot %s: confirm", d->config.slots[d->booted].name)
		     : 0;
}

int switch_confirm(struct device *d, struct error *e)
{
	struct state *st = &d->state;
	struct release_ref release;
	int r;

	if (d->booted == SLOT_NONE)
		return err_set(e, E_UNTRUSTED,
			"nothing is booted, so there is nothing to confirm");
	if (device_step(d, EVENT_CONFIRM) == ACTION_REFUSE)
		return err_set(e, E_UNTRUSTED,
			"slot %s is booted, but the release to try is in slot %s (%s): "
			"reboot first",
			d->config.slots[d->booted].name, st->target,
			phase_name(st->phase));
	if (st->phase != PHASE_CONFIRMING) {
		r = refuse_leaving(d, e);
		return r < 0 ? r : mark_good(d, e);
	}
	r = device_save(d, e);
	if (r == 0)
		r = mark_good(d, e);
	if (r < 0)
		return r;
	keyring_adopt(d); /* once more after a crash: the floor comes after it */
	(void)device_step(d, EVENT_CONFIRMED);
	state_raise_floor(st, &st->release);
	state_allow(st, &st->release.identity);
	st->error_time = 0;
	release = st->release;
	device_idle(d);
	r = device_save(d, e);
	if (r < 0)
		return r;
	device_history(d, "confirmed", d->booted, &release, NULL);
	return 1;
}

/* Armed or half-written: the booted slot stays, the target is never booted. */
static int disarm(
	struct device *d, const char *reason, enum rollback_end *ret, struct error *e)
{
	bool sealed = d->state.phase != PHASE_APPLYING;
	struct release_ref release = d->state.release;
	int target = device_target(d);
	int r;

	state_deny(&d->state, &release, reason);
	r = device_save(d, e);
	if (r == 0 && target >= 0)
		r = loader_set_state(d, target, BOOT_BAD, e);
	if (r == 0 && d->booted >= 0)
		r = loader_set_primary(d, d->booted, e);
	if (r < 0)
		return r;
	(void)device_step(d, EVENT_ROLLBACK);
	device_idle(d);
	*ret = sealed ? ROLLBACK_DISARMED : ROLLBACK_ABANDONED;
	r = device_save(d, e);
	if (r == 0)
		device_history(d, "rolled-back", target, &release, reason);
	return r;
}

int switch_disarm(struct device *d, const char *reason, struct error *e)
{
	enum rollback_end end;

	return disarm(d, reason, &end, e);
}

/* What the loader would go back to by itself: its record may be lost, or it never was a
 * release.  One that is half written, or that cannot be read, is not. */
static int may_end(const struct device *d, struct error *e)
{
	int other = device_other(d->booted);
	enum boot_state boot;
	struct error why;
	autofd root = -1;
	int r;

	if (d->booted == SLOT_NONE ||
		machine_step(d->state.phase, EVENT_ROLLBACK).action != ACTION_END_TRIAL)
		return err_set(e, E_NOTHING, "nothing is on trial");
	r = loader_get_state(d, other, &boot, e);
	if (r < 0)
		return r;
	if (boot != BOOT_GOOD || d->records[other].contents == SLOT_DIRTY)
		return err_set(e, E_UNTRUSTED,
			"slot %s holds nothing to go back to: `osupdate confirm` keeps "
			"this release",
			d->config.slots[other].name);
	r = device_open_slot(d, other, &root, &why);
	if (r < 0 && r != E_BUSY)
		return err_set(e, E_UNTRUSTED,
			"%s; there is nothing to go back to: `osupdate confirm` keeps "
			"this release",
			why.text);
	return 0;
}

/* Is there something to go back to?  *ret_good: the loader boots it without a trial. */
static int check_other(
	struct device *d, int other, bool force, bool *ret_good, struct error *e)
{
	const char *name = d->config.slots[other].name;
	enum boot_state boot;
	int r;

	if (d->records[other].contents != SLOT_SEALED)
		return err_set(e, E_UNTRUSTED,
			"slot %s holds no complete release to go back to; "
			"`osupdate rollback RELEASE` installs one",
			name);
	r = loader_get_state(d, other, &boot, e);
	if (r < 0)
		return r;
	if (boot != BOOT_GOOD && !force)
		return err_set(e, E_UNTRUSTED,
			"slot %s (release %s) is marked bad; use --force to try it all "
			"the same",
			name, d->records[other].version);
	*ret_good = boot == BOOT_GOOD;
	return 0;
}

/* The cause is on disk before the denial is: who finds the one finds the other. */
static int end_trial(struct device *d, int other, const char *reason,
	const struct failure *cause, struct error *e)
{
	struct release_ref release = d->state.release;
	int r;

	if (cause)
		failure_save(d->state_dirfd, cause);
	/* On trial and denied: this, cut short (trial.c). */
	d->state.phase = PHASE_TRIAL;
	state_deny(&d->state, &release, reason);
	r = device_save(d, e);
	if (r == 0)
		r = loader_set_primary(d, other, e);
	if (r == 0)
		r = loader_set_state(d, d->booted, BOOT_BAD, e);
	if (r < 0)
		return r;
	(void)device_step(d, EVENT_ROLLBACK);
	device_idle(d);
	r = device_save(d, e);
	if (r == 0)
		device_history(d, "failed", d->booted, &release, reason);
	return r;
}

int switch_end_trial(struct device *d, const char *reason, const struct failure *cause,
	struct error *e)
{
	int r = may_end(d, e);

	return r < 0 ? r : end_trial(d, device_other(d->booted), reason, cause, e);
}

/* From a confirmed system to the other slot: on trial only if it is not known good. */
static int switch_slot(struct device *d, int other, bool good, struct error *e)
{
	struct state *st = &d->state;
	struct release_ref here;
	int r;

	if (d->records[d->booted].contents == SLOT_SEALED) {
		state_set_recorded(&here, &d->records[d->booted]);
		state_deny(st, &here, "a person rolled it back");
	}
	(void)device_step(d, EVENT_ROLLBACK);
	(void)snprintf(st->target, sizeof(st->target), "%s", d->config.slots[other].name);
	state_set_recorded(&st->release, &d->records[other]);
	state_allow(st, &st->release.identity); /* a person wants it */
	st->arm_calls = good ? 0 : 1;		/* 0: see is_going_back */
	r = device_save(d, e);
	if (r == 0)
		r = loader_set_primary(d, other, e);
	if (r < 0)
		return r;
	(void)device_step(d, EVENT_ARMED);
	device_history(d, "rolled-back", other, &st->release, NULL);
	/* Confirmed once already: nothing to try. */
	return good ? device_settle(d, e) : device_save(d, e);
}

/*
 * Was a person interrupted while going back, and asks again?  Then what is booted is
 * denied already, and the slot that is being armed is no trial but known to be good.
 */
static bool is_going_back(struct device *d)
{
	enum boot_state boot;

	return d->state.phase == PHASE_ARMING && d->state.arm_calls == 0 &&
	       d->records[d->booted].contents == SLOT_SEALED &&
	       state_denied(&d->state, &d->records[d->booted].identity) &&
	       loader_get_state(d, device_other(d->booted), &boot, NULL) == 0 &&
	       boot == BOOT_GOOD;
}

int switch_resume(struct device *d, struct error *e)
{
	enum rollback_end end;

	return d->booted != SLOT_NONE && is_going_back(d) ? switch_back(d, false, &end, e)
							  : 0;
}

int switch_back(struct device *d, bool force, enum rollback_end *ret, struct error *e)
{
	bool good = false;
	int other;
	int r;

	if (d->booted == SLOT_NONE)
		return err_set(e, E_UNTRUSTED,
			"nothing is booted, so there is nothing to go back from");
	if (is_going_back(d))
		device_idle(d); /* begin again; nothing is saved yet */
	if (machine_step(d->state.phase, EVENT_ROLLBACK).action == ACTION_DISARM) {
		/* Who went back from what is booted, and now thinks better of it. */
		state_allow(&d->state, &d->records[d->booted].identity);
		return disarm(d, "a person rolled it back before it was booted", ret, e);
	}
	other = device_other(d->booted);
	*ret = ROLLBACK_SWITCHED;
	if (machine_step(d->state.phase, EVENT_ROLLBACK).action == ACTION_END_TRIAL) {
		r = force ? check_other(d, other, true, &good, e) : may_end(d, e);
		return r < 0 ? r
			     : end_trial(d, other,
				       "a person rolled it back during its trial", NULL,
				       e);
	}
	r = check_other(d, other, force, &good, e);
	return r < 0 ? r : switch_slot(d, other, good, e);
}
