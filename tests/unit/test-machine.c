/* SPDX-License-Identifier: MIT */
/*
 * The state machine, against a table of its own, written from the design and not from
 * the code: every phase with every event.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "update/machine.h"

/* "phase event action next"; what is not named here is refused and stays. */
static const char *const expected[] = {
	"idle at-target none idle",
	"idle elsewhere none idle",
	"idle elsewhere-again none idle",
	"idle retry arm arming",
	"idle install apply applying",
	"idle confirm mark-good idle",
	"idle rollback switch arming",

	/* Killed while writing: the target is dirty and bad, nothing boots it. */
	"applying at-target none applying",
	"applying elsewhere resume applying",
	"applying elsewhere-again resume applying",
	"applying install apply applying",
	"applying sealed arm arming",
	"applying rollback disarm idle",

	/* Killed while arming: perhaps it was armed, and perhaps it booted. */
	"arming at-target begin-trial trial",
	"arming elsewhere arm-again arming",
	"arming elsewhere-again arm-again arming",
	"arming install apply applying",
	"arming armed none armed",
	"arming rollback disarm idle",

	"armed at-target begin-trial trial",
	"armed elsewhere none armed",
	"armed elsewhere-again fell-back idle",
	"armed install apply applying",
	"armed rollback disarm idle",

	"trial at-target none trial",
	"trial elsewhere fell-back idle",
	"trial elsewhere-again fell-back idle",
	"trial confirm mark-good confirming",
	"trial rollback end-trial idle",

	"confirming at-target mark-good confirming",
	"confirming elsewhere fell-back idle",
	"confirming elsewhere-again fell-back idle",
	"confirming confirm mark-good confirming",
	"confirming confirmed finish idle",
	"confirming rollback end-trial idle",
};

static const char *find(const char *phase, const char *event, char *text, size_t size)
{
	size_t n = (size_t)snprintf(text, size, "%s %s ", phase, event);

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if (strncmp(expected[i], text, n) == 0)
			return expected[i];
	(void)snprintf(text, size, "%s %s refuse %s", phase, event, phase);
	return text;
}

Test(machine, every_phase_answers_every_event_as_designed)
{
	for (int p = 0; p < PHASE_COUNT; p++)
		for (int v = 0; v < EVENT_COUNT; v++) {
			struct transition t = machine_step((enum phase)p, (enum event)v);
			const char *phase = phase_name((enum phase)p);
			const char *event = event_name((enum event)v);
			char wanted[128];
			char found[128];

			(void)snprintf(found, sizeof(found), "%s %s %s %s", phase, event,
				action_name(t.action), phase_name(t.next));
			cr_expect_str_eq(
				found, find(phase, event, wanted, sizeof(wanted)));
		}
}

Test(machine, a_refusal_changes_no_phase)
{
	for (int p = 0; p < PHASE_COUNT; p++)
		for (int v = 0; v < EVENT_COUNT; v++) {
			struct transition t = machine_step((enum phase)p, (enum event)v);

			if (t.action == ACTION_REFUSE)
				cr_expect_eq((int)t.next, p);
		}
}

Test(machine, nothing_is_installed_during_a_trial)
{
	cr_assert_eq(machine_step(PHASE_TRIAL, EVENT_INSTALL).action, ACTION_REFUSE);
	cr_assert_eq(machine_step(PHASE_CONFIRMING, EVENT_INSTALL).action, ACTION_REFUSE);
}

Test(machine, from_every_phase_a_person_gets_back_to_idle)
{
	for (int p = 0; p < PHASE_COUNT; p++)
		cr_expect(machine_step((enum phase)p, EVENT_ROLLBACK).action !=
			  ACTION_REFUSE);
}

Test(machine, phases_are_known_by_name)
{
	for (int p = 0; p < PHASE_COUNT; p++) {
		const char *name = phase_name((enum phase)p);

		cr_expect_eq((int)phase_by_name(name, strlen(name)), p);
		cr_expect_eq(phase_by_name(name, strlen(name) - 1), PHASE_COUNT);
	}
	cr_assert_eq(phase_by_name("nonsense", 8), PHASE_COUNT);
}
