/* SPDX-License-Identifier: MIT */
/* What every verb of `osupdate` gets, and the table of verbs. */
#ifndef CMD_CLI_H
#define CMD_CLI_H

#include "base/error.h"
#include "cmd/output.h"
#include "update/device.h"

struct cli {
	const char *config_file;
	const char *booted; /* --booted, or NULL */
	struct output output;
};

/* Open the device as the global options say; `write` takes the lock. */
int cli_open(struct cli *cli, bool write, struct device *ret, struct error *e);

/* E_USAGE with the verb's own usage line. */
int cli_usage(const char *usage, struct error *e);

/*
 * A verb: argv[0] is its name.  Returns 0 or an error; E_NOTHING's text is printed on
 * stdout, every other error's on stderr, by main.
 */
int verb_status(struct cli *cli, int argc, char **argv, struct error *e);
int verb_check(struct cli *cli, int argc, char **argv, struct error *e);
int verb_fetch(struct cli *cli, int argc, char **argv, struct error *e);
int verb_update(struct cli *cli, int argc, char **argv, struct error *e);
int verb_install(struct cli *cli, int argc, char **argv, struct error *e);
int verb_confirm(struct cli *cli, int argc, char **argv, struct error *e);
int verb_rollback(struct cli *cli, int argc, char **argv, struct error *e);
int verb_verify(struct cli *cli, int argc, char **argv, struct error *e);
int verb_log(struct cli *cli, int argc, char **argv, struct error *e);
int verb_show(struct cli *cli, int argc, char **argv, struct error *e);
int verb_diff(struct cli *cli, int argc, char **argv, struct error *e);
int verb_config(struct cli *cli, int argc, char **argv, struct error *e);

#endif
