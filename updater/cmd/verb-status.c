/* SPDX-License-Identifier: MIT */
/* status: for people a table, for programs one JSON object whose fields only grow. */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/text.h"
#include "cmd/cli.h"
#include "update/failure.h"
#include "update/loader.h"

#define FAILURE_LINES 8 /* of the evidence shown to people */

/* Is the newest that the channel was seen to offer over?  The text for it, or NULL. */
static const char *valid_until(const struct device *d, char when[TEXT_TIME_MAX])
{
	if (d->state.valid_until == 0)
		return NULL;
	text_time(d->state.valid_until, when);
	return when;
}

static bool is_stale(const struct device *d)
{
	const struct known_time now = device_time(d);
	int64_t until = d->state.valid_until;

	return freshness_judge(&now, until ? until : INT64_MAX, 0, 0) == STALE;
}

struct view {
	const char *boot; /* good bad trial unknown */
	bool booted;
	bool primary;
};

/* What the boot loader says; a hook that fails costs "unknown", not the status. */
static void look(struct device *d, struct view views[SLOT_COUNT])
{
	struct error why = { 0 };
	int primary;

	(void)loader_get_primary(d, &primary, &why); /* SLOT_NONE then */
	for (int i = 0; i < SLOT_COUNT; i++) {
		enum boot_state boot;
		bool tried = (d->state.phase == PHASE_ARMED ||
				     d->state.phase == PHASE_TRIAL) &&
			     i == device_target(d);

		views[i] = (struct view){
			.boot = "unknown",
			.booted = i == d->booted,
			.primary = i == primary,
		};
		if (loader_get_state(d, i, &boot, &why) == 0)
			views[i].boot = boot == BOOT_BAD ? "bad"
					: tried		 ? "trial"
							 : "good";
	}
}

/* Reasons may quote foreign bytes, and JSON must be UTF-8. */
static json_t *json_text(const char *text)
{
	autobuf safe = { 0 };

	text_escape(&safe, bytes_of(text), false);
	return json_string(safe.data ? safe.data : "");
}

/* Jansson's integers end at 2^63 - 1. */
static json_t *json_serial(uint64_t serial)
{
	return serial <= INT64_MAX ? json_integer((json_int_t)serial)
				   : json_real((double)serial);
}

static json_t *json_release(const struct release_ref *ref)
{
	char hex[OID_HEX_MAX];

	oid_hex(&ref->commit, hex);
	return json_pack("{s:s,s:s,s:o}", "commit", hex, "version", ref->version,
		"serial", json_serial(ref->serial));
}

static json_t *json_slot(const struct device *d, int i, const struct view *v)
{
	const struct slot_record *rec = &d->records[i];
	bool known = rec->contents != SLOT_EMPTY && rec->serial > 0;
	char hex[OID_HEX_MAX];

	oid_hex(&rec->commit, hex);
	return json_pack("{s:s,s:b,s:b,s:s,s:s,s:s?,s:s?,s:o}", "name",
		d->config.slots[i].name, "booted", v->booted, "primary", v->primary,
		"boot", v->boot, "contents", slot_contents_name(rec->contents), "commit",
		known ? hex : NULL, "version", known ? rec->version : NULL, "serial",
		known ? json_serial(rec->serial) : json_null());
}

static json_t *json_denied(const struct state *st)
{
	json_t *list = json_array();

	for (size_t i = 0; i < st->n_denied; i++) {
		json_t *one = json_release(&st->denied[i].release);

		(void)json_object_set_new(one, "reason", json_text(st->denied[i].reason));
		(void)json_array_append_new(list, one);
	}
	return list;
}

static json_t *json_error(const struct state *st)
{
	char when[TEXT_TIME_MAX];

	if (st->error_time == 0)
		return json_null();
	text_time(st->error_time, when);
	return json_pack("{s:s,s:s,s:o}", "time", when, "step", st->error_step, "text",
		json_text(st->error_text));
}

/* The last trial that failed, with what proves the cause. */
static json_t *json_failure(const struct device *d)
{
	autofailure f = { 0 };
	struct error none;
	char when[TEXT_TIME_MAX];
	char hex[OID_HEX_MAX];
	json_t *log;

	if (failure_load(d->state_dirfd, &f, &none) < 0)
		return json_null();
	text_time(f.time, when);
	oid_hex(&f.release.commit, hex);
	log = json_array();
	for (const char *p = f.log.data; p && *p; p = strchr(p, '\n') + 1) {
		autofree char *line = xstrndup(p, strcspn(p, "\n"));

		(void)json_array_append_new(log, json_string(line));
	}
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:s,s:o}", "time", when, "cause",
		failure_kind_name(f.kind), "slot", f.slot, "commit", hex, "version",
		f.release.version, "serial", json_serial(f.release.serial), "text",
		f.text, "log", log);
}

static int print_json(
	const struct device *d, const struct view views[SLOT_COUNT], struct error *e)
{
	json_t *slots = json_array();
	char when[TEXT_TIME_MAX];
	json_t *root;
	int r;

	for (int i = 0; i < SLOT_COUNT; i++)
		(void)json_array_append_new(slots, json_slot(d, i, &views[i]));
	root = json_pack("{s:s?,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:s?}", "booted",
		d->booted >= 0 ? d->config.slots[d->booted].name : NULL, "phase",
		phase_name(d->state.phase), "product", d->config.product, "channel",
		d->config.channel, "floor", json_serial(d->state.floor), "slots", slots,
		"candidate",
		d->state.has_candidate ? json_release(&d->state.candidate) : json_null(),
		"denied", json_denied(&d->state), "last_error", json_error(&d->state),
		"last_failed_trial", json_failure(d), "stale", is_stale(d), "valid_until",
		valid_until(d, when));
	if (!root)
		return err_set(e, E_SYSTEM, "status: JSON could not be made");
	r = json_dumpf(root, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
	json_decref(root);
	(void)putchar('\n');
	return r < 0 ? err_set(e, E_SYSTEM, "status: JSON could not be written") : 0;
}

static int print_slots(
	const struct device *d, const struct view views[SLOT_COUNT], struct error *e)
{
	static const char *const columns[] = { "SLOT", "BOOTED", "PRIMARY", "BOOT",
		"CONTENTS", "VERSION", "SERIAL", "COMMIT", NULL };
	struct libscols_table *t;
	int r = table_new(columns, &t, e);

	for (int i = 0; r == 0 && i < SLOT_COUNT; i++) {
		const struct slot_record *rec = &d->records[i];
		bool known = rec->contents != SLOT_EMPTY && rec->serial > 0;
		char serial[24] = "-";
		char hex[OID_HEX_MAX] = "-";
		const char *const cells[] = {
			d->config.slots[i].name,
			views[i].booted ? "yes" : "-",
			views[i].primary ? "yes" : "-",
			views[i].boot,
			slot_contents_name(rec->contents),
			known ? rec->version : "-",
			serial,
			hex,
		};

		if (known) {
			(void)snprintf(serial, sizeof(serial), "%" PRIu64, rec->serial);
			oid_hex(&rec->commit, hex);
			hex[12] = '\0';
		}
		r = table_row(t, cells, e);
	}
	return r < 0 ? r : table_print(t, e);
}

/* What should be done next, if anything. */
static void print_next(const struct device *d)
{
	const struct state *st = &d->state;

	switch (st->phase) {
	case PHASE_APPLYING:
	case PHASE_ARMING:
		(void)printf(
			"next: `osupdate update` goes on with release %s in slot %s\n",
			st->release.version, st->target);
		break;
	case PHASE_ARMED:
		(void)printf("next: reboot to try release %s in slot %s\n",
			st->release.version, st->target);
		break;
	case PHASE_TRIAL:
	case PHASE_CONFIRMING:
		(void)printf(
			"next: `osupdate confirm` release %s, or `osupdate rollback`\n",
			st->release.version);
		break;
	case PHASE_IDLE:
	case PHASE_COUNT:
		if (st->has_candidate)
			(void)printf(
				"next: `osupdate update` to release %s (serial %" PRIu64
				")\n",
				st->candidate.version, st->candidate.serial);
		break;
	}
}

/* The end of the evidence is the telling part; all of it is in --json. */
static void print_failure(const struct device *d)
{
	autofailure f = { 0 };
	struct error none;
	char when[TEXT_TIME_MAX];
	const char *p;
	unsigned lines = 0;

	if (failure_load(d->state_dirfd, &f, &none) < 0)
		return;
	text_time(f.time, when);
	(void)printf("last failed trial: %s release %s in slot %s: ", when,
		f.release.version, f.slot);
	output_foreign(stdout, f.text);
	(void)putchar('\n');
	if (!f.log.size)
		return;
	for (p = f.log.data + f.log.size; p > f.log.data; p--)
		if (p[-1] == '\n' && lines++ == FAILURE_LINES)
			break;
	for (; *p; p = strchr(p, '\n') + 1)
		(void)printf("  | %.*s\n", (int)strcspn(p, "\n"), p);
}

static int print_text(
	const struct device *d, const struct view views[SLOT_COUNT], struct error *e)
{
	const struct state *st = &d->state;
	char when[TEXT_TIME_MAX];
	int r;

	(void)printf("%s, channel %s: booted %s, %s, floor %" PRIu64 "\n",
		d->config.product, d->config.channel,
		d->booted >= 0 ? d->config.slots[d->booted].name : "none",
		phase_name(st->phase), st->floor);
	r = print_slots(d, views, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < st->n_denied; i++) {
		(void)printf("denied: %s (serial %" PRIu64 "): ",
			st->denied[i].release.version, st->denied[i].release.serial);
		output_foreign(stdout, st->denied[i].reason);
		(void)putchar('\n');
	}
	if (st->error_time != 0) {
		text_time(st->error_time, when);
		(void)printf("last error: %s %s: ", when, st->error_step);
		output_foreign(stdout, st->error_text);
		(void)putchar('\n');
	}
	if (is_stale(d))
		(void)printf("stale: the newest release seen on channel %s was valid "
			     "until %s\n",
			d->config.channel, valid_until(d, when));
	print_failure(d);
	print_next(d);
	return 0;
}

int verb_status(struct cli *cli, int argc, char **argv, struct error *e)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
		{ 0 } };
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	struct view views[SLOT_COUNT];
	bool json = false;
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage("status [--json]", e);
		json = true;
	}
	if (optind != argc)
		return cli_usage("status [--json]", e);
	r = cli_open(cli, false, &d, e);
	if (r < 0)
		return r;
	look(&d, views);
	return json ? print_json(&d, views, e) : print_text(&d, views, e);
}
