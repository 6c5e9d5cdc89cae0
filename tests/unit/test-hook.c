/* SPDX-License-Identifier: MIT */
/* Boot loader hooks: what they are told, what they may answer, how they fail. */
#include <errno.h>
#include <sys/stat.h>

#include "boot/hook.h"
#include "scratch.h"

TestSuite(hook, .init = scratch_enter, .fini = scratch_leave, .timeout = 30);

static const struct slot slot = {
	.name = "A", .bootname = "system0", .device = (char *)(uintptr_t) "/dev/disk/a"
};
static const struct hook_subject subject = {
	.slot = &slot, .commit = "0123", .version = "1.0"
};
static const char *const keys[] = { "grubenv", "/boot/grubenv", "some-key", "x y", NULL };

static void put(const char *body)
{
	autofree char *text = xasprintf("#!/bin/sh\n%s\n", body);

	scratch_put("hook", bytes_of(text));
	cr_assert_eq(chmod("hook", 0755), 0);
}

static int open_hook(
	const char *name, const char *const *k, struct hook *h, struct error *e)
{
	return hook_open(scratch_dir, name, k, 500, h, e);
}

static struct hook with(const char *body)
{
	struct error e = { 0 };
	struct hook h;

	put(body);
	cr_assert_eq(open_hook("hook", keys, &h, &e), 0, "%s", e.text);
	return h;
}

Test(hook, answers_are_one_line)
{
	struct hook h =
		with("case $1 in get-current) echo A ;; get-primary) printf B ;;\n"
		     "get-state) echo bad ;; esac");
	char name[SLOT_NAME_MAX + 1];
	enum boot_state state = BOOT_GOOD;

	cr_assert_eq(hook_get_current(&h, name, NULL), 0);
	cr_assert_str_eq(name, "A");
	cr_assert_eq(hook_get_primary(&h, name, NULL), 0);
	cr_assert_str_eq(name, "B");
	cr_assert_eq(hook_get_state(&h, &subject, &state, NULL), 0);
	cr_assert_eq(state, BOOT_BAD);
	hook_release(&h);
}

Test(hook, is_told_everything_and_nothing_else)
{
	struct hook h = with("echo \"$# $*\" >out; env | grep -v '^PWD=\\|^SHLVL=\\|^_=' "
			     "| sort >>out");
	autobuf out = { 0 };

	cr_assert_eq(setenv("SECRET", "x", 1), 0);
	cr_assert_eq(hook_set_state(&h, &subject, BOOT_BAD, NULL), 0);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "out", 4096, &out, NULL), 0);
	cr_assert_str_eq(out.data,
		"3 set-state system0 bad\n"
		"LC_ALL=C\n"
		"OSUPDATE_COMMIT=0123\n"
		"OSUPDATE_DEVICE=/dev/disk/a\n"
		"OSUPDATE_GRUBENV=/boot/grubenv\n"
		"OSUPDATE_SLOT=A\n"
		"OSUPDATE_SOME_KEY=x y\n"
		"OSUPDATE_VERSION=1.0\n"
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
	hook_release(&h);
}

static const struct {
	const char *body;
	const char *text;
	int sys;
} failing[] = {
	{ "echo 'the flash is gone' >&2; echo more >&2; exit 3", "the flash is gone", 0 },
	{ "exit 1", "no reason", 0 },
	{ "kill -9 $$", "137", 0 },
	{ "sleep 20", "no end within", ETIMEDOUT },
	{ "yes", "hook", 0 },
	{ "echo '../x'", "not a boot name", 0 },
	{ "echo; echo A", "not a boot name", 0 },
	{ "printf 'A\\0B'", "not a boot name", 0 },
	{ "true", "not a boot name", 0 },
};

Test(hook, every_way_to_fail_is_told)
{
	for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
		struct hook h = with(failing[i].body);
		char name[SLOT_NAME_MAX + 1] = "unchanged";
		struct error e = { 0 };

		cr_expect_eq(
			hook_get_current(&h, name, &e), E_SYSTEM, "%s", failing[i].body);
		cr_expect(strstr(e.text, failing[i].text), "%s: %s", failing[i].body,
			e.text);
		cr_expect(strstr(e.text, "get-current"), "%s", e.text);
		cr_expect_eq(e.sys, failing[i].sys);
		cr_expect_str_eq(name, "unchanged");
		hook_release(&h);
	}
}

Test(hook, a_state_is_good_or_bad)
{
	struct hook h = with("echo perhaps");
	enum boot_state state = BOOT_GOOD;
	struct error e = { 0 };

	cr_assert_eq(hook_get_state(&h, &subject, &state, &e), E_SYSTEM);
	cr_assert(strstr(e.text, "good or bad"), "%s", e.text);
	hook_release(&h);
}

Test(hook, only_root_may_have_written_it)
{
	struct error e = { 0 };
	struct hook h;

	put("exit 0");
	cr_assert_eq(chmod("hook", 0775), 0);
	cr_assert_eq(open_hook("hook", NULL, &h, &e), E_UNTRUSTED);
	cr_assert_eq(chmod("hook", 0755), 0);
	cr_assert_eq(chown("hook", 1000, 0), 0);
	cr_assert_eq(open_hook("hook", NULL, &h, &e), E_UNTRUSTED);
	cr_assert_eq(chown("hook", 0, 0), 0);
	cr_assert_eq(chmod(".", 0777), 0);
	cr_assert_eq(open_hook("hook", NULL, &h, &e), E_UNTRUSTED);
	cr_assert_eq(chmod(".", 0755), 0);
	cr_assert_eq(chmod("hook", 0644), 0);
	cr_assert_eq(open_hook("hook", NULL, &h, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "executable"), "%s", e.text);
}

Test(hook, is_found_by_name_or_absolute_path)
{
	autofree char *path = NULL;
	struct error e = { 0 };
	struct hook h;

	put("exit 0");
	path = xasprintf("%s/hook", scratch_dir);
	cr_assert_eq(open_hook(path, NULL, &h, &e), 0, "%s", e.text);
	hook_release(&h);
	cr_assert_eq(open_hook("none", NULL, &h, &e), E_NOTFOUND);
	cr_assert(strstr(e.text, "hook"), "%s", e.text);
	cr_assert_eq(open_hook("../hook", NULL, &h, &e), E_NOTFOUND);
	cr_assert_eq(open_hook("/nowhere/hook", NULL, &h, &e), E_NOTFOUND);
}

Test(hook, keys_are_plain_and_not_osupdates_own)
{
	static const char *const wrong[] = { "slot", "device", "commit", "UPPER", "a_b",
		"1a", "-a", "", "kernel-arguments" };

	cr_assert(hook_key_valid("grubenv"));
	cr_assert(hook_key_valid("a-1"));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_not(hook_key_valid(wrong[i]), "%s", wrong[i]);
}
