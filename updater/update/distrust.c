/* SPDX-License-Identifier: MIT */
/* After a key was revoked: see distrust.h. */
#include "update/distrust.h"

#include <inttypes.h>

#include "update/loader.h"
#include "update/switch.h"

static bool is_revoked(const struct device *d, const char *signer)
{
	return signer[0] && signers_revoked(d->signers, signer);
}

static bool forget_denials(struct device *d)
{
	struct state *st = &d->state;
	bool changed = false;

	for (size_t i = st->n_denied; i > 0; i--) {
		const struct release_ref *ref = &st->denied[i - 1].release;

		/* What a person went back from, but still runs, is waited to end; and so
		 * is what is disarmed. */
		if (!is_revoked(d, ref->signer) ||
			(st->phase != PHASE_IDLE &&
				digest_equal(&ref->identity, &st->release.identity)) ||
			(d->booted >= 0 && digest_equal(&ref->identity,
						   &d->records[d->booted].identity)))
			continue;
		state_allow(st, &ref->identity); /* its signature is refused anyway */
		changed = true;
	}
	return changed;
}

/* A confirmed release, by a key that is trusted now? */
static bool counts(struct device *d, int index, struct release_ref *ret)
{
	autorelease rel = NULL;
	enum boot_state boot;
	struct error why;

	if (index == device_target(d) || d->records[index].contents != SLOT_SEALED ||
		loader_get_state(d, index, &boot, &why) < 0 || boot != BOOT_GOOD ||
		device_slot_release(d, index, &rel, &why) < 0)
		return false;
	state_set_release(ret, rel);
	return !state_denied(&d->state, &ret->identity);
}

static void find_floor(struct device *d)
{
	struct state *st = &d->state;
	uint64_t before = st->floor;
	struct release_ref ref;

	st->floor = 0;
	st->floor_time = 0;
	st->floor_signer[0] = '\0';
	for (int i = 0; i < SLOT_COUNT; i++)
		if (counts(d, i, &ref))
			state_raise_floor(st, &ref);
	progress_note(d->progress,
		"the floor, %" PRIu64
		", was set by a release whose key is revoked: %s%" PRIu64
		" is the highest serial here by a key that is trusted",
		before, st->floor ? "" : "any signed release is accepted once; ",
		st->floor);
}

/* Best effort: with a hook that fails nothing else can be done either, and says so. */
static void disarm(struct device *d)
{
	struct state *st = &d->state;
	struct error why;

	if ((st->phase != PHASE_ARMED && st->phase != PHASE_ARMING) ||
		d->booted == device_target(d) || !is_revoked(d, st->release.signer))
		return;
	progress_note(d->progress,
		"release %s, ready in slot %s, was signed by a key that is revoked: it "
		"is not tried",
		st->release.version, st->target);
	if (switch_disarm(d, "its key was revoked before it was booted", &why) < 0)
		progress_note(d->progress, "%s", why.text);
}

int distrust_revoked(struct device *d, struct error *e)
{
	struct state *st = &d->state;
	bool changed;

	disarm(d);
	changed = forget_denials(d);
	if (is_revoked(d, st->floor_signer)) {
		find_floor(d);
		changed = true;
	}
	return changed ? device_save(d, e) : 0;
}
