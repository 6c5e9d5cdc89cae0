/* SPDX-License-Identifier: MIT */
/* Write, seal, arm: see deploy.h.  The record is saved before every effect. */
#include "update/deploy.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/io.h"
#include "slot/survey.h"
#include "update/doubt.h"
#include "update/loader.h"
#include "update/offer.h"
#include "update/policy.h"
#include "update/switch.h"

#define ARM_CALLS_MAX 2 /* the first and one more: DESIGN, "arm, after a crash" */

/* What before_write needs to know. */
struct job {
	struct device *d;
	const struct release *release;
	const struct deploy *options;
	int target;
};

static int report_arm(struct device *d, uint64_t done, struct error *e)
{
	const struct progress_event event = { "arm", "files", done, 1 };

	return progress_report(d->progress, &event, e);
}

static int choose_target(
	struct device *d, const struct deploy *o, int *ret, struct error *e)
{
	int r;

	if (o->slot) {
		r = device_slot(d, o->slot, ret, e);
		if (r < 0)
			return r;
		if (*ret == d->booted)
			return err_set(e, E_UNTRUSTED,
				"slot %s is booted: a running system is never "
				"overwritten; "
				"name the other slot or none",
				o->slot);
		return 0;
	}
	if (d->booted == SLOT_NONE)
		return err_set(e, E_USAGE,
			"nothing is booted: name the slot with --slot %s or --slot %s",
			d->config.slots[0].name, d->config.slots[1].name);
	*ret = device_other(d->booted);
	return 0;
}

/* The only sealed slot is all that boots: it is given up only by a person's --slot. */
static int refuse_only_sealed(
	const struct device *d, const struct deploy *o, int target, struct error *e)
{
	const struct slot_record *other = &d->records[device_other(target)];

	if (o->slot || d->booted >= 0 || d->records[target].contents != SLOT_SEALED ||
		other->contents == SLOT_SEALED)
		return 0;
	return err_set(e, E_UNTRUSTED,
		"slot %s holds the only sealed release; it is overwritten only by "
		"`osupdate install --slot %s`",
		d->config.slots[target].name, d->config.slots[target].name);
}

/* The slot we run from must be what the loader goes back to. */
static int secure_booted(struct device *d, struct error *e)
{
	enum boot_state boot;
	int primary;
	int r;

	if (d->booted == SLOT_NONE)
		return 0;
	r = loader_get_state(d, d->booted, &boot, e);
	if (r == 0 && boot != BOOT_GOOD)
		r = loader_set_state(d, d->booted, BOOT_GOOD, e);
	if (r < 0)
		return r;
	/* No primary at all is an answer too, and mended by setting one. */
	r = loader_get_primary(d, &primary, e);
	if (r == 0 && primary == d->booted)
		return 0;
	return loader_set_primary(d, d->booted, e);
}

static int begin(struct job *job, struct error *e)
{
	struct device *d = job->d;

	if (device_step(d, EVENT_INSTALL) == ACTION_REFUSE)
		return err_set(e, E_UNTRUSTED,
			"slot %s is on trial: `osupdate confirm` or `osupdate rollback` "
			"first",
			d->state.target);
	(void)snprintf(d->state.target, sizeof(d->state.target), "%s",
		d->config.slots[job->target].name);
	state_set_release(&d->state.release, job->release);
	d->state.arm_calls = 0;
	d->state.retries = 0;
	return device_save(d, e);
}

/* install_run calls this once, before the slot is touched in any way. */
static int before_write(void *ctx, struct error *e)
{
	struct job *job = ctx;
	struct device *d = job->d;
	int r = refuse_only_sealed(d, job->options, job->target, e);

	if (r == 0)
		r = slot_require_free(d->config.slots, job->target, false, e);
	if (r == 0)
		r = begin(job, e);
	if (r == 0)
		r = secure_booted(d, e);
	if (r < 0)
		return r;
	r = loader_set_state(d, job->target, BOOT_BAD, e);
	if (r == 0)
		d->records[job->target].contents = SLOT_DIRTY;
	return r;
}

/* The hook said that it failed, but may have done it: it is asked to undo that, by the
 * next update, too. */
static int give_up_arming(struct device *d, int target, struct error *e)
{
	int r = switch_disarm(d, "the boot loader hook could not make it primary", e);

	return r < 0 ? r
		     : err_set(e, E_UNTRUSTED,
			       "the hook failed %d times to make slot %s primary: the "
			       "release is denied (a person may still install it)",
			       ARM_CALLS_MAX, d->config.slots[target].name);
}

static int arm(struct device *d, int target, struct error *e)
{
	const char *name = d->config.slots[target].name;
	int r;

	if (d->state.arm_calls >= ARM_CALLS_MAX)
		return give_up_arming(d, target, e);
	d->state.arm_calls++;
	r = device_save(d, e);
	if (r == 0)
		r = report_arm(d, 0, e);
	if (r == 0)
		r = loader_set_primary(d, target, e);
	if (r < 0)
		return err_prefix(e, r, "slot %s: arm", name);
	(void)device_step(d, EVENT_ARMED);
	r = device_save(d, e);
	if (r < 0)
		return r;
	device_history(d, "armed", target, &d->state.release, NULL);
	return report_arm(d, 1, e);
}

/* Provisioning: there is nothing to fall back to, so there is nothing to try. */
static int make_current(
	struct device *d, int target, const struct release_info *info, struct error *e)
{
	int r = device_save(d, e);

	if (r == 0)
		r = loader_set_state(d, target, BOOT_GOOD, e);
	if (r == 0)
		r = loader_set_primary(d, target, e);
	if (r < 0)
		return err_prefix(e, r, "slot %s: arm", d->config.slots[target].name);
	state_raise_floor(&d->state, &d->state.release);
	state_set_news(&d->state, info);
	state_allow(&d->state, &info->identity);
	device_history(d, "provisioned", target, &d->state.release, NULL);
	return device_settle(d, e);
}

static int finish(struct job *job, struct deploy_result *ret, struct error *e)
{
	struct device *d = job->d;
	int r = slot_record_load(d->state_dirfd, d->config.slots[job->target].name,
		&d->records[job->target], e);

	/* Nothing had to be written, so before_write never ran. */
	if (r == 0 && d->state.phase != PHASE_APPLYING)
		r = begin(job, e);
	if (r < 0)
		return r;
	d->state.has_candidate = false;
	/* A person wants it: should it fail, it is denied with what its trial showed. */
	if (job->options->asked)
		state_allow(&d->state, &d->state.release.identity);
	(void)device_step(d, EVENT_SEALED);
	if (d->booted == SLOT_NONE) {
		ret->end = DEPLOY_CURRENT;
		return make_current(d, job->target, release_info(job->release), e);
	}
	ret->end = DEPLOY_ARMED;
	return arm(d, job->target, e);
}

/* Same manifest as what runs (a renewal): only the record changes. */
static int record_only(struct device *d, const struct release *rel, struct error *e)
{
	struct release_ref ref;
	struct slot_record *rec = &d->records[d->booted];
	struct slot_record fresh = *rec;
	int r;

	slot_record_from(&fresh, rel);
	fresh.contents = SLOT_SEALED;
	memcpy(fresh.uuid, rec->uuid, sizeof(fresh.uuid));
	r = slot_record_save(d->state_dirfd, d->config.slots[d->booted].name, &fresh, e);
	if (r < 0)
		return r;
	*rec = fresh;
	state_set_release(&ref, rel);
	state_raise_floor(&d->state, &ref);
	d->state.has_candidate = false;
	r = device_save(d, e);
	if (r == 0)
		device_history(d, "renewed", d->booted, &ref, NULL);
	return r;
}

static bool same_contents(
	const struct device *d, const struct release_info *info, const struct deploy *o)
{
	return d->booted >= 0 && !o->asked && d->state.phase == PHASE_IDLE &&
	       d->records[d->booted].contents == SLOT_SEALED &&
	       digest_equal(&d->records[d->booted].manifest, &info->manifest);
}

/* A person went back from what is booted: an update now would make it the fallback. */
static int refuse_rolled_back(
	const struct device *d, const struct deploy *o, struct error *e)
{
	int r = o->asked ? 0 : switch_leaving(d, e);

	if (r <= 0)
		return r;
	return err_set(e, E_UNTRUSTED,
		"release %s was rolled back but is still booted: reboot into slot %s "
		"first",
		d->records[d->booted].version,
		d->config.slots[device_other(d->booted)].name);
}

/* What is not as it was signed came from the store, or lies there. */
static int doubt(const struct job *job, int r, const struct error *e)
{
	return doubt_error(
		job->d->state_dirfd, &release_info(job->release)->identity, r, e);
}

static int write_slot(struct job *job, struct deploy_result *ret, struct error *e)
{
	struct device *d = job->d;
	automap manifest = { 0 };
	struct install in = {
		.state_dirfd = d->state_dirfd,
		.slot = &d->config.slots[job->target],
		.booted = d->booted >= 0 ? &d->config.slots[d->booted] : NULL,
		.release = job->release,
		.full_check = job->options->full_check,
		.read_back = d->config.read_back,
		.progress = d->progress,
		.before_write = before_write,
		.ctx = job,
	};
	int r;

	if (!job->options->full_check)
		device_survey(d, job->target);
	r = offer_manifest(d, job->release, &manifest, e);
	if (r == 0)
		r = device_store(d, &in.store, e);
	survey_wait(d->survey);
	if (r < 0)
		return doubt(job, r, e);
	in.survey = d->survey;
	in.manifest = manifest;
	r = install_run(&in, &ret->sums, e);
	ret->wrote = r == 0;
	if (r == 0)
		doubt_clear(d->state_dirfd);
	return r < 0 ? err_prefix(e, doubt(job, r, e), "slot %s", in.slot->name) : 0;
}

int deploy_release(struct device *d, const struct release *rel, const struct deploy *o,
	struct deploy_result *ret, struct error *e)
{
	const struct release_info *info = release_info(rel);
	struct job job = { .d = d, .release = rel, .options = o };
	const struct known_time now = device_time(d);
	int r = policy_judge(&d->config, &d->state, info, &now, o->asked, e);

	if (r == 0)
		r = choose_target(d, o, &job.target, e);
	if (r < 0)
		return r;
	*ret = (struct deploy_result){ .slot = job.target };
	if (d->state.phase == PHASE_TRIAL || d->state.phase == PHASE_CONFIRMING)
		return err_set(e, E_UNTRUSTED,
			"slot %s is on trial: `osupdate confirm` or `osupdate rollback` "
			"first",
			d->state.target);
	r = refuse_rolled_back(d, o, e);
	if (r < 0)
		return r;
	if (same_contents(d, info, o)) {
		ret->end = DEPLOY_RECORDED;
		return record_only(d, rel, e);
	}
	survey_wait(d->survey);
	/* What only the kernel knows is asked when the plan has unmounted it. */
	r = slot_require_free(d->config.slots, job.target,
		survey_holds(d->survey, &d->config.slots[job.target]), e);
	if (r == 0)
		r = write_slot(&job, ret, e);
	return r < 0 ? r : finish(&job, ret, e);
}

int deploy_resume(struct device *d, struct error *e)
{
	int target = device_target(d);
	const struct denial *denial;
	const struct slot_record *rec;
	char reason[STATE_TEXT_MAX + 1];
	int r;

	if ((d->state.phase != PHASE_ARMING && d->state.phase != PHASE_ARMED) ||
		target == SLOT_NONE || target == d->booted)
		return 0;
	/* A rollback that was cut short. */
	denial = state_release_denied(&d->state);
	if (denial) {
		memcpy(reason, denial->reason, sizeof(reason));
		return switch_disarm(d, reason, e);
	}
	r = switch_resume(d, e);
	if (r < 0 || d->state.phase != PHASE_ARMING)
		return r;
	rec = &d->records[target];
	if (rec->contents != SLOT_SEALED ||
		!digest_equal(&rec->identity, &d->state.release.identity))
		return 0; /* the slot is no longer what was sealed: the next deploy sees
			     to it */
	r = arm(d, target, e);
	return r < 0 ? r : 1;
}
