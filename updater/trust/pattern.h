/* SPDX-License-Identifier: MIT */
/* OpenSSH's pattern lists (ssh_config(5), PATTERNS). */
#ifndef TRUST_PATTERN_H
#define TRUST_PATTERN_H

#include <stdbool.h>

/*
 * Does `s` match `list`, patterns with `*` and `?` between commas?  A matching
 * "!pattern" wins over everything.
 */
bool pattern_list_match(const char *s, const char *list);

#endif
