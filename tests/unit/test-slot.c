/* SPDX-License-Identifier: MIT */
/* Slots' names, and which one the kernel command line means. */
#include <stdint.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "scratch.h"
#include "slot/slot.h"

static const struct slot slots[SLOT_COUNT] = {
	{ .name = "A",
		.bootname = "system0",
		.device = (char *)(uintptr_t) "/nowhere/a" },
	{ .name = "B", .bootname = "system1", .device = (char *)(uintptr_t) "/dev/null" },
};

Test(slot, names_are_plain_words)
{
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
		{ "A", true },
		{ "root-a", true },
		{ "a.b_c-0", true },
		{ "", false },
		{ ".a", false },
		{ "-a", false },
		{ "a b", false },
		{ "a/b", false },
		{ "\303\244", false },
		{ "1234567890123456789012345678901", true },
		{ "12345678901234567890123456789012", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(slot_name_valid(cases[i].name), cases[i].valid, "\"%s\"",
			cases[i].name);
}

Test(slot, the_command_line_names_the_booted_one_by_its_bootname)
{
	static const struct {
		const char *cmdline;
		int index;
	} cases[] = {
		{ "", -1 },
		{ "root=/dev/sda1 quiet", -1 },
		{ "root=/dev/sda1 osupdate.slot=system1 quiet\n", 1 },
		{ "rauc.slot=system0", 0 },
		{ "osupdate.slot=system0 rauc.slot=system0", 0 },
		{ "xosupdate.slot=system0", -1 },
		{ "a osupdate.slot=system1", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = { 0 };
		int index = 7;

		cr_expect_eq(slot_by_cmdline(slots, cases[i].cmdline, &index, &e), 0,
			"%s", e.text);
		cr_expect_eq(index, cases[i].index, "\"%s\"", cases[i].cmdline);
	}
}

Test(slot, a_command_line_that_names_no_slot_or_two_is_refused)
{
	static const char *const cases[] = { "osupdate.slot=A",
		"osupdate.slot=", "osupdate.slot=system0 rauc.slot=system1",
		"osupdate.slot=system00" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = { 0 };
		int index = 7;

		cr_expect_eq(slot_by_cmdline(slots, cases[i], &index, &e), E_INPUT, "%s",
			cases[i]);
		cr_expect(strstr(e.text, "kernel command line"), "%s", e.text);
		cr_expect_eq(index, 7);
	}
}

Test(slot, a_device_that_is_missing_or_none_is_told_by_name)
{
	struct error e = { 0 };
	dev_t device;

	cr_assert_eq(slot_device(&slots[0], &device, &e), E_NOTFOUND);
	cr_assert(strstr(e.text, "/nowhere/a"), "%s", e.text);
	cr_assert_eq(slot_device(&slots[1], &device, &e), E_INPUT);
	cr_assert(strstr(e.text, "not a block device"), "%s", e.text);
}

Test(slot, two_names_of_one_device_are_refused, .init = scratch_enter,
	.fini = scratch_leave)
{
	static char a[] = "a";
	static char link[] = "link";
	static char node[] = "node";
	char *const names[] = { link, node };

	cr_assert_eq(mknod(a, S_IFBLK | 0600, makedev(7, 250)), 0);
	cr_assert_eq(mknod(node, S_IFBLK | 0600, makedev(7, 250)), 0);
	cr_assert_eq(symlink(a, link), 0);
	for (int i = 0; i < 2; i++) {
		const struct slot two[SLOT_COUNT] = {
			{ .name = "A", .bootname = "A", .device = a },
			{ .name = "B", .bootname = "B", .device = names[i] },
		};

		for (int target = 0; target < SLOT_COUNT; target++) {
			struct error e = { 0 };

			cr_expect_eq(slot_require_free(two, target, false, &e), E_INPUT);
			cr_expect(strstr(e.text, "the same device"), "%s", e.text);
		}
	}
}
