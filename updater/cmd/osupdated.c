/* SPDX-License-Identifier: MIT */
/*
 * osupdated: the unattended loop.  Gives a trial its verdict, then runs the same
 * step as `osupdate update` every interval, with jitter, backing off on errors.  The
 * device is opened anew for every round: between rounds an operator may do anything.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "build-config.h"
#include "cmd/reboot.h"
#include "update/trial.h"
#include "update/unattended.h"

#if HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#define BACKOFF_FIRST_S 30
#define TICK_MS		1000

/* syslog(3) priorities, which the journal takes from a "<N>" prefix (sd-daemon(3)). */
enum priority {
	PRIORITY_ERROR = 3,
	PRIORITY_WARNING = 4,
	PRIORITY_NOTICE = 5,
	PRIORITY_INFO = 6
};

static volatile sig_atomic_t stop_asked;

struct daemon {
	const char *config_file;
	const char *booted;
	bool reboot;
	bool journal;	   /* stderr goes to the journal */
	bool systemd;	   /* runs this machine */
	bool waiting;	   /* for another osupdate, or for a trial's verdict */
	unsigned failures; /* in a row */
	time_t told;	   /* the service manager, of progress; by the monotonic clock */
	struct progress progress;
};

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

/* Foreign text may be in it: one event stays one line. */
static void say(const struct daemon *dm, enum priority priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const struct daemon *dm, enum priority priority, const char *fmt, ...)
{
	autobuf safe = { 0 };
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_escape(&safe, bytes_of(text), false);
	if (dm->journal)
		(void)fprintf(
			stderr, "<%d>%s\n", (int)priority, safe.data ? safe.data : "");
	else
		(void)fprintf(stderr, "osupdated: %s\n", safe.data ? safe.data : "");
}

static void notify(const char *state)
{
#if HAVE_SYSTEMD
	(void)sd_notify(0, state); /* without systemd there is nobody to tell */
#else
	(void)state;
#endif
}

static void alive(void)
{
	notify("WATCHDOG=1");
}

/* Each message wakes the service manager, and waits for it: one a second is enough. */
static void on_progress(void *ctx, const struct progress_event *ev)
{
	struct daemon *dm = ctx;
	struct timespec now;
	char text[128];

	if (clock_gettime(CLOCK_MONOTONIC, &now) == 0 && now.tv_sec == dm->told)
		return;
	dm->told = now.tv_sec;
	(void)snprintf(text, sizeof(text),
		"STATUS=%s: %" PRIu64 " of %" PRIu64 " %s\nWATCHDOG=1", ev->step,
		ev->done, ev->total, ev->unit);
	notify(text);
}

static void on_note(void *ctx, const char *text)
{
	say(ctx, PRIORITY_WARNING, "%s", text);
}

/* Where systemd runs, osupdate-confirm.service gives the verdict, after the boot is
 * complete; elsewhere we do. */
static int judge_trial(struct daemon *dm, struct device *d, struct error *e)
{
	autohealth h = { 0 };
	enum verdict verdict;
	int r;

	if (!trial_running(d))
		return 0;
	if (dm->systemd)
		return err_set(e, E_BUSY,
			"release %s is on trial in slot %s: waiting for "
			"osupdate-confirm.service",
			d->state.release.version, d->state.target);
	r = trial_check(d, &verdict, &h, e);
	if (r < 0)
		return r;
	if (verdict == VERDICT_CONFIRMED)
		say(dm, PRIORITY_NOTICE, "slot %s: release %s is up: confirmed",
			d->config.slots[d->booted].name, d->records[d->booted].version);
	if (verdict != VERDICT_FAILED)
		return 0;
	say(dm, PRIORITY_ERROR, "slot %s: release %s: %s: rebooting into slot %s",
		d->config.slots[d->booted].name, d->records[d->booted].version,
		d->state.error_text, d->config.slots[device_other(d->booted)].name);
	r = reboot_now(e);
	return r < 0 ? r : err_set(e, E_BUSY, "rebooting");
}

static void say_deployed(const struct daemon *dm, const struct device *d,
	const struct unattended_result *res)
{
	switch (res->deploy.end) {
	case DEPLOY_ARMED:
		say(dm, PRIORITY_NOTICE,
			"release %s (serial %" PRIu64 ") is ready in slot %s: %s",
			res->release.version, res->release.serial,
			d->config.slots[res->deploy.slot].name,
			dm->reboot ? "rebooting" : "it is tried at the next boot");
		break;
	case DEPLOY_CURRENT:
	case DEPLOY_RECORDED:
		say(dm, PRIORITY_NOTICE, "release %s (serial %" PRIu64 ") is recorded",
			res->release.version, res->release.serial);
		break;
	}
}

/* One round.  *ret_interval is set as soon as the configuration could be read. */
static int run_round(struct daemon *dm, uint32_t *ret_interval, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	const struct device_options o = {
		.config_file = dm->config_file,
		.booted = dm->booted,
		.write = true,
		.progress = &dm->progress,
	};
	struct unattended_result res = { 0 };
	int r = device_open(&o, &d, e);

	if (r < 0)
		return r;
	*ret_interval = d.config.interval_s;
	r = judge_trial(dm, &d, e);
	if (r == 0)
		r = unattended_step(&d, false, &res, e);
	if (r == 0)
		say_deployed(dm, &d, &res);
	if (!dm->reboot || !res.ready)
		return r;
	if (r < 0) /* the reboot of a round before did not come */
		say(dm, PRIORITY_NOTICE, "%s: rebooting", e->text);
	return reboot_now(e);
}

/* Seconds to wait: the interval, or a growing part of it after errors; ±10 % jitter. */
static uint32_t next_wait(const struct daemon *dm, uint32_t interval)
{
	uint64_t wait = interval;
	uint32_t spread;

	if (dm->waiting && wait > BACKOFF_FIRST_S) {
		wait = BACKOFF_FIRST_S;
	} else if (dm->failures > 0) {
		wait = (uint64_t)BACKOFF_FIRST_S
		       << (dm->failures < 16 ? dm->failures - 1 : 15);
		if (wait > interval)
			wait = interval;
	}
	spread = (uint32_t)(wait / 5);
	return (uint32_t)(wait - spread / 2) +
	       (spread ? randombytes_uniform(spread + 1) : 0);
}

static void wait_for(uint32_t seconds)
{
	for (uint32_t i = 0; i < seconds && !stop_asked; i++) {
		alive();
		(void)poll(NULL, 0,
			TICK_MS); /* a signal ends it early, which is the point */
	}
}

static void handle(struct daemon *dm, int r, const struct error *e)
{
	dm->waiting = r == E_BUSY;
	if (r == E_NOTHING) {
		say(dm, PRIORITY_INFO, "%s", e->text);
		dm->failures = 0;
	} else if (r == E_STALE) {
		say(dm, PRIORITY_WARNING, "%s", e->text);
		dm->failures = 0; /* the server is there: again after the interval */
	} else if (r == E_BUSY) {
		say(dm, PRIORITY_INFO, "%s", e->text);
	} else if (r < 0 && r != E_INTERRUPTED) {
		say(dm, r == E_UNTRUSTED ? PRIORITY_WARNING : PRIORITY_ERROR, "%s",
			e->text);
		dm->failures++;
	} else {
		dm->failures = 0;
	}
}

static void run(struct daemon *dm)
{
	uint32_t interval = 3600;

	notify("READY=1");
	while (!stop_asked) {
		struct error e = { 0 };
		char status[160];
		uint32_t wait;

		alive();
		handle(dm, run_round(dm, &interval, &e), &e);
		wait = next_wait(dm, interval);
		(void)snprintf(status, sizeof(status),
			"STATUS=next look in %" PRIu32 " s", wait);
		notify(status);
		wait_for(wait);
	}
	notify("STOPPING=1");
}

static void usage(FILE *f)
{
	(void)fputs("usage: osupdated [--config FILE] [--booted NAME] [--reboot]\n", f);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "booted", required_argument, NULL, 'b' },
		{ "reboot", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct daemon dm = { .config_file = OSUPDATE_CONFIG };
	struct error e = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			dm.config_file = optarg;
			break;
		case 'b':
			dm.booted = optarg;
			break;
		case 'r':
			dm.reboot = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			(void)puts("osupdated " OSUPDATE_VERSION);
			return 0;
		default:
			return 64;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 64;
	}
	if (digest_init_once(&e) < 0) {
		(void)fprintf(stderr, "osupdated: %s\n", e.text);
		return 1;
	}
	dm.journal = getenv("JOURNAL_STREAM") != NULL;
	dm.systemd = access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
	dm.progress = (struct progress){
		.report = on_progress, .note = on_note, .ctx = &dm, .stop = &stop_asked
	};
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	run(&dm);
	return 0;
}
