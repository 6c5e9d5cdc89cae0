/* SPDX-License-Identifier: MIT */
/* Pattern lists: see pattern.h.  As match_pattern_list() of openssh's match.c. */
#include "trust/pattern.h"

#include <string.h>

/* Iterative with one point of return, so that no pattern costs more than |s| * |p|. */
static bool match_one(const char *s, const char *p, size_t n)
{
	const char *end = p + n;
	const char *star = NULL;
	const char *from = NULL;

	while (*s) {
		if (p < end && *p == '*') {
			star = ++p;
			from = s;
		} else if (p < end && (*p == '?' || *p == *s)) {
			p++;
			s++;
		} else if (star) {
			p = star;
			s = ++from;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

bool pattern_list_match(const char *s, const char *list)
{
	bool matched = false;

	while (*list) {
		bool negated = *list == '!';
		size_t n;

		list += negated ? 1 : 0;
		n = strcspn(list, ",");
		if (match_one(s, list, n)) {
			if (negated)
				return false;
			matched = true;
		}
		list += n;
		list += *list == ',' ? 1 : 0;
	}
	return matched;
}
