/* SPDX-License-Identifier: MIT */
/* rollback: a boot switch in seconds, without the network. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "cmd/cli.h"
#include "cmd/deployed.h"
#include "update/switch.h"

static void print_back(const struct device *d, enum rollback_end end)
{
	int other = device_other(d->booted);

	switch (end) {
	case ROLLBACK_DISARMED:
		(void)printf("slot %s stays booted; the release in slot %s will not be "
			     "tried\n",
			d->config.slots[d->booted].name, d->config.slots[other].name);
		break;
	case ROLLBACK_ABANDONED:
		(void)printf("slot %s stays booted; slot %s is half written and will not "
			     "be booted\n",
			d->config.slots[d->booted].name, d->config.slots[other].name);
		break;
	case ROLLBACK_SWITCHED:
		(void)printf("slot %s (release %s) boots next: reboot to go back\n",
			d->config.slots[other].name, d->records[other].version);
		break;
	}
}

/* Going back to a named release also means: not this one again by itself. */
static int back_to(struct cli *cli, struct device *d, const char *name, struct error *e)
{
	const struct deploy o = { .asked = true };
	const struct slot_record *rec = d->booted >= 0 ? &d->records[d->booted] : NULL;
	struct release_ref here;
	int r = deployed_install(cli, d, name, &o, e);

	if (r < 0 || !rec || rec->contents != SLOT_SEALED)
		return r;
	state_set_recorded(&here, rec);
	if (digest_equal(&here.identity, &d->state.release.identity))
		return 0; /* the same once more */
	state_deny(&d->state, &here, "a person rolled it back");
	return device_save(d, e);
}

int verb_rollback(struct cli *cli, int argc, char **argv, struct error *e)
{
	static const struct option options[] = { { "force", no_argument, NULL, 'f' },
		{ 0 } };
	static const char usage[] = "rollback [--force] [RELEASE]";
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	enum rollback_end end;
	bool force = false;
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage(usage, e);
		force |= c == 'f';
	}
	if (argc - optind > 1)
		return cli_usage(usage, e);
	r = cli_open(cli, true, &d, e);
	if (r < 0)
		return r;
	if (optind < argc)
		return back_to(cli, &d, argv[optind], e);
	r = switch_back(&d, force, &end, e);
	if (r == 0)
		print_back(&d, end);
	return r;
}
