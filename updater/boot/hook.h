/* SPDX-License-Identifier: MIT */
/*
 * Run a boot loader hook: an executable with RAUC's custom-backend verbs.  It must
 * belong to root and not be writable by others.  Protocol: bootloader-hooks/README.md.
 */
#ifndef BOOT_HOOK_H
#define BOOT_HOOK_H

#include <stdbool.h>

#include "base/error.h"
#include "slot/slot.h"

#define HOOK_STDOUT_MAX 256 /* bytes */

enum boot_state { BOOT_GOOD, BOOT_BAD };

struct hook {
	char *path; /* absolute */
	char **env; /* NULL-terminated "OSUPDATE_GRUBENV=/boot/grub/grubenv", … */
	int timeout_ms;
};

/* About the slot a verb is for; any field but `slot` may be NULL. */
struct hook_subject {
	const struct slot *slot;
	const char *root;   /* a path that leads to its root directory, read-only */
	const char *commit; /* 40 hex */
	const char *version;
	const char *arguments; /* what its release adds to the kernel's command line */
};

/* May a hook be given this key of [boot]?  [a-z][a-z0-9-]*, not one of osupdate's own. */
bool hook_key_valid(const char *key);

/*
 * `name` is an absolute path, or the name of a file in `hooks_dir`.  `keys` are the
 * [boot] section's own keys and values, NULL-terminated pairs.
 * Errors: E_NOTFOUND, E_UNTRUSTED (owner or mode of the file or its directory),
 * E_INPUT (a key that is not hook_key_valid), with what to do.
 */
int hook_open(const char *hooks_dir, const char *name, const char *const *keys,
	int timeout_ms, struct hook *ret, struct error *e);
void hook_release(struct hook *h);

/*
 * Each returns when the hook has ended.  On error *ret is unchanged.
 * Errors of all: E_SYSTEM with the hook's first line of stderr, its exit code or
 * timeout (sys = ETIMEDOUT), or an answer outside the protocol.
 */
int hook_get_current(const struct hook *h, char ret[SLOT_NAME_MAX + 1], struct error *e);
int hook_get_primary(const struct hook *h, char ret[SLOT_NAME_MAX + 1], struct error *e);
int hook_set_primary(const struct hook *h, const struct hook_subject *s, struct error *e);
int hook_get_state(const struct hook *h, const struct hook_subject *s,
	enum boot_state *ret, struct error *e);
int hook_set_state(const struct hook *h, const struct hook_subject *s,
	enum boot_state state, struct error *e);

#endif
