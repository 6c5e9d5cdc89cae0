/* SPDX-License-Identifier: MIT */
/*
 * The state machine's table: see machine.h, and doc/state-machine.md for the reasons
 * of each cell.  Every cell is written out; a missing one would be NONE/idle.
 */
#include "update/machine.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define NONE(next)                                                                       \
	{                                                                                \
		ACTION_NONE, PHASE_##next                                                \
	}
#define REFUSE(next)                                                                     \
	{                                                                                \
		ACTION_REFUSE, PHASE_##next                                              \
	}
#define ACT(action, next)                                                                \
	{                                                                                \
		ACTION_##action, PHASE_##next                                            \
	}

/* clang-format off */
static const struct transition table[PHASE_COUNT][EVENT_COUNT] = {
	[PHASE_IDLE] = {
		[EVENT_AT_TARGET]       = NONE(IDLE),
		[EVENT_ELSEWHERE]       = NONE(IDLE),
		[EVENT_ELSEWHERE_AGAIN] = NONE(IDLE),
		[EVENT_RETRY]           = ACT(ARM, ARMING),
		[EVENT_INSTALL]         = ACT(APPLY, APPLYING),
		[EVENT_SEALED]          = REFUSE(IDLE),
		[EVENT_ARMED]           = REFUSE(IDLE),
		[EVENT_CONFIRM]         = ACT(MARK_GOOD, IDLE),
		[EVENT_CONFIRMED]       = REFUSE(IDLE),
		[EVENT_ROLLBACK]        = ACT(SWITCH, ARMING),
	},
	[PHASE_APPLYING] = {
		[EVENT_AT_TARGET]       = NONE(APPLYING),
		[EVENT_ELSEWHERE]       = ACT(RESUME, APPLYING),
		[EVENT_ELSEWHERE_AGAIN] = ACT(RESUME, APPLYING),
		[EVENT_RETRY]           = REFUSE(APPLYING),
		[EVENT_INSTALL]         = ACT(APPLY, APPLYING),
		[EVENT_SEALED]          = ACT(ARM, ARMING),
		[EVENT_ARMED]           = REFUSE(APPLYING),
		[EVENT_CONFIRM]         = REFUSE(APPLYING),
		[EVENT_CONFIRMED]       = REFUSE(APPLYING),
		[EVENT_ROLLBACK]        = ACT(DISARM, IDLE),
	},
	[PHASE_ARMING] = {
		[EVENT_AT_TARGET]       = ACT(BEGIN_TRIAL, TRIAL),
		[EVENT_ELSEWHERE]       = ACT(ARM_AGAIN, ARMING),
		[EVENT_ELSEWHERE_AGAIN] = ACT(ARM_AGAIN, ARMING),
		[EVENT_RETRY]           = REFUSE(ARMING),
		[EVENT_INSTALL]         = ACT(APPLY, APPLYING),
		[EVENT_SEALED]          = REFUSE(ARMING),
		[EVENT_ARMED]           = NONE(ARMED),
		[EVENT_CONFIRM]         = REFUSE(ARMING),
		[EVENT_CONFIRMED]       = REFUSE(ARMING),
		[EVENT_ROLLBACK]        = ACT(DISARM, IDLE),
	},
	[PHASE_ARMED] = {
		[EVENT_AT_TARGET]       = ACT(BEGIN_TRIAL, TRIAL),
		[EVENT_ELSEWHERE]       = NONE(ARMED),
		[EVENT_ELSEWHERE_AGAIN] = ACT(FELL_BACK, IDLE),
		[EVENT_RETRY]           = REFUSE(ARMED),
		[EVENT_INSTALL]         = ACT(APPLY, APPLYING),
		[EVENT_SEALED]          = REFUSE(ARMED),
		[EVENT_ARMED]           = REFUSE(ARMED),
		[EVENT_CONFIRM]         = REFUSE(ARMED),
		[EVENT_CONFIRMED]       = REFUSE(ARMED),
		[EVENT_ROLLBACK]        = ACT(DISARM, IDLE),
	},
	[PHASE_TRIAL] = {
		[EVENT_AT_TARGET]       = NONE(TRIAL),
		[EVENT_ELSEWHERE]       = ACT(FELL_BACK, IDLE),
		[EVENT_ELSEWHERE_AGAIN] = ACT(FELL_BACK, IDLE),
		[EVENT_RETRY]           = REFUSE(TRIAL),
		[EVENT_INSTALL]         = REFUSE(TRIAL),
		[EVENT_SEALED]          = REFUSE(TRIAL),
		[EVENT_ARMED]           = REFUSE(TRIAL),
		[EVENT_CONFIRM]         = ACT(MARK_GOOD, CONFIRMING),
		[EVENT_CONFIRMED]       = REFUSE(TRIAL),
		[EVENT_ROLLBACK]        = ACT(END_TRIAL, IDLE),
	},
	[PHASE_CONFIRMING] = {
		[EVENT_AT_TARGET]       = ACT(MARK_GOOD, CONFIRMING),
		[EVENT_ELSEWHERE]       = ACT(FELL_BACK, IDLE),
		[EVENT_ELSEWHERE_AGAIN] = ACT(FELL_BACK, IDLE),
		[EVENT_RETRY]           = REFUSE(CONFIRMING),
		[EVENT_INSTALL]         = REFUSE(CONFIRMING),
		[EVENT_SEALED]          = REFUSE(CONFIRMING),
		[EVENT_ARMED]           = REFUSE(CONFIRMING),
		[EVENT_CONFIRM]         = ACT(MARK_GOOD, CONFIRMING),
		[EVENT_CONFIRMED]       = ACT(FINISH, IDLE),
		[EVENT_ROLLBACK]        = ACT(END_TRIAL, IDLE),
	},
};

static const char *const phases[PHASE_COUNT] = {
	[PHASE_IDLE]       = "idle",
	[PHASE_APPLYING]   = "applying",
	[PHASE_ARMING]     = "arming",
	[PHASE_ARMED]      = "armed",
	[PHASE_TRIAL]      = "trial",
	[PHASE_CONFIRMING] = "confirming",
};

static const char *const events[EVENT_COUNT] = {
	[EVENT_AT_TARGET]       = "at-target",
	[EVENT_ELSEWHERE]       = "elsewhere",
	[EVENT_ELSEWHERE_AGAIN] = "elsewhere-again",
	[EVENT_RETRY]           = "retry",
	[EVENT_INSTALL]         = "install",
	[EVENT_SEALED]          = "sealed",
	[EVENT_ARMED]           = "armed",
	[EVENT_CONFIRM]         = "confirm",
	[EVENT_CONFIRMED]       = "confirmed",
	[EVENT_ROLLBACK]        = "rollback",
};
/* clang-format on */

struct transition machine_step(enum phase phase, enum event event)
{
	assert((unsigned)phase < PHASE_COUNT && (unsigned)event < EVENT_COUNT);
	return table[phase][event];
}

const char *phase_name(enum phase phase)
{
	assert((unsigned)phase < PHASE_COUNT);
	return phases[phase];
}

enum phase phase_by_name(const char *name, unsigned long n)
{
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		if (strlen(phases[i]) == n && memcmp(phases[i], name, n) == 0)
			return (enum phase)i;
	return PHASE_COUNT;
}

const char *event_name(enum event event)
{
	assert((unsigned)event < EVENT_COUNT);
	return events[event];
}

const char *action_name(enum action action)
{
	switch (action) {
	case ACTION_NONE:
		return "none";
	case ACTION_REFUSE:
		return "refuse";
	case ACTION_APPLY:
		return "apply";
	case ACTION_RESUME:
		return "resume";
	case ACTION_ARM:
		return "arm";
	case ACTION_ARM_AGAIN:
		return "arm-again";
	case ACTION_BEGIN_TRIAL:
		return "begin-trial";
	case ACTION_FELL_BACK:
		return "fell-back";
	case ACTION_MARK_GOOD:
		return "mark-good";
	case ACTION_FINISH:
		return "finish";
	case ACTION_DISARM:
		return "disarm";
	case ACTION_END_TRIAL:
		return "end-trial";
	case ACTION_SWITCH:
		return "switch";
	}
	assert(false); /* not an enum action */
	return "";
}
