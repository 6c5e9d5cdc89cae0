/* SPDX-License-Identifier: MIT */
/*
 * What all hooks share: the verbs, the command line, answers and reasons.  A hook fills
 * in a struct loader and calls hook_main.  Protocol: README.md.
 */
#ifndef BOOTLOADER_HOOKS_HOOK_H
#define BOOTLOADER_HOOKS_HOOK_H

#include <stdbool.h>

/* Each function returns only when it has done its work, durably; else it calls hook_die.
 */
struct loader {
	bool (*name_valid)(const char *name);
	const char *name_rule;	   /* what a boot name may be, in words */
	void (*get_primary)(void); /* calls hook_answer */
	void (*set_primary)(const char *name);
	bool (*is_good)(const char *name);
	void (*set_good)(const char *name);
	void (*set_bad)(const char *name);
};

/* The process's exit code. */
int hook_main(const struct loader *loader, int argc, char **argv);

/* The reason, one line for standard error, and exit 1. */
void hook_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* The answer, one line for standard output. */
void hook_answer(const char *text);
/* The environment variable's value; `fallback` when it is unset or empty. */
const char *hook_setting(const char *name, const char *fallback);

#endif
