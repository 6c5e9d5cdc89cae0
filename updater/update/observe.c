/* SPDX-License-Identifier: MIT */
/* What the boot loader did since the record was written: see observe.h. */
#include "update/observe.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "update/failure.h"
#include "update/loader.h"
#include "update/switch.h"

#define RETRIES_MAX                                                                      \
	1 /* trials repeated when nothing says that the release was the cause */
#define RETRIES_COUNTED 100 /* more is no news, and the record has a limit */

static void tell(const struct device *d, const struct failure *f, bool again)
{
	progress_note(d->progress,
		"release %s (serial %" PRIu64 ") failed its trial in slot %s: %s; %s",
		f->release.version, f->release.serial, f->slot, f->text,
		again ? "it is tried once more" : "it is denied");
}

/* A power cut proves nothing about a release. */
static bool deserves_retry(const struct device *d, const struct failure *f)
{
	return (f->kind == FAILURE_RESET || f->kind == FAILURE_NOT_REACHED) &&
	       d->state.retries < RETRIES_MAX;
}

/* The loader went back by itself.  Nothing has been saved yet: the whole of it is one
 * step, run again from its start when it is interrupted. */
static int fell_back(struct device *d, enum phase before, struct error *e)
{
	autofailure f = { 0 };
	struct state *st = &d->state;
	int target = device_target(d);
	enum phase after = st->phase;
	unsigned retries = st->retries;
	bool again;
	int r = 0;

	if (d->lock_fd >= 0 && target >= 0)
		r = loader_set_state(d, target, BOOT_BAD, e);
	if (r < 0)
		return r;
	if (state_release_denied(st)) {
		device_idle(d); /* its trial was ended by us, and the cause is known */
		return 0;
	}
	st->phase = before; /* the record is the evidence */
	failure_find(d->state_dirfd, st, &f);
	st->phase = after;
	again = deserves_retry(d, &f);
	tell(d, &f, again);
	if (!again)
		state_deny(st, &st->release, f.text);
	state_set_error(st, f.time, "trial", f.text);
	if (d->lock_fd >= 0) {
		failure_save(d->state_dirfd, &f);
		device_history(
			d, again ? "fell-back" : "failed", target, &f.release, f.text);
	}
	if (again) {
		(void)device_step(d, EVENT_RETRY);
		st->retries = retries + 1;
		st->arm_calls = 0;
	} else {
		device_idle(d);
	}
	return 0;
}

/* Another boot of the same trial: the journal to read, if it fails, is that of the last.
 */
static bool another_boot(struct device *d)
{
	if (d->state.phase != PHASE_TRIAL || strcmp(d->state.boot_id, d->boot_id) == 0)
		return false;
	memcpy(d->state.boot_id, d->boot_id, sizeof(d->boot_id));
	/* Its end was decided, but what boots is the same: blind.c counts that. */
	if (state_release_denied(&d->state) && d->state.retries < RETRIES_COUNTED)
		d->state.retries++;
	return true;
}

static enum event what_happened(const struct device *d)
{
	if (d->booted == device_target(d))
		return EVENT_AT_TARGET;
	return strcmp(d->state.boot_id, d->boot_id) != 0 ? EVENT_ELSEWHERE_AGAIN
							 : EVENT_ELSEWHERE;
}

int observe(struct device *d, struct error *e)
{
	enum phase before = d->state.phase;
	bool changed = false;
	int r;

	if (before == PHASE_IDLE || !d->booted_known || d->booted == SLOT_NONE)
		return 0;
	switch (device_step(d, what_happened(d))) {
	case ACTION_FELL_BACK:
		r = fell_back(d, before, e);
		if (r < 0)
			return r;
		changed = true;
		break;
	case ACTION_BEGIN_TRIAL:
		device_history(d, "trial", d->booted, &d->state.release, NULL);
		break;
	case ACTION_MARK_GOOD:
		/* Interrupted while confirming: decided already, and every prefix of it
		 * can be run again. */
		r = d->lock_fd >= 0 ? switch_confirm(d, e) : 0;
		return r < 0 ? r : 0;
	case ACTION_NONE:
		changed = d->booted == device_target(d) && another_boot(d);
		break;
	case ACTION_REFUSE:
	case ACTION_APPLY:
	case ACTION_RESUME:
	case ACTION_ARM:
	case ACTION_ARM_AGAIN:
	case ACTION_FINISH:
	case ACTION_DISARM:
	case ACTION_END_TRIAL:
	case ACTION_SWITCH:
		break; /* theirs, who ask for something: deploy.c, switch.c */
	}
	return changed || d->state.phase != before ? device_save(d, e) : 0;
}
