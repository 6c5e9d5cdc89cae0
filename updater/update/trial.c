/* SPDX-License-Identifier: MIT */
/* The verdict on a trial: see trial.h. */
#include "update/trial.h"

#include <stdio.h>
#include <time.h>

#include "update/failure.h"
#include "update/state-text.h"
#include "update/switch.h"

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

static int end(struct device *d, enum failure_kind kind, const char *text,
	struct bytes log, struct error *e)
{
	autofailure f = {
		.kind = kind, .time = (int64_t)time(NULL), .release = d->state.release
	};

	memcpy(f.slot, d->state.target, sizeof(f.slot));
	state_text_set(f.text, text);
	failure_add_log(&f, log);
	state_set_error(&d->state, f.time, "trial", f.text);
	return switch_end_trial(d, f.text, &f, e);
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
	return switch_end_trial(d, reason, NULL, e);
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
	int r;

	if (trial && (left == 0 || state_release_denied(&d->state))) {
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
	const struct denial *denial = state_release_denied(&d->state);
	autofree char *text = NULL;

	if (denial)
		return end_again(d, denial, e);
	text = xasprintf("no verdict within %u s of power-on (trial-timeout)",
		(unsigned)d->config.trial_timeout_s);

	return end(d, FAILURE_TIMEOUT, text, bytes_of(""), e);
}
