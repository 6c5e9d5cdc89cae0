/* SPDX-License-Identifier: MIT */
/* Errors: classes of reaction, causes in the text, exit codes as an API. */
#include <criterion/criterion.h>
#include <errno.h>

#include "base/error.h"

Test(error, carries_code_and_text)
{
	struct error e;

	cr_assert_eq(err_set(&e, E_UNTRUSTED, "release %d", 7), E_UNTRUSTED);
	cr_assert_eq(e.code, E_UNTRUSTED);
	cr_assert_eq(e.sys, 0);
	cr_assert_str_eq(e.text, "release 7");
}

Test(error, sorts_errno_by_what_can_be_done)
{
	static const struct {
		int sys;
		int code;
	} cases[] = { { ENOSPC, E_SPACE }, { EDQUOT, E_SPACE }, { ENOENT, E_NOTFOUND },
		{ EIO, E_SYSTEM }, { EACCES, E_SYSTEM } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e;

		errno = cases[i].sys;
		cr_expect_eq(err_sys(&e, "open %s", "x"), cases[i].code);
		cr_expect_eq(e.sys, cases[i].sys);
		cr_expect(strstr(e.text, "open x: "), "%s", e.text);
		cr_expect(strstr(e.text, strerror(cases[i].sys)), "%s", e.text);
	}
}

Test(error, grows_context_on_its_way_up)
{
	struct error e;

	(void)err_set(&e, E_SYSTEM, "write");
	cr_assert_eq(err_prefix(&e, E_SYSTEM, "slot %s", "B"), E_SYSTEM);
	cr_assert_str_eq(e.text, "slot B: write");
}

Test(error, a_text_that_is_too_long_is_cut_not_lost)
{
	static char longer[3000];
	struct error e;

	memset(longer, 'x', sizeof(longer) - 1);
	(void)err_set(&e, E_SYSTEM, "%s", longer);
	(void)err_prefix(&e, E_SYSTEM, "first");
	cr_assert_eq(strncmp(e.text, "first: xxx", 10), 0);
	cr_assert_lt(strlen(e.text), sizeof(e.text));
}

Test(error, may_be_left_out)
{
	errno = EIO;
	cr_assert_eq(err_set(NULL, E_BUSY, "x"), E_BUSY);
	cr_assert_eq(err_sys(NULL, "x"), E_SYSTEM);
	cr_assert_eq(err_prefix(NULL, E_BUSY, "x"), E_BUSY);
}

Test(error, exit_codes_are_those_of_the_manual)
{
	static const struct {
		int r;
		int code;
	} cases[] = { { 0, 0 }, { E_SYSTEM, 1 }, { E_INPUT, 1 }, { E_NOTFOUND, 1 },
		{ E_SPACE, 1 }, { E_REMOTE, 1 }, { E_INTERRUPTED, 1 }, { E_NOTHING, 2 },
		{ E_UNTRUSTED, 3 }, { E_BUSY, 4 }, { E_STALE, 5 }, { E_USAGE, 64 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(err_exit_code(cases[i].r), cases[i].code, "%d", cases[i].r);
}
