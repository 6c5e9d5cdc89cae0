/* SPDX-License-Identifier: MIT */
/* See pace.h. */
#include "store/pace.h"

void pace_start(struct pace *p, int window_ms, int64_t total_ms)
{
	*p = (struct pace){
		.window_ms = window_ms ? window_ms : PACE_WINDOW_MS,
		.total_ms = total_ms ? total_ms : PACE_TOTAL_MS,
	};
}

void pace_came(struct pace *p, uint64_t n)
{
	if (__builtin_add_overflow(p->came, n, &p->came))
		p->came = UINT64_MAX;
}

void pace_progress(struct pace *p, uint64_t bytes, uint64_t objects)
{
	uint64_t now[2] = { bytes, objects };

	for (int i = 0; i < 2; i++) {
		pace_came(p, now[i] > p->seen[i] ? now[i] - p->seen[i] : 0);
		p->seen[i] = now[i];
	}
}

bool pace_waited(struct pace *p, int64_t ms)
{
	bool slow;

	p->waited_ms += ms;
	if (p->waited_ms < p->window_ms)
		return false;
	slow = p->came < (uint64_t)p->waited_ms * PACE_RATE_MIN / 1000;
	p->waited_ms = 0;
	p->came = 0;
	return slow;
}
