/* SPDX-License-Identifier: MIT */
/*
 * /etc/osupdate/osupdate.conf (INI, inih).  Unknown sections and keys, doubled keys
 * and bad values are errors with file and line.  The file must belong to root.
 */
#ifndef UPDATE_CONFIG_H
#define UPDATE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "slot/slot.h"

/* Defaults, also for who cannot read a configuration (blind.c). */
#define CONFIG_STATE	       "/var/lib/osupdate"
#define CONFIG_TRIAL_TIMEOUT_S (15 * 60)

struct config {
	char *file; /* its own path, for messages */
	/* [update] */
	char *url;     /* of a git repository; NULL: only streams are followed */
	char *stream;  /* places of release streams, separated by blanks; or NULL */
	char *channel; /* default "stable" */
	char *product; /* required */
	char *ssh_key; /* files root reads and hands over; NULL when not given */
	char *known_hosts;
	char *ca;
	char *username;
	char *password_file;
	char *proxy;
	char *netrc; /* for streams */
	char *client_certificate;
	char *client_key;
	uint32_t rate_limit;  /* bytes per second; 0: none */
	int stall_timeout_ms; /* key in seconds, default 60, 1..3600 */
	uint32_t interval_s;  /* daemon: default 3600 ("90s", "15min", "6h", "1d" too) */
	bool read_back;	      /* default yes; yes/no/true/false */
	uint32_t trial_timeout_s; /* from power-on to a verdict, CONFIG_TRIAL_TIMEOUT_S */
	int check_timeout_ms; /* of one health check, in seconds, default 60, 1..600 */
	/* [paths] */
	char *state;   /* CONFIG_STATE */
	char *signers; /* NULL: <state>/trust, seeded from /etc/osupdate/allowed_signers
			*/
	/* [boot] */
	char *hook;	  /* required */
	char **boot_keys; /* other keys of [boot] and values, NULL-terminated pairs, owned
			   */
	int hook_timeout_ms; /* key `timeout` in seconds, default 30, 1..600 */
	/* [slot NAME] */
	struct slot slots[SLOT_COUNT]; /* exactly two */
};

/*
 * Errors: E_INPUT "FILE:LINE: unknown key …", E_UNTRUSTED owner or mode, E_NOTFOUND.
 * On error *ret is zeroed.
 */
int config_load(const char *file, struct config *ret, struct error *e);
void config_release(struct config *c);

#endif
