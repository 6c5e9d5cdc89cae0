/* SPDX-License-Identifier: MIT */
/* check, fetch, update, install: everything that gets or writes a release. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "cmd/cli.h"
#include "cmd/deployed.h"
#include "cmd/reboot.h"
#include "update/forecast.h"
#include "update/offer.h"
#include "update/policy.h"
#include "update/unattended.h"

static int no_arguments(int argc, char **argv, const char *usage, struct error *e)
{
	(void)argv;
	return argc == 1 ? 0 : cli_usage(usage, e);
}

static void print_candidate(FILE *f, const struct release_ref *ref)
{
	char hex[OID_HEX_MAX];

	oid_hex(&ref->commit, hex);
	(void)fprintf(f, "release %s (serial %" PRIu64 ", commit %.12s) is new\n",
		ref->version, ref->serial, hex);
}

/* What an update would download, where that can be known. */
static int print_forecast(
	FILE *f, struct device *d, const struct release *rel, struct error *e)
{
	char shown[TEXT_SIZE_MAX];
	uint64_t bytes;
	int r = forecast_update(d, rel, &bytes, e);

	if (r <= 0)
		return r;
	text_size(bytes, shown);
	(void)fprintf(f, "to download: %" PRIu64 " bytes (%s)\n", bytes, shown);
	return 0;
}

/* Is the tip's commit here already?  Then it can be judged without a download. */
static int judge_tip(
	struct cli *cli, struct device *d, const struct oid *tip, struct error *e)
{
	FILE *f = output_words(&cli->output);
	autorelease rel = NULL;
	char hex[OID_HEX_MAX];
	int r;

	oid_hex(tip, hex);
	r = d->config.stream ? offer_local(d, &rel, e)
			     : offer_named(d, hex, false, &rel, e);
	if (r == E_NOTFOUND) {
		(void)fprintf(f,
			"channel %s offers commit %.12s, not fetched yet: `osupdate "
			"fetch` "
			"downloads and verifies it\n",
			d->config.channel, hex);
		return 0;
	}
	if (r == 0)
		r = offer_judge(d, rel, e);
	if (r < 0)
		return r;
	print_candidate(f, &d->state.candidate);
	return print_forecast(f, d, rel, e);
}

int verb_check(struct cli *cli, int argc, char **argv, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	struct store *store;
	struct oid tip;
	int r = no_arguments(argc, argv, "check", e);

	if (r == 0)
		r = cli_open(cli, false, &d, e);
	if (r == 0)
		r = device_store(&d, &store, e);
	if (r == 0)
		r = store_list(store, d.config.channel, &tip, e);
	return r < 0 ? r : judge_tip(cli, &d, &tip, e);
}

/* Any release, also one that is not for installing: it is only looked at. */
static int fetch_named(
	struct cli *cli, struct device *d, const char *name, struct error *e)
{
	autorelease rel = NULL;
	int r = offer_named(d, name, true, &rel, e);

	output_settle(&cli->output);
	if (r < 0)
		return r;
	(void)fprintf(output_words(&cli->output),
		"release %s (serial %" PRIu64 ") is in the store until the next fetch\n",
		release_info(rel)->version, release_info(rel)->serial);
	return 0;
}

int verb_fetch(struct cli *cli, int argc, char **argv, struct error *e)
{
	static const struct option options[] = { { 0 } };
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	int r;

	if (getopt_long(argc, argv, "", options, NULL) != -1 || argc - optind > 1)
		return cli_usage("fetch [RELEASE]", e);
	r = cli_open(cli, true, &d, e);
	if (r == 0 && optind < argc)
		return fetch_named(cli, &d, argv[optind], e);
	if (r == 0)
		r = unattended_fetch(&d, e);
	output_settle(&cli->output);
	if (r == 0)
		print_candidate(output_words(&cli->output), &d.state.candidate);
	return r;
}

void deployed_print(FILE *f, const struct device *d, const struct release_ref *ref,
	const struct deploy_result *res)
{
	const char *slot = d->config.slots[res->slot].name;
	char fetched[TEXT_SIZE_MAX];
	char copied[TEXT_SIZE_MAX];

	text_size(res->sums.bytes_fetched, fetched);
	text_size(res->sums.bytes_copied, copied);
	if (res->wrote)
		(void)fprintf(f,
			"slot %s: %" PRIu64 " written, %" PRIu64 " removed, %" PRIu64
			" kept (%s from the store, %s copied here)\n",
			slot, res->sums.written, res->sums.removed, res->sums.kept,
			fetched, copied);
	switch (res->end) {
	case DEPLOY_ARMED:
		(void)fprintf(f,
			"release %s (serial %" PRIu64
			") is ready in slot %s: reboot to try it\n",
			ref->version, ref->serial, slot);
		break;
	case DEPLOY_CURRENT:
		(void)fprintf(f,
			"release %s (serial %" PRIu64
			") is in slot %s, which boots next\n",
			ref->version, ref->serial, slot);
		break;
	case DEPLOY_RECORDED:
		(void)fprintf(f,
			"release %s (serial %" PRIu64
			") has the contents that are booted: recorded, nothing written\n",
			ref->version, ref->serial);
		break;
	}
}

int verb_update(struct cli *cli, int argc, char **argv, struct error *e)
{
	static const struct option options[] = {
		{ "reboot", no_argument, NULL, 'r' },
		{ "full-check", no_argument, NULL, 'f' },
		{ 0 },
	};
	static const char usage[] = "update [--reboot] [--full-check]";
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	struct unattended_result res = { 0 };
	bool full_check = false;
	bool reboot = false;
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage(usage, e);
		reboot |= c == 'r';
		full_check |= c == 'f';
	}
	if (optind != argc)
		return cli_usage(usage, e);
	r = cli_open(cli, true, &d, e);
	if (r == 0)
		r = unattended_step(&d, full_check, &res, e);
	output_settle(&cli->output);
	if (r == 0)
		deployed_print(output_words(&cli->output), &d, &res.release, &res.deploy);
	if (!reboot || !res.ready)
		return r;
	if (r < 0)
		progress_note(d.progress, "%s", e->text);
	return reboot_now(e);
}

int verb_install(struct cli *cli, int argc, char **argv, struct error *e)
{
	static const struct option options[] = {
		{ "slot", required_argument, NULL, 's' },
		{ "full-check", no_argument, NULL, 'f' },
		{ 0 },
	};
	static const char usage[] = "install [--slot NAME] [--full-check] RELEASE";
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	struct deploy o = { .asked = true };
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage(usage, e);
		if (c == 's')
			o.slot = optarg;
		o.full_check |= c == 'f';
	}
	if (optind + 1 != argc)
		return cli_usage(usage, e);
	r = cli_open(cli, true, &d, e);
	return r < 0 ? r : deployed_install(cli, &d, argv[optind], &o, e);
}

int deployed_install(struct cli *cli, struct device *d, const char *name,
	const struct deploy *o, struct error *e)
{
	autorelease rel = NULL;
	struct deploy_result res = { 0 };
	struct release_ref ref;
	int r = offer_named(d, name, true, &rel, e);

	if (r == 0)
		r = deploy_release(d, rel, o, &res, e);
	output_settle(&cli->output);
	device_note_error(d, "install", r < 0 ? e : NULL);
	if (r < 0)
		return r;
	state_set_release(&ref, rel);
	deployed_print(output_words(&cli->output), d, &ref, &res);
	return 0;
}
