/* SPDX-License-Identifier: MIT */
/* Still news?  See freshness.h. */
#include "update/freshness.h"

int64_t freshness_now(const struct known_time *t)
{
	return t->clock > t->floor ? t->clock : t->floor;
}

enum freshness freshness_judge(
	const struct known_time *t, int64_t valid_until, uint64_t serial, uint64_t floor)
{
	if (freshness_now(t) <= valid_until)
		return FRESH;
	return serial > floor && t->floor <= valid_until ? LATE : STALE;
}
