/* SPDX-License-Identifier: MIT */
/* What a device takes: product, channel, denials, floor, time. */
#include <criterion/criterion.h>

#include "update/policy.h"

static struct config config = { .product = (char *)(uintptr_t) "kiosk",
	.channel = (char *)(uintptr_t) "stable" };

static struct release_info release(uint64_t serial)
{
	struct release_info r = { .product = "kiosk",
		.version = "v",
		.serial = serial,
		.time = 1000,
		.valid_until = INT64_MAX };

	r.identity.b[0] = (unsigned char)serial;
	return r;
}

static int judge(
	const struct state *st, const struct release_info *r, bool asked, struct error *e)
{
	const struct known_time now = { .clock = 5000, .floor = 3000 };

	return policy_judge(&config, st, r, &now, asked, e);
}

static void deny(struct state *st, uint64_t serial)
{
	struct release_ref ref = { .serial = serial, .version = "v" };

	ref.identity.b[0] = (unsigned char)serial;
	state_deny(st, &ref, "it hung");
}

Test(policy, takes_the_next_serial)
{
	struct state st = { .floor = 4, .floor_time = 1000 };
	struct release_info r = release(5);

	cr_assert_eq(judge(&st, &r, false, NULL), 0);
}

Test(policy, refuses_another_product_whoever_asks)
{
	struct state st = { 0 };
	struct release_info r = release(5);
	struct error e;

	(void)snprintf(r.product, sizeof(r.product), "router");
	cr_assert_eq(judge(&st, &r, false, &e), E_UNTRUSTED);
	cr_assert_eq(judge(&st, &r, true, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "router"));
	cr_assert(strstr(e.text, "kiosk"));
}

Test(policy, holds_a_release_to_its_channels)
{
	struct state st = { 0 };
	struct release_info r = release(5);
	struct error e;

	r.n_channels = 1;
	(void)snprintf(r.channels[0], sizeof(r.channels[0]), "beta");
	cr_assert_eq(judge(&st, &r, true, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "stable"));
	r.n_channels = 2;
	(void)snprintf(r.channels[1], sizeof(r.channels[1]), "stable");
	cr_assert_eq(judge(&st, &r, false, &e), 0);
}

Test(policy, refuses_a_serial_at_or_below_the_floor_unless_a_person_asks)
{
	struct state st = { .floor = 5 };
	struct error e;

	for (uint64_t serial = 4; serial <= 5; serial++) {
		struct release_info r = release(serial);

		cr_assert_eq(judge(&st, &r, false, &e), E_UNTRUSTED);
		cr_assert(strstr(e.text, "serial"));
		cr_assert_eq(judge(&st, &r, true, &e), 0);
	}
}

Test(policy, refuses_a_denied_release_and_gives_the_reason)
{
	struct state st = { .floor = 4 };
	struct release_info r = release(5);
	struct error e;

	deny(&st, 5);
	cr_assert_eq(judge(&st, &r, false, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "it hung"));
	cr_assert_eq(judge(&st, &r, true, &e), 0);
	state_release(&st);
}

Test(policy, takes_only_a_higher_serial_after_a_denial)
{
	struct state st = { .floor = 4 };
	struct release_info same = release(6);
	struct release_info next = release(7);
	struct error e;

	deny(&st, 6);
	same.identity.b[1] = 1; /* another release that claims the same serial */
	cr_assert_eq(judge(&st, &same, false, &e), E_UNTRUSTED);
	cr_assert_eq(judge(&st, &next, false, &e), 0);
	state_release(&st);
}

Test(policy, refuses_a_commit_time_before_the_confirmed_one)
{
	struct state st = { .floor = 4, .floor_time = 1001 };
	struct release_info r = release(5);
	struct error e;

	cr_assert_eq(judge(&st, &r, false, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "before"));
	cr_assert_eq(judge(&st, &r, true, &e), 0);
}

Test(policy, refuses_what_is_over_for_sure_as_stale_unless_a_person_asks)
{
	struct state st = { .floor = 4 };
	struct release_info r = release(5);
	struct error e;

	r.valid_until = 2999;
	cr_assert_eq(judge(&st, &r, false, &e), E_STALE);
	cr_assert(strstr(e.text, "1970-01-01T00:49:59Z"), "%s", e.text);
	cr_assert_eq(judge(&st, &r, true, &e), 0);
	r.valid_until = 3000; /* over by the clock alone */
	cr_assert_eq(judge(&st, &r, false, &e), 0);
}

Test(policy, an_expired_release_that_is_refused_anyway_is_no_news)
{
	struct state st = { .floor = 5 };
	struct release_info r = release(5);

	r.valid_until = 2999;
	cr_assert_eq(judge(&st, &r, false, NULL), E_UNTRUSTED);
	st.floor = 4;
	(void)snprintf(r.product, sizeof(r.product), "router");
	cr_assert_eq(judge(&st, &r, false, NULL), E_UNTRUSTED);
}
