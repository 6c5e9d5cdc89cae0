/* SPDX-License-Identifier: MIT */
/*
 * The hook for UEFI firmware that starts the kernel itself (EFI stub), without a loader.
 * Protocol and layout: README.md.
 *
 * A boot option labelled "osupdate <NAME> <kernel id>" that stands in BootOrder is
 * confirmed; one that does not is on trial while BootNext points at it: the firmware
 * deletes BootNext before it boots, so there is exactly one try.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "efivar.h"
#include "esp.h"
#include "hook.h"

#define OPTIONS_MAX	  256
#define LABEL		  "osupdate "
#define CREATE_TIMEOUT_MS 25000
#define PATH_SIZE	  (PATH_MAX + 8)

struct ours {
	uint16_t number;
	char name[32];
	char id[ESP_ID_SIZE];
};

struct firmware {
	struct esp esp;
	struct ours options[OPTIONS_MAX];
	size_t n;
	struct efi_order order;
	int next;
};

/* --- reading ---------------------------------------------------------------------- */

static bool read_label(const char *label, struct ours *ret)
{
	const char *name = label + strlen(LABEL);
	const char *space;

	if (strncmp(label, LABEL, strlen(LABEL)) != 0)
		return false;
	space = strchr(name, ' ');
	if (!space || (size_t)(space - name) >= sizeof(ret->name) ||
		strlen(space + 1) != ESP_ID_SIZE - 1)
		return false;
	memset(ret->name, 0, sizeof(ret->name));
	memcpy(ret->name, name, (size_t)(space - name));
	memcpy(ret->id, space + 1, ESP_ID_SIZE);
	return true;
}

static void read_variables(struct firmware *fw)
{
	struct efi_option options[OPTIONS_MAX];
	size_t n = efivar_options(options, OPTIONS_MAX);

	fw->n = 0;
	for (size_t i = 0; i < n; i++)
		if (read_label(options[i].label, &fw->options[fw->n]))
			fw->options[fw->n++].number = options[i].number;
	efivar_order(&fw->order);
	fw->next = efivar_number("BootNext");
}

static void firmware_close(struct firmware *fw)
{
	esp_close(&fw->esp);
}

#define autofirmware CLEANUP(firmware_close) struct firmware

static const struct ours *by_number(const struct firmware *fw, int number)
{
	for (size_t i = 0; i < fw->n; i++)
		if (fw->options[i].number == number)
			return &fw->options[i];
	return NULL;
}

static bool holds(const struct efi_order *order, uint16_t number)
{
	for (size_t i = 0; i < order->n; i++)
		if (order->numbers[i] == number)
			return true;
	return false;
}

static bool ordered(const struct firmware *fw, uint16_t number)
{
	return holds(&fw->order, number);
}

/* The slot's option that is, or is not, in BootOrder. */
static const struct ours *find(
	const struct firmware *fw, const char *name, bool confirmed)
{
	for (size_t i = 0; i < fw->n; i++)
		if (strcmp(fw->options[i].name, name) == 0 &&
			ordered(fw, fw->options[i].number) == confirmed)
			return &fw->options[i];
	return NULL;
}

/* On trial: the option that boots once, or that this boot is the one try of. */
static const struct ours *trial_of(const struct firmware *fw, const char *name)
{
	const struct ours *next = by_number(fw, fw->next);

	if (!next || strcmp(next->name, name) != 0)
		next = by_number(fw, efivar_number("BootCurrent"));
	return next && strcmp(next->name, name) == 0 && !ordered(fw, next->number) ? next
										   : NULL;
}

/* --- writing ---------------------------------------------------------------------- */

/* The order with `number` (EFI_NONE: none) at its place and without `name`'s others.
 * First: before all; else after the last of ours. */
static void set_order(struct firmware *fw, int number, bool first, const char *name)
{
	struct efi_order new = { 0 };
	size_t place = 0;

	for (size_t i = 0; i < fw->order.n; i++) {
		const struct ours *o = by_number(fw, fw->order.numbers[i]);

		if (fw->order.numbers[i] == number || holds(&new, fw->order.numbers[i]) ||
			(o && strcmp(o->name, name) == 0))
			continue;
		new.numbers[new.n++] = fw->order.numbers[i];
		if (o)
			place = new.n;
	}
	if (number != EFI_NONE) {
		if (new.n == EFI_ORDER_MAX)
			hook_die("BootOrder: full");
		place = first ? 0 : place;
		memmove(new.numbers + place + 1, new.numbers + place,
			(new.n - place) * sizeof(new.numbers[0]));
		new.numbers[place] = (uint16_t)number;
		new.n++;
	}
	if (new.n == fw->order.n && memcmp(new.numbers, fw->order.numbers,
					    new.n * sizeof(new.numbers[0])) == 0)
		return;
	efivar_set_order(&new);
	fw->order = new;
}

/* Disk and number of the ESP's partition, from its mount. */
static void find_partition(const struct esp *esp, char disk[PATH_SIZE], char part[16])
{
	const char *given_disk = hook_setting("OSUPDATE_DISK", NULL);
	const char *given_part = hook_setting("OSUPDATE_PARTITION", NULL);
	autofree char *path = NULL;
	autobuf number = { 0 };
	char target[PATH_MAX];
	struct stat st;
	struct error e;
	ssize_t n;

	if (given_disk && given_part) {
		(void)snprintf(disk, PATH_SIZE, "%s", given_disk);
		(void)snprintf(part, 16, "%s", given_part);
		return;
	}
	if (fstat(esp->fd, &st) < 0)
		hook_die("%s: stat: %s", esp->path, strerror(errno));
	path = xasprintf("/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	n = readlink(path, target, sizeof(target) - 1);
	if (n > 0) {
		autofree char *file = xasprintf("%s/partition", path);
		char *slash;

		target[n] = '\0';
		slash = strrchr(target, '/');
		if (slash && io_read_file_at(AT_FDCWD, file, 16, &number, &e) == 0) {
			*slash = '\0';
			slash = strrchr(target, '/');
			(void)snprintf(
				disk, PATH_SIZE, "/dev/%s", slash ? slash + 1 : target);
			(void)snprintf(part, 16, "%.*s", (int)strcspn(number.data, "\n"),
				number.data);
			return;
		}
	}
	hook_die("%s: not on a partition; name its disk and number with disk= and "
		 "partition= in [boot]",
		esp->path);
}

static void run_efibootmgr(const char *const *argv)
{
	autofree char *efivars = xasprintf("EFIVARFS_PATH=%s/", efivar_directory());
	const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		"/sbin:/bin",
		"LC_ALL=C", efivars, NULL
	};
	const struct subprocess p = { .argv = argv,
		.env = env,
		.stdin_fd = -1,
		.stdout_max = 65536,
		.timeout_ms = CREATE_TIMEOUT_MS };
	autobuf err = { 0 };
	struct error e;
	int status;

	if (subprocess_run(&p, NULL, &err, &status, &e) < 0)
		hook_die("%s", e.text);
	if (status != 0)
		hook_die("efibootmgr: exit code %d: %.*s", status,
			(int)strcspn(err.data ? err.data : "", "\n"),
			err.data ? err.data : "");
}

/* A new option for the slot's kernel, in nobody's order yet: its number. */
static uint16_t create(struct firmware *fw, const char *name)
{
	autofree char *line = esp_command_line(name);
	autofree char *label = NULL;
	autofree char *file = NULL;
	autofree char *arguments = NULL;
	const struct firmware before = *fw;
	struct esp_kernel kernel;
	char disk[PATH_SIZE];
	char part[16];

	esp_install(&fw->esp, &kernel);
	find_partition(&fw->esp, disk, part);
	label = xasprintf(LABEL "%s %s", name, kernel.id);
	file = xasprintf("\\osupdate\\%s\\linux", kernel.id);
	arguments = kernel.initrd ? xasprintf("%s initrd=\\osupdate\\%s\\initrd", line,
					    kernel.id)
				  : xstrdup(line);
	{
		const char *const argv[] = { "efibootmgr", "--quiet", "--create-only",
			"--disk", disk, "--part", part, "--label", label, "--loader",
			file, "--unicode", arguments, NULL };

		run_efibootmgr(argv);
	}
	read_variables(fw);
	for (size_t i = 0; i < fw->n; i++)
		if (!by_number(&before, fw->options[i].number))
			return fw->options[i].number;
	hook_die("efibootmgr made no boot option");
}

/* Options of the slot that can no longer be booted, and kernels that nobody names. */
static void clean_up(struct firmware *fw, const char *name)
{
	autobuf used = { 0 };

	read_variables(fw);
	for (size_t i = 0; i < fw->n; i++) {
		const struct ours *o = &fw->options[i];

		if (strcmp(o->name, name) == 0 && !ordered(fw, o->number) &&
			fw->next != o->number)
			efivar_delete_option(o->number);
		else
			buf_addf(&used, "%s ", o->id);
	}
	esp_collect(&fw->esp, used.data ? used.data : "");
	esp_sync(&fw->esp);
}

/* --- verbs ------------------------------------------------------------------------ */

static void get_primary(void)
{
	struct firmware fw = { .esp.fd = -1 };
	const struct ours *o;

	read_variables(&fw);
	o = by_number(&fw, fw.next);
	for (size_t i = 0; !o && i < fw.order.n; i++)
		o = by_number(&fw, fw.order.numbers[i]);
	if (!o)
		hook_die("no boot option of ours in BootOrder or BootNext");
	hook_answer(o->name);
}

static bool is_good(const char *name)
{
	struct firmware fw = { .esp.fd = -1 };

	read_variables(&fw);
	return find(&fw, name, true) || trial_of(&fw, name);
}

/* BootNext is ours to delete when it points at one of ours. */
static void delete_next(struct firmware *fw, const char *name)
{
	const struct ours *o = by_number(fw, fw->next);

	if (o && (!name || strcmp(o->name, name) == 0)) {
		efivar_delete_next();
		fw->next = EFI_NONE;
	}
}

static void set_primary(const char *name)
{
	autofirmware fw = { .esp.fd = -1 };
	const struct ours *confirmed;

	esp_open(&fw.esp);
	read_variables(&fw);
	confirmed = find(&fw, name, true);
	if (confirmed) {
		set_order(&fw, confirmed->number, true, name);
		delete_next(&fw, NULL);
	} else {
		efivar_set_next(create(&fw, name));
	}
	clean_up(&fw, name);
}

static void set_good(const char *name)
{
	autofirmware fw = { .esp.fd = -1 };
	const struct ours *trial;

	esp_open(&fw.esp);
	read_variables(&fw);
	trial = trial_of(&fw, name);
	if (trial)
		set_order(&fw, trial->number, true, name);
	else if (!find(&fw, name, true))
		set_order(&fw, create(&fw, name), false, name);
	delete_next(&fw, name);
	clean_up(&fw, name);
}

static void set_bad(const char *name)
{
	autofirmware fw = { .esp.fd = -1 };

	esp_open(&fw.esp);
	read_variables(&fw);
	set_order(&fw, EFI_NONE, false, name);
	delete_next(&fw, name);
	clean_up(&fw, name);
}

static const struct loader efi = {
	.name_valid = esp_name_valid,
	.name_rule = ESP_NAME_RULE,
	.get_primary = get_primary,
	.set_primary = set_primary,
	.is_good = is_good,
	.set_good = set_good,
	.set_bad = set_bad,
};

int main(int argc, char **argv)
{
	return hook_main(&efi, argc, argv);
}
