/* SPDX-License-Identifier: MIT */
/* Fetch, verify, judge, deploy: see unattended.h. */
#include "update/unattended.h"

#include "update/offer.h"

static int settle(struct device *d, const char *step, int r, struct error *e)
{
	/* Stale news are told by `status` as long as they are. */
	bool fine = r >= 0 || r == E_NOTHING || r == E_STALE;

	device_note_error(d, step, fine ? NULL : e);
	return r;
}

static int offered(struct device *d, struct release **ret, struct error *e)
{
	int r;

	if (d->state.phase == PHASE_TRIAL || d->state.phase == PHASE_CONFIRMING)
		return err_set(e, E_UNTRUSTED,
			"slot %s is on trial: `osupdate confirm` or `osupdate rollback` "
			"first",
			d->state.target);
	r = offer_fetch(d, ret, e);
	if (r == 0)
		r = offer_judge(d, *ret, e);
	return r;
}

int unattended_fetch(struct device *d, struct error *e)
{
	autorelease rel = NULL;
	struct error ignored;
	int r;

	d->ahead = true;
	r = offered(d, &rel, e);

	/* A refusal changes the candidate too; a record that cannot be saved is told by
	 * the step that needs it. */
	(void)device_save(d, &ignored);
	return settle(d, "fetch", r, e);
}

static int run(
	struct device *d, bool full_check, struct unattended_result *ret, struct error *e)
{
	const struct deploy o = { .full_check = full_check };
	autorelease rel = NULL;
	int64_t seen = d->state.valid_until;
	struct error ignored;
	int r = deploy_resume(d, e);

	if (r < 0)
		return r;
	if (r > 0) {
		ret->release = d->state.release;
		ret->deploy.slot = device_target(d);
		return 0;
	}
	d->will_install = true;
	r = offered(d, &rel, e);
	/* For `status`; the failure is what is told. */
	if (r < 0 && d->state.valid_until != seen)
		(void)device_save(d, &ignored);
	if (rel)
		state_set_release(&ret->release, rel);
	if (r < 0)
		return r;
	return deploy_release(d, rel, &o, &ret->deploy, e);
}

int unattended_step(
	struct device *d, bool full_check, struct unattended_result *ret, struct error *e)
{
	int r;

	*ret = (struct unattended_result){ 0 };
	r = run(d, full_check, ret, e);
	ret->ready = (r == 0 || r == E_NOTHING) && d->state.phase == PHASE_ARMED &&
		     digest_equal(&ret->release.identity, &d->state.release.identity);
	return settle(d, "update", r, e);
}
