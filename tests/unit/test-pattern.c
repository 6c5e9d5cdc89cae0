/* SPDX-License-Identifier: MIT */
/* OpenSSH's pattern lists. */
#include <criterion/criterion.h>

#include "trust/pattern.h"

static const struct {
	const char *text;
	const char *list;
	bool match;
} cases[] = {
	{ "git", "git", true },
	{ "git", "", false },
	{ "", "", false },
	{ "", "*", true },
	{ "git", "gi", false },
	{ "git", "gitt", false },
	{ "git", "file,git", true },
	{ "git", "git,file", true },
	{ "git", ",git,", true },
	{ "git", "*", true },
	{ "git", "g*", true },
	{ "git", "*t", true },
	{ "git", "*x*", false },
	{ "git", "g**t", true },
	{ "git", "g?t", true },
	{ "git", "gi?t", false },
	{ "git", "git?", false },
	{ "aXbXc", "a*X*c", true },
	{ "aaab", "*a*ab", true },
	{ "git", "!git", false },
	{ "git", "!file", false },
	{ "git", "*,!git", false },
	{ "git", "!git,*", false },
	{ "git", "!file,*", true },
	{ "a,b", "a,b", false },
};

Test(pattern, lists_match_as_in_openssh)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(pattern_list_match(cases[i].text, cases[i].list),
			cases[i].match, "\"%s\" and \"%s\"", cases[i].text,
			cases[i].list);
}

Test(pattern, a_hostile_pattern_ends_soon, .timeout = 10)
{
	char text[4096];
	char list[4096];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof(list); i++)
		list[i] = i % 2 ? '*' : 'a';
	list[sizeof(list) - 2] = 'b';
	list[sizeof(list) - 1] = '\0';
	cr_assert_not(pattern_list_match(text, list));
}
