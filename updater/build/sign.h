/* SPDX-License-Identifier: MIT */
/*
 * SSH signatures, made by `ssh-keygen -Y sign` so that agents, tokens and HSMs work,
 * and checked at once by the code a device checks with.
 */
#ifndef BUILD_SIGN_H
#define BUILD_SIGN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* Is `key` a file that can be read?  Before hours of work, not after. */
int sign_check_key(const char *key, struct error *e);

/* Does the public half say that a token signs, which waits to be touched? */
bool sign_wants_touch(const char *key);

/*
 * Append the armor (without a newline at its end) over `payload` in namespace git.
 * `key`: a private key, or a public one whose other half an agent has.  ssh-keygen may
 * ask for a passphrase on the terminal.
 * Errors: E_SYSTEM with what ssh-keygen said; E_INPUT a kind of key no device takes.
 */
int sign_payload(
	const char *key, struct bytes payload, struct buf *ret_armor, struct error *e);

#endif
