/* SPDX-License-Identifier: MIT */
/* Getting a release from the store: see offer.h. */
#include "update/offer.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/io.h"
#include "base/text.h"
#include "manifest/manifest.h"
#include "update/doubt.h"
#include "update/policy.h"

#define SELECTOR_MAX (RELEASE_VERSION_MAX + 32)

static int report_verify(struct device *d, uint64_t done, struct error *e)
{
	const struct progress_event event = { "verify", "files", done, 1 };

	return progress_report(d->progress, &event, e);
}

static int verify(struct device *d, const struct raw_release *raw, struct release **ret,
	struct error *e)
{
	int r = release_verify(
		buf_bytes(&raw->commit), raw->tags, raw->n_tags, d->signers, ret, e);

	/* By another server's word it may be another one, or with more signatures. */
	if (r < 0 && d->lock_fd >= 0 && d->config.stream)
		doubt_signatures(d->state_dirfd, buf_bytes(&raw->commit));
	return r;
}

/* Ask the store for one release and believe its signature only. */
static int get(
	struct device *d, const char *selector, struct release **ret, struct error *e)
{
	autoraw raw = { 0 };
	struct store *store;
	int r = device_store(d, &store, e);

	if (r == 0)
		r = store_release(store, selector, &raw, e);
	if (r == 0)
		r = report_verify(d, 0, e);
	if (r == 0)
		r = verify(d, &raw, ret, e);
	return r < 0 ? r : report_verify(d, 1, e);
}

static int get_tip(
	struct device *d, const struct oid *tip, struct release **ret, struct error *e)
{
	char selector[SELECTOR_MAX];
	char hex[OID_HEX_MAX];
	int r;

	oid_hex(tip, hex);
	(void)snprintf(selector, sizeof(selector), "commit:%s", hex);
	r = get(d, selector, ret, e);
	return r < 0 ? err_prefix(e, r, "channel %s", d->config.channel) : 0;
}

static int fetch(struct device *d, struct oid *ret_tip, struct error *e)
{
	struct store *store;
	int r = device_store(d, &store, e);

	return r < 0 ? r : store_fetch(store, d->config.channel, ret_tip, e);
}

int offer_fetch(struct device *d, struct release **ret, struct error *e)
{
	struct oid tip;
	int r = fetch(d, &tip, e);

	return r < 0 ? r : get_tip(d, &tip, ret, e);
}

int offer_local(struct device *d, struct release **ret, struct error *e)
{
	char selector[SELECTOR_MAX];

	(void)snprintf(selector, sizeof(selector), "channel:%s", d->config.channel);
	return get(d, selector, ret, e);
}

static bool is_commit_id(const char *name)
{
	struct oid id;

	return oid_parse(name, strlen(name), &id);
}

bool offer_matches(const struct release_info *rel, const char *name)
{
	char hex[OID_HEX_MAX];
	uint64_t serial;

	oid_hex(&rel->commit, hex);
	if (is_commit_id(name))
		return strcmp(hex, name) == 0;
	if (text_u64(name, strlen(name), UINT64_MAX, &serial) && rel->serial == serial)
		return true;
	return strcmp(rel->version, name) == 0;
}

/* What the store can be asked for by one name: a serial may be a version, too. */
static size_t selectors(const char *name, char ret[2][SELECTOR_MAX])
{
	uint64_t serial;
	size_t n = 0;

	if (is_commit_id(name)) {
		(void)snprintf(ret[0], SELECTOR_MAX, "commit:%s", name);
		return 1;
	}
	if (text_u64(name, strlen(name), UINT64_MAX, &serial))
		(void)snprintf(ret[n++], SELECTOR_MAX, "serial:%s", name);
	(void)snprintf(ret[n++], SELECTOR_MAX, "version:%s", name);
	return n;
}

static int get_named(
	struct device *d, const char *name, struct release **ret, struct error *e)
{
	char list[2][SELECTOR_MAX];
	size_t n = selectors(name, list);
	int r = E_NOTFOUND;

	for (size_t i = 0; r == E_NOTFOUND && i < n; i++)
		r = get(d, list[i], ret, e);
	return r;
}

/* Where only the channel can be fetched, with its history or without. */
static int fetch_named(
	struct device *d, const char *name, struct release **ret, struct error *e)
{
	struct oid tip;
	int r = fetch(d, &tip, e);

	return r < 0 ? r : get_named(d, name, ret, e);
}

/* By itself: an old one costs no download of the newest. */
static int bring_named(
	struct device *d, const char *name, struct release **ret, struct error *e)
{
	char list[2][SELECTOR_MAX];
	size_t n = selectors(name, list);
	struct store *store;
	struct oid id;
	int r = device_store(d, &store, e);

	if (r < 0)
		return r;
	r = E_NOTFOUND;
	for (size_t i = 0; r == E_NOTFOUND && i < n; i++) {
		r = store_bring(store, d->config.channel, list[i], &id, e);
		if (r == 0)
			r = get(d, list[i], ret, e);
	}
	return r;
}

int offer_named(struct device *d, const char *name, bool may_fetch, struct release **ret,
	struct error *e)
{
	autorelease rel = NULL;
	int r;

	if (strlen(name) > RELEASE_VERSION_MAX)
		return err_set(e, E_USAGE,
			"\"%.40s…\" is no version, serial or commit id", name);
	r = get_named(d, name, &rel, e);
	if (r == E_NOTFOUND && may_fetch) {
		r = bring_named(d, name, &rel, e);
		if (r == E_NOTFOUND || r == E_REMOTE)
			r = fetch_named(d, name, &rel, e);
	}
	if (r < 0)
		return err_prefix(e, r, "release %s", name);
	if (!offer_matches(release_info(rel), name))
		return err_set(e, E_REMOTE,
			"the store answered with release %s (serial %" PRIu64
			") when asked for %s",
			release_info(rel)->version, release_info(rel)->serial, name);
	*ret = take_ptr(&rel);
	return 0;
}

int offer_manifest(struct device *d, const struct release *rel, struct bytes *ret_map,
	struct error *e)
{
	const struct release_info *info = release_info(rel);
	struct manifest_sums sums;
	automap map = { 0 };
	struct store *store;
	autofd spool = -1;
	int r = device_store(d, &store, e);

	if (r == 0)
		r = io_spool(d->state_dirfd, &spool, e);
	if (r == 0)
		r = store_manifest(store, &info->commit, &info->manifest,
			info->manifest_size, spool, e);
	if (r == 0)
		r = io_map(spool, &map, e);
	if (r == 0)
		r = manifest_check(map, &sums, e);
	if (r < 0)
		return err_prefix(e, r, "release %s: manifest", info->version);
	*ret_map = map;
	map = (struct bytes){ 0 };
	return 0;
}

static int same_as_here(struct device *d, const struct release_info *rel,
	const struct known_time *now, struct error *e)
{
	const struct slot_record *rec = d->booted >= 0 ? &d->records[d->booted] : NULL;

	if ((d->state.phase == PHASE_ARMED || d->state.phase == PHASE_TRIAL) &&
		digest_equal(&d->state.release.identity, &rel->identity))
		return err_set(e, E_NOTHING,
			d->state.phase == PHASE_ARMED
				? "release %s is ready in slot %s: reboot to try it"
				: "release %s is on trial in slot %s: confirm it or roll "
				  "back",
			rel->version, d->state.target);
	if (!rec || rec->contents != SLOT_SEALED ||
		!digest_equal(&rec->identity, &rel->identity) ||
		state_denied(&d->state, &rel->identity))
		return 0;
	/* A renewal that was cut short, before it counted: once more. */
	if (d->state.phase == PHASE_IDLE && rel->serial > d->state.floor)
		return 0;
	state_set_news(&d->state, rel);
	if (freshness_judge(now, rel->valid_until, rel->serial, rel->serial) == STALE)
		return policy_stale(&d->config, rel, now, e);
	return err_set(e, E_NOTHING, "up to date: release %s (serial %" PRIu64 ")",
		rel->version, rel->serial);
}

/* Something newer is taken even so: the clock may be wrong, and newer it is. */
static void tell_late(const struct device *d, const struct release_info *rel,
	const struct known_time *now)
{
	char until[TEXT_TIME_MAX];
	char clock[TEXT_TIME_MAX];

	if (freshness_judge(now, rel->valid_until, rel->serial, d->state.floor) != LATE)
		return;
	text_time(rel->valid_until, until);
	text_time(now->clock, clock);
	progress_note(d->progress,
		"release %s was valid until %s, and the clock says %s: taken all the "
		"same, as it is newer than what is here",
		rel->version, until, clock);
}

int offer_judge(struct device *d, const struct release *rel, struct error *e)
{
	const struct release_info *info = release_info(rel);
	const struct known_time now = device_time(d);
	int r = same_as_here(d, info, &now, e);

	d->state.has_candidate = false;
	if (r < 0)
		return r;
	r = policy_judge(&d->config, &d->state, info, &now, false, e);
	if (r == 0 || r == E_STALE)
		state_set_news(&d->state, info);
	if (r < 0)
		return r;
	d->state.has_candidate = true;
	state_set_release(&d->state.candidate, rel);
	tell_late(d, info, &now);
	return 0;
}
