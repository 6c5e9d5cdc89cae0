/* SPDX-License-Identifier: MIT */
/* verify: is every byte of a slot what was signed? */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "cmd/cli.h"
#include "slot/verify.h"
#include "update/repair.h"

static int print_finding(void *ctx, const struct finding *f, struct error *e)
{
	struct output *o = ctx;

	(void)e;
	output_settle(o);
	(void)fprintf(output_words(o), "%-8s ", f->what);
	output_foreign(output_words(o), f->path);
	(void)fputs(f->local ? "  (local)\n" : "\n", output_words(o));
	return 0;
}

static int compare(struct cli *cli, struct device *d, int slot, struct bytes manifest,
	struct verify_sums *ret, struct error *e)
{
	autofd root = -1;
	int r = device_open_slot(d, slot, &root, e);

	if (r == 0)
		r = verify_slot(root, manifest, print_finding, &cli->output,
			&cli->output.progress, ret, e);
	output_settle(&cli->output);
	return r;
}

static void print_right(struct cli *cli, const struct device *d, int slot,
	const struct release *rel, const struct verify_sums *sums)
{
	FILE *f = output_words(&cli->output);
	char size[TEXT_SIZE_MAX];

	text_size(sums->bytes, size);
	(void)fprintf(f,
		"slot %s: release %s (serial %" PRIu64 ", signed by %s): %" PRIu64
		" entries, %s, zero differences",
		d->config.slots[slot].name, release_info(rel)->version,
		release_info(rel)->serial, release_principal(rel), sums->entries, size);
	if (sums->local > 0)
		(void)fprintf(f, " (%" PRIu64 " local)", sums->local);
	(void)fputc('\n', f);
}

static int verify(struct cli *cli, struct device *d, int slot, struct error *e)
{
	const char *name = d->config.slots[slot].name;
	struct verify_sums sums = { 0 };
	autorelease rel = NULL;
	automap manifest = { 0 };
	int r = device_slot_release(d, slot, &rel, e);

	if (r == 0)
		r = device_slot_manifest(d, slot, rel, &manifest, e);
	if (r == 0 && strcmp(release_info(rel)->product, d->config.product) != 0)
		r = err_set(e, E_UNTRUSTED, "slot %s: its release is for product \"%s\"",
			name, release_info(rel)->product);
	if (r == 0)
		r = compare(cli, d, slot, manifest, &sums, e);
	if (r < 0)
		return r;
	if (sums.differences > 0)
		return err_set(e, E_INPUT,
			"slot %s: %" PRIu64
			" differences from release %s (serial %" PRIu64
			"); `osupdate verify --slot %s --repair` puts them right",
			name, sums.differences, release_info(rel)->version,
			release_info(rel)->serial, name);
	print_right(cli, d, slot, rel, &sums);
	return 0;
}

/* Tell what is wrong, put it right, and prove it. */
static int repair(struct cli *cli, struct device *d, int slot, struct error *e)
{
	const char *name = d->config.slots[slot].name;
	struct install_sums done = { 0 };
	struct verify_sums sums = { 0 };
	autorelease rel = NULL;
	automap manifest = { 0 };
	int r = repair_release(d, slot, &rel, &manifest, e);

	if (r == 0)
		r = compare(cli, d, slot, manifest, &sums, e);
	if (r == 0)
		r = repair_slot(d, slot, rel, manifest, &done, e);
	output_settle(&cli->output);
	if (r < 0)
		return r;
	(void)fprintf(output_words(&cli->output),
		"slot %s: %" PRIu64 " differences; %" PRIu64 " made anew, %" PRIu64
		" removed\n",
		name, sums.differences, done.written, done.removed);
	return verify(cli, d, slot, e);
}

int verb_verify(struct cli *cli, int argc, char **argv, struct error *e)
{
	static const struct option options[] = {
		{ "slot", required_argument, NULL, 's' },
		{ "repair", no_argument, NULL, 'r' },
		{ 0 },
	};
	static const char usage[] = "verify [--slot NAME] [--repair]";
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	const char *name = NULL;
	bool to_repair = false;
	int slot;
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage(usage, e);
		if (c == 's')
			name = optarg;
		else
			to_repair = true;
	}
	if (optind != argc)
		return cli_usage(usage, e);
	/* With the lock: a slot that is being written has no answer. */
	r = cli_open(cli, true, &d, e);
	if (r < 0)
		return r;
	slot = d.booted;
	if (name)
		r = device_slot(&d, name, &slot, e);
	else if (slot == SLOT_NONE)
		r = err_set(e, E_USAGE, "nothing is booted: name a slot with --slot");
	else if (to_repair)
		r = err_set(e, E_USAGE,
			"slot %s is running: if it is to be repaired while it does, say "
			"--slot %s",
			d.config.slots[slot].name, d.config.slots[slot].name);
	if (r < 0)
		return r;
	return to_repair ? repair(cli, &d, slot, e) : verify(cli, &d, slot, e);
}
