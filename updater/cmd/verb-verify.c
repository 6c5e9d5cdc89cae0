/* SPDX-License-Identifier: MIT */
/* verify: is every byte of a slot what was signed? */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "cmd/lookup.h"
#include "slot/verify.h"

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

static int verify(struct cli *cli, struct device *d, int slot, struct error *e)
{
	const char *name = d->config.slots[slot].name;
	FILE *f = output_words(&cli->output);
	struct verify_sums sums = { 0 };
	autorelease rel = NULL;
	automap manifest = { 0 };
	autofd root = -1;
	char size[TEXT_SIZE_MAX];
	int r = device_slot_release(d, slot, &rel, e);

	if (r == 0)
		r = lookup_slot_manifest(d, slot, rel, &manifest, e);
	if (r == 0 && strcmp(release_info(rel)->product, d->config.product) != 0)
		r = err_set(e, E_UNTRUSTED, "slot %s: its release is for product \"%s\"",
			name, release_info(rel)->product);
	if (r == 0)
		r = device_open_slot(d, slot, &root, e);
	if (r == 0)
		r = verify_slot(root, manifest, print_finding, &cli->output,
			&cli->output.progress, &sums, e);
	output_settle(&cli->output);
	if (r < 0)
		return r;
	text_size(sums.bytes, size);
	if (sums.differences > 0)
		return err_set(e, E_INPUT,
			"slot %s: %" PRIu64
			" differences from release %s (serial %" PRIu64 ")",
			name, sums.differences, release_info(rel)->version,
			release_info(rel)->serial);
	(void)fprintf(f,
		"slot %s: release %s (serial %" PRIu64 ", signed by %s): %" PRIu64
		" entries, %s, zero differences",
		name, release_info(rel)->version, release_info(rel)->serial,
		release_principal(rel), sums.entries, size);
	if (sums.local > 0)
		(void)fprintf(f, " (%" PRIu64 " local)", sums.local);
	(void)fputc('\n', f);
	return 0;
}

int verb_verify(struct cli *cli, int argc, char **argv, struct error *e)
{
	static const struct option options[] = { { "slot", required_argument, NULL, 's' },
		{ 0 } };
	static const char usage[] = "verify [--slot NAME]";
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	const char *name = NULL;
	int slot;
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage(usage, e);
		name = optarg;
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
	return r < 0 ? r : verify(cli, &d, slot, e);
}
