/* SPDX-License-Identifier: MIT */
/* The verdict on a trial: see trial.h. */
#include "update/trial.h"

#include <stdio.h>
#include <time.h>

#include "update/failure.h"
#include "update/history.h"
#include "update/state-text.h"
#include "update/switch.h"

/* Without a configuration: trial-timeout by default; and reboots of one release, more
 * than loaders have attempts. */
#define BLIND_TIMEOUT_S (15 * 60)
#define BLIND_MAX	4

bool trial_running(const struct device *d)
{
	return d->booted != SLOT_NONE && d->booted == device_target(d) &&
	       (d->state.phase == PHASE_TRIAL || d->state.phase == PHASE_CONFIRMING);
}

uint32_t trial_left(const struct device *d)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts); /* cannot fail with this clock */
	return ts.tv_sec < (time_t)d->config.trial_timeout_s
		       ? d->config.trial_timeout_s - (uint32_t)ts.tv_sec
		       : 0;
}

/* The cause is on disk before the denial is: who finds the one finds the other.  Neither
 * where there is nothing to go back to: that is told each time. */
static int end(struct device *d, enum failure_kind kind, const char *text,
	struct bytes log, struct error *e)
{
	autofailure f = {
		.kind = kind, .time = (int64_t)time(NULL), .release = d->state.release
	};
	char reason[STATE_TEXT_MAX + 1];
	int r = switch_may_end(d, e);

	if (r < 0)
		return r;
	memcpy(f.slot, d->state.target, sizeof(f.slot));
	state_text_set(f.text, text);
	memcpy(reason, f.text, sizeof(reason));
	failure_add_log(&f, log);
	failure_save(d->state_dirfd, &f);
	state_set_error(&d->state, f.time, "trial", reason);
	return switch_end_trial(d, reason, e);
}

static int fail(struct device *d, const struct health *h, struct error *e)
{
	autofree char *text = xasprintf("health check %s", h->reason);
	int r = end(d, FAILURE_HEALTH, text, buf_bytes(&h->log), e);

	return r < 0 ? err_prefix(e, r, "%s; the trial goes on", text) : 0;
}

/* An end that was cut short, as by a power cut: the decision stands. */
static int end_again(struct device *d, const struct denial *denial, struct error *e)
{
	char reason[STATE_TEXT_MAX + 1];

	memcpy(reason, denial->reason, sizeof(reason));
	state_set_error(&d->state, (int64_t)time(NULL), "trial", reason);
	return switch_end_trial(d, reason, e);
}

int trial_check(
	struct device *d, enum verdict *ret, struct health *ret_health, struct error *e)
{
	bool trial = trial_running(d);
	uint32_t left = trial ? trial_left(d) : d->config.trial_timeout_s;
	const struct health_options o = {
		.check_timeout_ms = d->config.check_timeout_ms,
		.total_timeout_ms = left < 3600 ? (int)left * 1000 : 3600 * 1000,
		.progress = d->progress,
	};
	const struct denial *denial = state_denied(&d->state, &d->state.release.identity);
	int r;

	if (trial && denial) {
		*ret = VERDICT_FAILED;
		return end_again(d, denial, e);
	}
	if (trial && left == 0) {
		*ret = VERDICT_FAILED;
		return trial_expire(d, e);
	}
	r = health_run(&o, ret_health, e);
	if (r < 0)
		return r;
	if (ret_health->n_required_failed > 0) {
		*ret = trial ? VERDICT_FAILED : VERDICT_UNFIT;
		return trial ? fail(d, ret_health, e) : 0;
	}
	*ret = trial ? VERDICT_CONFIRMED : VERDICT_FIT;
	/* Armed, or to be: what is booted was made good before that. */
	if (!trial && d->state.phase != PHASE_IDLE)
		return 0;
	r = switch_confirm(d, e);
	return r < 0 ? r : 0;
}

int trial_expire(struct device *d, struct error *e)
{
	const struct denial *denial = state_denied(&d->state, &d->state.release.identity);
	autofree char *text = NULL;

	if (denial)
		return end_again(d, denial, e);
	text = xasprintf("no verdict within %u s of power-on (trial-timeout)",
		(unsigned)d->config.trial_timeout_s);

	return end(d, FAILURE_TIMEOUT, text, bytes_of(""), e);
}

/* Was the record written in this boot? */
static bool blind_here(const struct device *d)
{
	return strcmp(d->state.boot_id, d->boot_id) == 0;
}

/* Is it a trial that the record tells of?  In what this boot armed, only after it was
 * denied for not having had a verdict. */
static bool blind_running(const struct device *d)
{
	const struct state *st = &d->state;

	switch (st->phase) {
	case PHASE_TRIAL:
	case PHASE_CONFIRMING:
		return true;
	case PHASE_ARMING:
	case PHASE_ARMED:
		return st->arm_calls > 0 &&
		       (!blind_here(d) || state_denied(st, &st->release.identity));
	case PHASE_IDLE:
	case PHASE_APPLYING:
	case PHASE_COUNT:
		break;
	}
	return false;
}

/* Boots of it that had no verdict, this one included: counted once it was denied (here,
 * or in observe.c). */
static unsigned blind_boots(const struct device *d)
{
	bool counted =
		blind_here(d) && state_denied(&d->state, &d->state.release.identity);

	return d->state.retries + !counted;
}

/* Its denial is found by the system that the boot loader goes back to. */
static void deny_blind(struct device *d, const char *why)
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

int trial_blind(const char *why, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	int r = device_open_record(&d, e);

	if (r < 0)
		return r;
	if (!blind_running(&d) || blind_boots(&d) > BLIND_MAX)
		return err_set(e, E_NOTFOUND, "no trial is known of");
	d.config.trial_timeout_s = BLIND_TIMEOUT_S;
	if (trial_left(&d) > 0)
		return 0;
	d.state.retries = blind_boots(&d);
	memcpy(d.state.boot_id, d.boot_id, sizeof(d.state.boot_id));
	if (!state_denied(&d.state, &d.state.release.identity))
		deny_blind(&d, why);
	r = device_save(&d, e);
	return r < 0 ? r : 1;
}
