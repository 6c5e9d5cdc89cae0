/* SPDX-License-Identifier: MIT */
/*
 * osupdate: the operator's command.  Parses the global options, finds the verb, prints
 * its one error, turns it into an exit code.  doc/operations.md, osupdate(1).
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include "build-config.h"
#include "cmd/cli.h"

static volatile sig_atomic_t stop_asked;

static const struct verb {
	const char *name;
	int (*run)(struct cli *cli, int argc, char **argv, struct error *e);
	const char *help;
} verbs[] = {
	{ "status", verb_status, "what is booted, what the slots hold  [--json]" },
	{ "check", verb_check, "ask the server what it offers; downloads nothing" },
	{ "fetch", verb_fetch, "download and verify the newest release, or  RELEASE" },
	{ "update", verb_update, "fetch, verify, write, arm  [--reboot] [--full-check]" },
	{ "install", verb_install, "install one release by name  [--slot NAME] RELEASE" },
	{ "confirm", verb_confirm,
		"mark the booted slot good; --check: if its health checks say so" },
	{ "rollback", verb_rollback,
		"go back to the other slot, or to RELEASE  [--force]" },
	{ "verify", verb_verify,
		"compare a slot with its signed manifest  [--slot NAME]" },
	{ "log", verb_log,
		"the channel's releases, newest first  [-n N]; --device: what happened "
		"here" },
	{ "diff", verb_diff, "what changed between releases  A [B] [-- PATH]" },
	{ "show", verb_show, "one release in full  RELEASE" },
	{ "config", verb_config,
		"config check: read the configuration and say what is wrong" },
};

static void usage(FILE *f)
{
	(void)fputs("usage: osupdate [--config FILE] [--booted NAME|none] "
		    "[--progress=auto|json|none] VERB …\n\n",
		f);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		(void)fprintf(f, "  %-9s %s\n", verbs[i].name, verbs[i].help);
	(void)fputs(
		"\nExit: 0 done, 1 failed, 2 nothing to do, 3 refused, 4 busy, 5 stale, "
		"64 usage.\n",
		f);
}

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

int cli_open(struct cli *cli, bool write, struct device *ret, struct error *e)
{
	const struct device_options o = {
		.config_file = cli->config_file,
		.booted = cli->booted,
		.write = write,
		.progress = &cli->output.progress,
	};

	if (geteuid() != 0)
		return err_set(e, E_SYSTEM, "must be run by root");
	return device_open(&o, ret, e);
}

int cli_usage(const char *text, struct error *e)
{
	return err_set(e, E_USAGE, "usage: osupdate %s", text);
}

static int progress_of(const char *name, enum progress_mode *ret)
{
	static const char *const names[] = { "auto", "json", "none" };

	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum progress_mode)i;
			return 0;
		}
	return -1;
}

static int run_verb(struct cli *cli, int argc, char **argv)
{
	struct error e = { 0 };
	int r = 0;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, argv[0]) == 0) {
			optind = 0; /* start over: glibc's way to reset getopt */
			r = verbs[i].run(cli, argc, argv, &e);
			output_settle(&cli->output);
			if (r >= 0 && fflush(stdout) == 0 && !ferror(stdout))
				return 0;
			if (r >= 0)
				r = err_sys(&e, "standard output");
			if (r == E_NOTHING) {
				FILE *f = output_words(&cli->output);

				output_foreign(f, e.text);
				(void)fputc('\n', f);
			} else {
				(void)fputs("osupdate: ", stderr);
				output_foreign(stderr, e.text);
				(void)fputc('\n', stderr);
			}
			return err_exit_code(r);
		}
	(void)fprintf(
		stderr, "osupdate: unknown verb \"%s\"; see osupdate --help\n", argv[0]);
	return 64;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "booted", required_argument, NULL, 'b' },
		{ "progress", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct cli cli = { .config_file = OSUPDATE_CONFIG };
	enum progress_mode mode = PROGRESS_AUTO;
	struct error e = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			cli.config_file = optarg;
			break;
		case 'b':
			cli.booted = optarg;
			break;
		case 'p':
			if (progress_of(optarg, &mode) == 0)
				break;
			(void)fprintf(
				stderr, "osupdate: --progress is auto, json or none\n");
			return 64;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			(void)puts("osupdate " OSUPDATE_VERSION);
			return 0;
		default:
			return 64;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return 64;
	}
	if (digest_init_once(&e) < 0) {
		(void)fprintf(stderr, "osupdate: %s\n", e.text);
		return 1;
	}
	catch_signals();
	output_init(&cli.output, mode, &stop_asked);
	return run_verb(&cli, argc - optind, argv + optind);
}
