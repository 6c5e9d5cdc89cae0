/* SPDX-License-Identifier: MIT */
/* confirm: a person's word, the health checks' verdict, or none in time. */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/cli.h"
#include "cmd/reboot.h"
#include "update/blind.h"
#include "update/switch.h"
#include "update/trial.h"

#define LOOK_EVERY_S 5	 /* while waiting for a verdict */
#define BUSY_MAX_S   600 /* that the checks wait for another osupdate */

static void print_good(struct cli *cli, const struct device *d, bool confirmed)
{
	const struct slot_record *rec = &d->records[d->booted];

	(void)fprintf(output_words(&cli->output), "slot %s%s%s is %s\n",
		d->config.slots[d->booted].name,
		rec->contents == SLOT_SEALED ? ": release " : "",
		rec->contents == SLOT_SEALED ? rec->version : "",
		confirmed ? "confirmed" : "good already");
}

/* The trial was ended: the other slot boots next, and that is now. */
static int go_back(struct device *d, bool reboot, const char *why, struct error *e)
{
	const char *other = d->config.slots[device_other(d->booted)].name;
	int r;

	if (!reboot)
		return err_set(e, E_SYSTEM,
			"%s: the trial is over, slot %s boots next: reboot to go back",
			why, other);
	/* Told first: nothing may be heard of us once the machine goes down. */
	progress_note(
		d->progress, "%s: the trial is over, slot %s boots next", why, other);
	r = reboot_now(e);
	return r < 0 ? r : err_set(e, E_SYSTEM, "rebooting into slot %s", other);
}

static int confirm(struct cli *cli, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	int r = cli_open(cli, true, &d, e);

	if (r == 0)
		r = switch_confirm(&d, e);
	if (r < 0)
		return r;
	print_good(cli, &d, r > 0);
	return 0;
}

/* Nobody asks for the verdict a second time; and --await looks every few seconds. */
static int open_waiting(struct cli *cli, struct device *ret, struct error *e)
{
	int r = cli_open(cli, true, ret, e);

	for (int i = 0; r == E_BUSY && i < BUSY_MAX_S; i++) {
		struct error why;

		(void)sleep(1);
		if (progress_check(&cli->output.progress, &why) < 0)
			break;
		r = cli_open(cli, true, ret, e);
	}
	return r;
}

static int check(struct cli *cli, bool reboot, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	autohealth h = { 0 };
	enum verdict verdict;
	int r = open_waiting(cli, &d, e);

	if (r == 0 && d.booted == SLOT_NONE)
		r = err_set(e, E_UNTRUSTED,
			"nothing is booted, so there is nothing to confirm");
	if (r == 0)
		r = trial_check(&d, &verdict, &h, e);
	if (r < 0)
		return r;
	switch (verdict) {
	case VERDICT_CONFIRMED:
	case VERDICT_FIT:
		(void)fprintf(output_words(&cli->output), "%u health check%s, %s\n",
			h.n_checks, h.n_checks == 1 ? "" : "s",
			h.n_wanted_failed ? "all required ones passed" : "all passed");
		print_good(cli, &d, verdict == VERDICT_CONFIRMED);
		return 0;
	case VERDICT_FAILED:
		return go_back(&d, reboot, d.state.error_text, e);
	case VERDICT_UNFIT:
		break;
	}
	return err_set(e, E_SYSTEM,
		"health check %s; the release was confirmed before, so it stays: "
		"`osupdate rollback` goes back",
		h.reason);
}

/* Note that the trial's release came so far; does it run?  Without the lock when another
 * holds it, who then notes the same. */
static int look(struct cli *cli, bool *ret_trial, uint32_t *ret_left, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	int r = cli_open(cli, true, &d, e);

	if (r == E_BUSY)
		r = cli_open(cli, false, &d, e);
	if (r < 0)
		return r;
	*ret_trial = trial_running(&d);
	*ret_left = trial_left(&d);
	return 0;
}

/* The device cannot be opened, or its boot loader not be told, which is *e: 0 to look
 * again. */
static int await_blindly(struct cli *cli, bool reboot, int code, struct error *e)
{
	struct error why;
	int r = blind_expire(e->text, &why);

	if (r == 0 || r == E_BUSY)
		return 0;
	if (r < 0)
		return code;
	progress_note(&cli->output.progress,
		"%s: what is booted is on trial, and its osupdate cannot give a verdict",
		e->text);
	if (!reboot)
		return err_set(e, E_SYSTEM, "the trial is over: reboot to go back");
	r = reboot_now(e);
	return r < 0 ? r : err_set(e, E_SYSTEM, "rebooting");
}

static int expire(struct cli *cli, bool reboot, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	int r = cli_open(cli, true, &d, e);
	bool blind = r < 0;

	if (r == E_BUSY || (r == 0 && !trial_running(&d)))
		return 0;
	if (r == 0) {
		r = trial_expire(&d, e);
		if (r == 0)
			return go_back(&d, reboot, d.state.error_text, e);
		/* E_UNTRUSTED: there is nothing to go back to. */
		blind = r != E_UNTRUSTED;
	}
	device_close(&d); /* and its lock */
	return blind ? await_blindly(cli, reboot, r, e) : r;
}

/* Wait for someone else's verdict; when none comes in time, that is one too. */
static int await(struct cli *cli, bool reboot, struct error *e)
{
	for (;;) {
		bool trial = false;
		uint32_t left = LOOK_EVERY_S;
		int r = look(cli, &trial, &left, e);

		if (r < 0) {
			r = await_blindly(cli, reboot, r, e);
			trial = true;
		}
		if (r < 0 || !trial)
			return r;
		if (left == 0) {
			r = expire(cli, reboot, e);
			if (r < 0)
				return r;
			left = LOOK_EVERY_S; /* it is over, or cannot be ended yet */
		}
		(void)sleep(left < LOOK_EVERY_S ? left : LOOK_EVERY_S);
		r = progress_check(&cli->output.progress, e);
		if (r < 0)
			return r;
	}
}

int verb_confirm(struct cli *cli, int argc, char **argv, struct error *e)
{
	static const struct option options[] = {
		{ "check", no_argument, NULL, 'c' },
		{ "await", no_argument, NULL, 'a' },
		{ "no-reboot", no_argument, NULL, 'n' },
		{ 0 },
	};
	static const char usage[] = "confirm [--check | --await] [--no-reboot]";
	bool reboot = true;
	int mode = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?' || (c != 'n' && mode))
			return cli_usage(usage, e);
		if (c == 'n')
			reboot = false;
		else
			mode = c;
	}
	if (optind != argc || (!reboot && !mode))
		return cli_usage(usage, e);
	if (mode == 'c')
		return check(cli, reboot, e);
	return mode == 'a' ? await(cli, reboot, e) : confirm(cli, e);
}
