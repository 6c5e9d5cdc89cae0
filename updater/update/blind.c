/* SPDX-License-Identifier: MIT */
/* A trial that can get no verdict: see blind.h. */
#include "update/blind.h"

#include <time.h>

#include "update/failure.h"
#include "update/history.h"
#include "update/state-text.h"
#include "update/trial.h"

#define BOOTS_MAX 4 /* of one release: more than boot loaders have attempts */

/* Was the record written in this boot? */
static bool is_here(const struct device *d)
{
	return strcmp(d->state.boot_id, d->boot_id) == 0;
}

/* Is it a trial that the record tells of?  In what this boot armed, only after it was
 * denied for not having had a verdict. */
static bool is_trial(const struct device *d)
{
	const struct state *st = &d->state;

	switch (st->phase) {
	case PHASE_TRIAL:
	case PHASE_CONFIRMING:
		return true;
	case PHASE_ARMING:
	case PHASE_ARMED:
		return st->arm_calls > 0 && (!is_here(d) || state_release_denied(st));
	case PHASE_IDLE:
	case PHASE_APPLYING:
	case PHASE_COUNT:
		break;
	}
	return false;
}

/* Boots of it that had no verdict, this one included: counted once it was denied (here,
 * or in observe.c). */
static unsigned boots(const struct device *d)
{
	bool counted = is_here(d) && state_release_denied(&d->state);

	return d->state.retries + !counted;
}

/* Its denial is found by the system that the boot loader goes back to. */
static void deny(struct device *d, const char *why)
{
	struct state *st = &d->state;
	autofree char *text =
		xasprintf("its own osupdate could not give a verdict: %s", why);
	autofailure f = {
		.kind = FAILURE_TIMEOUT,
		.time = (int64_t)time(NULL),
		.release = st->release,
	};

	memcpy(f.slot, st->target, sizeof(f.slot));
	state_text_set(f.text, text);
	failure_save(d->state_dirfd, &f);
	history_add(d->state_dirfd, "failed", st->target, &st->release, f.text);
	state_set_error(st, f.time, "trial", f.text);
	state_deny(st, &st->release, f.text);
	if (st->phase == PHASE_CONFIRMING)
		st->phase = PHASE_TRIAL;
}

int blind_expire(const char *why, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	int r = device_open_record(&d, e);

	if (r < 0)
		return r;
	if (!is_trial(&d) || boots(&d) > BOOTS_MAX)
		return err_set(e, E_NOTFOUND, "no trial is known of");
	if (trial_left(&d) > 0)
		return 0;
	d.state.retries = boots(&d);
	memcpy(d.state.boot_id, d.boot_id, sizeof(d.state.boot_id));
	if (!state_release_denied(&d.state))
		deny(&d, why);
	r = device_save(&d, e);
	return r < 0 ? r : 1;
}
