/* SPDX-License-Identifier: MIT */
/* Arrays in unlinked files. */
#include "base/spool.h"
#include "scratch.h"

TestSuite(spool, .init = scratch_enter, .fini = scratch_leave);

Test(spool, keeps_what_is_in_it_while_it_grows_and_begins_with_zeros)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autospool s = { 0 };
	struct error e = { 0 };

	for (size_t i = 0; i < 100000; i++) {
		uint64_t *all;

		cr_assert_eq(spool_grow(&s, dir, i, sizeof(*all), &e), 0, "%s", e.text);
		all = s.data;
		cr_assert_eq(all[i], 0);
		all[i] = i + 1;
	}
	for (size_t i = 0; i < 100000; i++)
		cr_assert_eq(((uint64_t *)s.data)[i], i + 1);
}

Test(spool, leaves_no_file)
{
	const char *const argv[] = { "ls", "-A", NULL };
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autobuf out = { 0 };
	struct spool s = { 0 };

	cr_assert_eq(spool_reserve(&s, dir, 1 << 20, NULL), 0);
	cr_assert_eq(scratch_run(argv, NULL, &out), 0);
	cr_assert_eq(out.size, 0);
	spool_release(&s);
	spool_release(&s);
}

Test(spool, refuses_what_no_file_can_hold)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autospool s = { 0 };
	struct error e = { 0 };

	cr_assert_eq(spool_grow(&s, dir, SIZE_MAX, 8, &e), E_INPUT);
	cr_assert_eq(spool_grow(&s, dir, SIZE_MAX / 8, 8, &e), E_INPUT);
	cr_assert_lt(spool_reserve(&s, dir, (size_t)1 << 60, &e), 0);
	cr_assert_null(s.data);
}
