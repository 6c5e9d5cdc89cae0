/* SPDX-License-Identifier: MIT */
/* Still news?  By clocks that are right, wrong either way, or absent. */
#include <criterion/criterion.h>

#include "update/freshness.h"

#define Y1970 INT64_C(0)
#define Y2026 INT64_C(1767225600)
#define Y2027 INT64_C(1798761600)
#define Y2028 INT64_C(1830297600)
#define Y2099 INT64_C(4070908800)
#define EVER  INT64_MAX

static const struct {
	int64_t clock;
	int64_t floor;
	int64_t valid_until;
	uint64_t serial; /* the device has confirmed 5 */
	enum freshness want;
	const char *why;
} cases[] = {
	{ Y2027, Y2026, Y2028, 6, FRESH, "newer, and valid" },
	{ Y2027, Y2026, Y2028, 5, FRESH, "the one that runs, and valid" },
	{ Y2027, Y2026, Y2027, 5, FRESH, "the last second counts" },
	{ Y2027, Y2026, Y2027 - 1, 5, STALE, "one second later" },
	{ Y2028, Y2026, Y2027, 5, STALE, "nothing newer, over" },
	{ Y2028, Y2026, Y2027, 4, STALE, "something older, over" },
	{ Y2028, Y2026, Y2027, 6, LATE, "newer, over by the clock" },
	{ Y2028, Y2027, Y2027, 6, LATE, "newer, the floor is no proof yet" },
	{ Y2028, Y2027 + 1, Y2027, 6, STALE, "newer, but over for sure" },
	{ Y1970, Y2026, Y2028, 6, FRESH, "1970: newer, nothing speaks against it" },
	{ Y1970, Y2026, Y2028, 5, FRESH, "1970: what runs" },
	{ Y1970, Y2027, Y2026, 6, STALE, "1970: what is over for sure stays over" },
	{ Y1970, Y2027, Y2026, 5, STALE, "1970: nothing newer, over for sure" },
	{ INT64_MIN, Y2027, Y2026, 6, STALE, "no clock at all" },
	{ Y2099, Y2026, Y2028, 5, STALE, "2099: what runs is called stale" },
	{ Y2099, Y2026, Y2028, 6, LATE, "2099: something newer is taken" },
	{ Y2099, Y2026, EVER, 5, FRESH, "2099: without a limit" },
	{ INT64_MAX, INT64_MAX, EVER, 6, FRESH, "without a limit, at any time" },
	{ Y2027, Y2026, Y2028, UINT64_MAX, FRESH, "the highest serial" },
	{ Y2027, Y2026, 1, 6, STALE, "a limit before everything" },
};

Test(freshness, is_decided_by_what_is_known_of_time)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct known_time t = { cases[i].clock, cases[i].floor };

		cr_expect_eq(
			freshness_judge(&t, cases[i].valid_until, cases[i].serial, 5),
			cases[i].want, "%s", cases[i].why);
	}
}

/* However the clock is set: what is over for sure is not taken, and what is not and is
 * newer always is. */
Test(freshness, no_clock_revives_or_bricks)
{
	static const int64_t clocks[] = { INT64_MIN, Y1970, Y2026, Y2027, Y2028, Y2099,
		INT64_MAX };

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		const struct known_time t = { clocks[i], Y2027 };

		cr_expect_eq(freshness_judge(&t, Y2026, 6, 5), STALE);
		cr_expect_neq(freshness_judge(&t, Y2028, 6, 5), STALE);
		cr_expect_geq(freshness_now(&t), Y2027);
	}
}
