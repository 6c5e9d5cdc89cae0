/* SPDX-License-Identifier: MIT */
/*
 * Is what the channel offers still news?  The device's clock is not believed: it may say
 * 1970 or 2099.  What it knows for sure is that it is not earlier than the newest
 * confirmed release and this program: the floor of known time.
 * Pure.  doc/decisions/0010-time-without-a-clock.md.
 */
#ifndef UPDATE_FRESHNESS_H
#define UPDATE_FRESHNESS_H

#include <stdint.h>

/* Seconds since 1970. */
struct known_time {
	int64_t clock; /* may be wrong either way */
	int64_t floor; /* it is this late at least */
};

enum freshness {
	FRESH, /* or without a limit */
	LATE,  /* over by the clock alone, but newer than what runs: taken, and told */
	STALE, /* expired news: nothing newer, or over for sure; not taken */
};

/* max(clock, floor) */
int64_t freshness_now(const struct known_time *t);

/*
 * The newest release of the channel, `serial`, is valid until `valid_until` (inclusive;
 * INT64_MAX: for ever).  `floor` is the highest serial ever confirmed here.
 */
enum freshness freshness_judge(
	const struct known_time *t, int64_t valid_until, uint64_t serial, uint64_t floor);

#endif
