/* SPDX-License-Identifier: MIT */
/* What counts as getting somewhere: updater/store/pace.c. */
#include <criterion/criterion.h>

#include "store/pace.h"

/* `bytes` and `objects` more in every one of `seconds` seconds: is it too slow? */
static bool slow(uint64_t bytes, uint64_t objects, int seconds)
{
	struct pace p;
	bool found = false;

	pace_start(&p, 0, 0);
	for (int i = 1; i <= seconds; i++) {
		pace_progress(&p, bytes * (uint64_t)i, objects * (uint64_t)i);
		found |= pace_waited(&p, 1000);
	}
	return found;
}

Test(pace, a_byte_a_second_is_too_slow_after_ten_minutes)
{
	cr_assert(!slow(1, 0, 599));
	cr_assert(slow(1, 0, 600));
	cr_assert(slow(15, 0, 600));
}

Test(pace, the_slowest_links_and_disks_are_fast_enough)
{
	cr_assert(!slow(16, 0, 6000));
	cr_assert(!slow(0, 16, 6000));
}

Test(pace, a_pause_is_made_up_for_by_what_came_before)
{
	struct pace p;

	pace_start(&p, 0, 0);
	pace_came(&p, PACE_RATE_MIN * PACE_WINDOW_MS / 1000);
	cr_assert(!pace_waited(&p, PACE_WINDOW_MS));
	cr_assert(pace_waited(&p, PACE_WINDOW_MS), "but it counts once");
}

Test(pace, numbers_that_go_back_and_forth_count_forwards_only)
{
	struct pace p;

	pace_start(&p, 1000, 0);
	pace_progress(&p, 1000000, 0);
	(void)pace_waited(&p, 1000);
	pace_progress(&p, 10, 0);
	cr_assert(pace_waited(&p, 1000), "a new beginning is nothing by itself");
	pace_progress(&p, 1000, 0);
	cr_assert(!pace_waited(&p, 1000));
	pace_came(&p, UINT64_MAX);
	pace_came(&p, UINT64_MAX);
	cr_assert(!pace_waited(&p, 1000), "no number overflows");
}
