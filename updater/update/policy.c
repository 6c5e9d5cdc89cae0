/* SPDX-License-Identifier: MIT */
/*
 * What a device takes: see policy.h.  Order: product, channel, denials, floor, time,
 * freshness.
 */
#include "update/policy.h"

#include <inttypes.h>

#include "base/text.h"

static int judge_place(
	const struct config *config, const struct release_info *rel, struct error *e)
{
	if (strcmp(rel->product, config->product) != 0)
		return err_set(e, E_UNTRUSTED,
			"release %s is for product \"%s\", this device is \"%s\"",
			rel->version, rel->product, config->product);
	if (rel->n_channels == 0)
		return 0;
	for (size_t i = 0; i < rel->n_channels; i++)
		if (strcmp(rel->channels[i], config->channel) == 0)
			return 0;
	return err_set(e, E_UNTRUSTED, "release %s may not be offered on channel \"%s\"",
		rel->version, config->channel);
}

/* After a failed trial or a rollback only something newer is taken by itself. */
static int judge_denials(
	const struct state *state, const struct release_info *rel, struct error *e)
{
	const struct denial *d = state_denied(state, &rel->identity);

	if (d)
		return err_set(e, E_UNTRUSTED,
			"release %s was denied here: %s; waiting for a newer one "
			"(a person may still `osupdate install %" PRIu64 "`)",
			rel->version, d->reason, rel->serial);
	for (size_t i = 0; i < state->n_denied; i++)
		if (rel->serial <= state->denied[i].release.serial)
			return err_set(e, E_UNTRUSTED,
				"release %s has serial %" PRIu64
				", not above the denied %" PRIu64,
				rel->version, rel->serial,
				state->denied[i].release.serial);
	return 0;
}

static int judge_age(
	const struct state *state, const struct release_info *rel, struct error *e)
{
	char then[TEXT_TIME_MAX];
	char now[TEXT_TIME_MAX];

	if (rel->serial <= state->floor)
		return err_set(e, E_UNTRUSTED,
			"release %s has serial %" PRIu64 ", not above the %" PRIu64
			" confirmed here (a person may still `osupdate install %" PRIu64
			"`)",
			rel->version, rel->serial, state->floor, rel->serial);
	if (rel->time >= state->floor_time)
		return 0;
	text_time(rel->time, then);
	text_time(state->floor_time, now);
	return err_set(e, E_UNTRUSTED,
		"release %s was committed at %s, before the confirmed one (%s)",
		rel->version, then, now);
}

int policy_stale(const struct config *config, const struct release_info *release,
	const struct known_time *now, struct error *e)
{
	char until[TEXT_TIME_MAX];
	char at[TEXT_TIME_MAX];

	text_time(release->valid_until, until);
	text_time(freshness_now(now), at);
	return err_set(e, E_STALE,
		"only expired news: release %s (serial %" PRIu64
		"), the newest of channel \"%s\", was valid until %s, and it is %s %s; "
		"a newer one, or a renewal, is waited for",
		release->version, release->serial, config->channel, until, at,
		now->clock >= now->floor ? "here" : "at least");
}

int policy_judge(const struct config *config, const struct state *state,
	const struct release_info *release, const struct known_time *now, bool asked,
	struct error *e)
{
	int r = judge_place(config, release, e);

	if (r < 0 || asked)
		return r;
	r = judge_denials(state, release, e);
	if (r == 0)
		r = judge_age(state, release, e);
	if (r < 0)
		return r;
	return freshness_judge(
		       now, release->valid_until, release->serial, state->floor) == STALE
		       ? policy_stale(config, release, now, e)
		       : 0;
}
