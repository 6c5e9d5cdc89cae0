/* SPDX-License-Identifier: MIT */
/* A store in doubt is told so once for each release. */
#include "scratch.h"
#include "update/doubt.h"

static int dir = -1;

static void enter(void)
{
	scratch_enter();
	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void leave(void)
{
	cleanup_fd(&dir);
	scratch_leave();
}

TestSuite(doubt, .init = enter, .fini = leave);

Test(doubt, is_told_once_for_each_release)
{
	const struct digest one = { .b = { 1 } };
	const struct digest other = { .b = { 2 } };

	cr_assert(!doubt_is_new(dir));
	doubt_told(dir);
	cr_assert(!doubt_is_new(dir));
	doubt_note(dir, &one);
	cr_assert(doubt_is_new(dir));
	doubt_note(dir, &one);
	cr_assert(doubt_is_new(dir));
	doubt_told(dir);
	cr_assert(!doubt_is_new(dir));
	doubt_note(dir, &one);
	cr_assert(!doubt_is_new(dir));
	doubt_note(dir, &other);
	cr_assert(doubt_is_new(dir));
}

Test(doubt, ends_when_what_comes_is_right)
{
	const struct digest one = { .b = { 1 } };

	doubt_note(dir, &one);
	doubt_told(dir);
	doubt_clear(dir);
	doubt_clear(dir);
	doubt_note(dir, &one);
	cr_assert(doubt_is_new(dir));
}

Test(doubt, takes_no_nonsense_for_a_note)
{
	static const char *const texts[] = {
		"", "new\n",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000 odd\n",
		"01000000000000000000000000000000000000000000000000000000000000zz new\n"
	};
	const struct digest one = { .b = { 1 } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		scratch_put("doubt", bytes_of(texts[i]));
		cr_expect(!doubt_is_new(dir), "%s", texts[i]);
		doubt_note(dir, &one);
		cr_expect(doubt_is_new(dir), "%s", texts[i]);
	}
}
