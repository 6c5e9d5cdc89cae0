/* SPDX-License-Identifier: MIT */
/*
 * Opening the device (device_open in device.h): configuration, lock, record, booted slot,
 * signers; then what the boot loader did since the last run is recorded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/trusted.h"
#include "build-config.h"
#include "update/device.h"
#include "update/distrust.h"
#include "update/keyring.h"
#include "update/observe.h"
#include "update/recover.h"

static int open_state_dir(struct device *d, struct error *e)
{
	const char *path = d->config.state;
	autofd fd = -1;
	int r;

	/* Only the last component is made: a missing data partition must not be
	 * papered over by a directory on the root file system. */
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "%s: cannot be made", path);
	r = trusted_open(path, O_RDONLY | O_DIRECTORY, &fd, e);
	if (r < 0)
		return r;
	if (mkdirat(fd, "slots", 0755) < 0 && errno != EEXIST)
		return err_sys(e, "%s/slots", path);
	d->state_dirfd = take_fd(&fd);
	return 0;
}

static int take_lock(struct device *d, struct error *e)
{
	autofd fd = openat(d->state_dirfd, "lock",
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

	if (fd < 0)
		return err_sys(e, "%s/lock", d->config.state);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(e, E_BUSY,
				"another osupdate is at work (%s/lock is held); try "
				"again later",
				d->config.state);
		return err_sys(e, "%s/lock", d->config.state);
	}
	d->lock_fd = take_fd(&fd);
	return 0;
}

static int read_boot_id(struct device *d, struct error *e)
{
	autobuf text = { 0 };
	int r = io_read_file_at(
		AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, e);

	if (r < 0)
		return r;
	(void)snprintf(d->boot_id, sizeof(d->boot_id), "%.*s",
		(int)strcspn(text.data ? text.data : "", "\n"),
		text.data ? text.data : "");
	return 0;
}

static int ask_loader(struct device *d, struct error *e)
{
	char name[SLOT_NAME_MAX + 1];
	int r = hook_get_current(&d->hook, name, e);

	if (r < 0)
		return r;
	for (int i = 0; i < SLOT_COUNT; i++)
		if (strcmp(d->config.slots[i].bootname, name) == 0) {
			d->booted = i;
			d->booted_known = true;
			return 0;
		}
	return err_set(e, E_INPUT,
		"the boot loader says \"%s\" is booted, which is no slot", name);
}

/* The command line, else the device at "/", else the hook; two that disagree are refused.
 */
static int find_booted(struct device *d, struct error *e)
{
	autobuf cmdline = { 0 };
	int by_cmdline = SLOT_NONE;
	int by_root = SLOT_NONE;
	int r = io_read_file_at(AT_FDCWD, "/proc/cmdline", 65536, &cmdline, e);

	if (r == 0)
		r = slot_by_cmdline(d->config.slots, cmdline.data ? cmdline.data : "",
			&by_cmdline, e);
	if (r == 0)
		r = slot_by_root(d->config.slots, &by_root, e);
	if (r < 0)
		return r;
	if (by_cmdline >= 0 && by_root >= 0 && by_cmdline != by_root)
		return err_set(e, E_UNTRUSTED,
			"the kernel command line says slot %s is booted, but \"/\" is on "
			"slot %s: "
			"nothing is written until they agree",
			d->config.slots[by_cmdline].name, d->config.slots[by_root].name);
	d->booted = by_cmdline >= 0 ? by_cmdline : by_root;
	if (d->booted >= 0) {
		d->booted_known = true;
		return 0;
	}
	r = ask_loader(d, e);
	if (r < 0)
		return err_prefix(e, r,
			"cannot tell which slot is booted (use --booted NAME, or "
			"--booted none "
			"to provision)");
	return 0;
}

static int set_booted(struct device *d, const char *given, struct error *e)
{
	struct error why = { 0 };
	int r;

	if (given && strcmp(given, "none") == 0) {
		d->booted_known = true;
		return 0;
	}
	if (given) {
		r = device_slot(d, given, &d->booted, e);
		if (r < 0) {
			(void)err_set(e, E_USAGE,
				"--booted %s: no such slot; they are %s and %s", given,
				d->config.slots[0].name, d->config.slots[1].name);
			return E_USAGE;
		}
		d->booted_known = true;
		return 0;
	}
	r = find_booted(d, &why);
	if (r < 0 && d->lock_fd >= 0) {
		*e = why;
		return r;
	}
	return 0;
}

static void load_records(struct device *d)
{
	for (int i = 0; i < SLOT_COUNT; i++) {
		struct error why = { 0 };
		const char *name = d->config.slots[i].name;

		if (slot_record_load(d->state_dirfd, name, &d->records[i], &why) < 0) {
			/* A hint was lost; the slot itself is the truth. */
			progress_note(d->progress,
				"slot %s: its record is unreadable (%s)", name, why.text);
			d->records[i] = (struct slot_record){ .contents = SLOT_DIRTY };
			if (d->lock_fd >= 0)
				recover_record(d, i);
		}
	}
}

static int load_state(struct device *d, struct error *e)
{
	enum state_found found;
	int r = state_load(d->state_dirfd, &d->state, &found, e);

	if (r < 0)
		return r;
	load_records(d);
	if (found != STATE_FOUND && d->lock_fd >= 0) {
		r = recover_state(d, found == STATE_DAMAGED, e);
		if (r < 0)
			return err_prefix(e, r, "recovering the lost state record");
	}
	r = observe(d, e);
	return r < 0 || d->lock_fd < 0 ? r : distrust_revoked(d, e);
}

int device_open(const struct device_options *o, struct device *ret, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1, .booted = SLOT_NONE };
	int r = config_load(o->config_file, &d.config, e);

	d.progress = o->progress;
	if (r == 0)
		r = open_state_dir(&d, e);
	if (r == 0 && o->write)
		r = take_lock(&d, e);
	if (r == 0)
		r = hook_open(OSUPDATE_HOOKS_DIR, d.config.hook,
			(const char *const *)d.config.boot_keys, d.config.hook_timeout_ms,
			&d.hook, e);
	if (r == 0)
		r = keyring_load(&d, e);
	if (r == 0)
		r = read_boot_id(&d, e);
	if (r == 0)
		r = set_booted(&d, o->booted, e);
	if (r == 0)
		r = load_state(&d, e);
	if (r < 0)
		return r;
	*ret = d;
	d = (struct device){ .state_dirfd = -1, .lock_fd = -1 };
	return 0;
}

int device_open_record(struct device *ret, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1, .booted = SLOT_NONE };
	enum state_found found = STATE_ABSENT;
	int r;

	if (access(CONFIG_STATE "/state", F_OK) < 0)
		return err_set(e, E_NOTFOUND, CONFIG_STATE ": no record");
	d.config.state = xstrdup(CONFIG_STATE);
	d.config.trial_timeout_s = CONFIG_TRIAL_TIMEOUT_S;
	r = open_state_dir(&d, e);
	if (r == 0)
		r = take_lock(&d, e);
	if (r == 0)
		r = read_boot_id(&d, e);
	if (r == 0)
		r = state_load(d.state_dirfd, &d.state, &found, e);
	if (r < 0)
		return r;
	if (found != STATE_FOUND)
		return err_set(e, E_NOTFOUND, CONFIG_STATE ": no record");
	*ret = d;
	d = (struct device){ .state_dirfd = -1, .lock_fd = -1 };
	return 0;
}
