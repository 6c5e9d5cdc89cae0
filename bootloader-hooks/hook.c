/* SPDX-License-Identifier: MIT */
/* What all hooks share: see hook.h. */
#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/io.h"

#define CMDLINE_MAX 65536

static const struct verb {
	const char *name;
	int n_args;
	const char *state; /* set-state's second argument */
} verbs[] = {
	{ "get-current", 0, NULL },
	{ "get-primary", 0, NULL },
	{ "set-primary", 1, NULL },
	{ "get-state", 1, NULL },
	{ "set-state", 2, "good" },
	{ "set-state", 2, "bad" },
};

enum { GET_CURRENT, GET_PRIMARY, SET_PRIMARY, GET_STATE, SET_GOOD, SET_BAD, VERB_COUNT };

_Static_assert(sizeof(verbs) / sizeof(verbs[0]) == VERB_COUNT, "a name for each verb");

void hook_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(1);
}

void hook_answer(const char *text)
{
	if (printf("%s\n", text) < 0 || fflush(stdout) != 0)
		hook_die("stdout: %s", strerror(errno));
}

const char *hook_setting(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value && *value ? value : fallback;
}

/* The value of osupdate.slot= or rauc.slot= in `word`, NULL if it is neither. */
static const char *slot_of(const char *word)
{
	static const char *const keys[] = { "osupdate.slot=", "rauc.slot=" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strncmp(word, keys[i], strlen(keys[i])) == 0)
			return word + strlen(keys[i]);
	return NULL;
}

static void get_current(const struct loader *loader)
{
	const char *found = NULL;
	autobuf text = { 0 };
	struct error e;

	if (io_read_file_at(AT_FDCWD, "/proc/cmdline", CMDLINE_MAX, &text, &e) < 0)
		hook_die("%s", e.text);
	for (char *word = text.data; word && *word;) {
		char *next = word + strcspn(word, " \t\n");
		const char *value;

		if (*next)
			*next++ = '\0';
		value = slot_of(word);
		if (value && found && strcmp(value, found) != 0)
			hook_die(
				"/proc/cmdline names two slots: %s and %s", found, value);
		found = value ? value : found;
		word = next;
	}
	if (!found)
		hook_die("/proc/cmdline has no osupdate.slot= (nor rauc.slot=): the boot "
			 "loader must pass it");
	if (!loader->name_valid(found))
		hook_die("/proc/cmdline: osupdate.slot=%s is no boot name", found);
	hook_answer(found);
}

static int run(const struct loader *loader, int verb, const char *name)
{
	switch (verb) {
	case GET_CURRENT:
		get_current(loader);
		break;
	case GET_PRIMARY:
		loader->get_primary();
		break;
	case SET_PRIMARY:
		loader->set_primary(name);
		break;
	case GET_STATE:
		hook_answer(loader->is_good(name) ? "good" : "bad");
		break;
	case SET_GOOD:
		loader->set_good(name);
		break;
	case SET_BAD:
		loader->set_bad(name);
		break;
	}
	return 0;
}

int hook_main(const struct loader *loader, int argc, char **argv)
{
	const char *name = argc > 2 ? argv[2] : NULL;

	for (int i = 0; argc > 1 && i < VERB_COUNT; i++) {
		const struct verb *verb = &verbs[i];

		if (strcmp(verb->name, argv[1]) != 0 || verb->n_args != argc - 2 ||
			(verb->state && strcmp(verb->state, argv[3]) != 0))
			continue;
		if (name && !loader->name_valid(name))
			hook_die(
				"\"%s\" cannot be a boot name here: %s; set bootname= in "
				"[slot]",
				name, loader->name_rule);
		return run(loader, i, name);
	}
	hook_die("usage: %s get-current | get-primary | set-primary NAME | get-state "
		 "NAME | "
		 "set-state NAME good|bad",
		argv[0]);
}
