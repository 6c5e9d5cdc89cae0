/* SPDX-License-Identifier: MIT */
/* A store in doubt is told so once for each release. */
#include <sys/stat.h>
#include <time.h>

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

static bool is_about(const char *what)
{
	const char *about = doubt_about(dir);

	return about && what ? strcmp(about, what) == 0 : about == what;
}

Test(doubt, is_told_once_for_each_release)
{
	const struct digest one = { .b = { 1 } };
	const struct digest other = { .b = { 2 } };

	cr_assert(is_about(NULL));
	doubt_told(dir);
	cr_assert(is_about(NULL));
	doubt_note(dir, &one);
	cr_assert(is_about("all"));
	doubt_note(dir, &one);
	cr_assert(is_about("all"));
	doubt_told(dir);
	cr_assert(is_about(NULL));
	doubt_note(dir, &one);
	cr_assert(is_about("streams"), "what streams left goes each time");
	doubt_told(dir);
	cr_assert(is_about(NULL));
	doubt_note(dir, &other);
	cr_assert(is_about("all"));
}

/* As if it had been written so many seconds before. */
static void age(time_t seconds)
{
	const time_t when = time(NULL) - seconds;
	const struct timespec times[] = { { .tv_sec = when }, { .tv_sec = when } };

	cr_assert_eq(utimensat(dir, "doubt", times, 0), 0);
}

Test(doubt, of_signatures_is_about_streams)
{
	const struct digest one = { .b = { 1 } };

	doubt_signatures(dir, bytes_of("a commit"));
	cr_assert(is_about("streams"));
	doubt_note(dir, &one);
	cr_assert(is_about("all"));
	doubt_signatures(dir, bytes_of("a commit"));
	cr_assert(is_about("all"));
	doubt_told(dir);
	doubt_signatures(dir, bytes_of("another"));
	cr_assert(is_about("streams"));
}

Test(doubt, of_signatures_comes_once_a_day_for_a_commit)
{
	doubt_signatures(dir, bytes_of("a commit"));
	doubt_told(dir);
	doubt_signatures(dir, bytes_of("a commit"));
	cr_assert(is_about(NULL));
	doubt_signatures(dir, bytes_of("another"));
	cr_assert(is_about("streams"));
	doubt_told(dir);
	age(86300);
	doubt_signatures(dir, bytes_of("another"));
	cr_assert(is_about(NULL));
	age(86500);
	doubt_signatures(dir, bytes_of("another"));
	cr_assert(is_about("streams"));
	doubt_told(dir);
	age(-100);
	doubt_signatures(dir, bytes_of("another"));
	cr_assert(is_about("streams"), "the clock went back since");
}

Test(doubt, of_one_kind_does_not_forget_the_other)
{
	const struct digest one = { .b = { 1 } };

	doubt_note(dir, &one);
	doubt_told(dir);
	doubt_signatures(dir, bytes_of("a commit"));
	doubt_told(dir);
	doubt_note(dir, &one);
	cr_assert(is_about("streams"), "all of it was told of that release");
	doubt_told(dir);
	doubt_signatures(dir, bytes_of("a commit"));
	cr_assert(is_about(NULL), "and of that commit today");
}

Test(doubt, is_of_errors_that_say_so)
{
	const struct digest one = { .b = { 1 } };
	struct error e;
	int r = err_set(&e, E_REMOTE, "the network");

	cr_assert_eq(doubt_error(dir, &one, r, &e), E_REMOTE);
	cr_assert(is_about(NULL));
	r = err_unsigned(&e, err_set(&e, E_REMOTE, "other contents"));
	cr_assert_eq(doubt_error(dir, &one, r, &e), E_REMOTE);
	cr_assert(is_about("all"));
}

Test(doubt, ends_when_what_comes_is_right)
{
	const struct digest one = { .b = { 1 } };

	doubt_note(dir, &one);
	doubt_told(dir);
	doubt_clear(dir);
	doubt_clear(dir);
	doubt_note(dir, &one);
	cr_assert(is_about("all"));
}

Test(doubt, takes_no_nonsense_for_a_note)
{
#define ONE "0100000000000000000000000000000000000000000000000000000000000000"
	static const char *const texts[] = { "", "all\n", ONE, ONE " " ONE, ONE " all\n",
		ONE " " ONE " odd\n", ONE " " ONE " all", ONE " " ONE "all\n",
		ONE " zz00000000000000000000000000000000000000000000000000000000000000 "
		    "all\n" };
	const struct digest one = { .b = { 1 } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		scratch_put("doubt", bytes_of(texts[i]));
		cr_expect(is_about(NULL), "%s", texts[i]);
		doubt_note(dir, &one);
		cr_expect(is_about("all"), "%s", texts[i]);
	}
}
