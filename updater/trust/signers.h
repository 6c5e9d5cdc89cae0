/* SPDX-License-Identifier: MIT */
/*
 * Who may sign: OpenSSH's allowed_signers format (ssh-keygen(1), ALLOWED SIGNERS),
 * with the options namespaces, valid-after and valid-before; cert-authority and
 * every other option are refused aloud.  Revoked keys: one public key a line.
 * A line "# osupdate: threshold N" (a comment to ssh-keygen) sets the threshold.
 */
#ifndef TRUST_SIGNERS_H
#define TRUST_SIGNERS_H

#include "trust/sshsig.h"

#define SIGNERS_FILE_MAX 1048576 /* bytes */
#define SIGNERS_MAX	 1024	 /* lines with a key */

struct signers;

/*
 * Parse; `name` is for messages ("…/allowed_signers:3: cert-authority is not
 * supported").  An empty file is refused.  Lines with key types that cannot sign
 * releases (rsa, ecdsa) are refused with their line number.  Errors: E_INPUT.
 */
int signers_parse(
	const char *name, struct bytes text, struct signers **ret, struct error *e);
void signers_free(struct signers *s);
static inline void signers_cleanup(struct signers **s)
{
	signers_free(*s);
}
#define autosigners CLEANUP(signers_cleanup) struct signers *

/* Add revoked keys (lines "ssh-ed25519 AAAA… [comment]"); they can only grow. */
int signers_revoke(
	struct signers *s, const char *name, struct bytes text, struct error *e);

/* How many distinct keys and principals must sign; 1 unless the file says more. */
unsigned signers_threshold(const struct signers *s);

/*
 * Is `key` listed and not revoked?  To be asked before anything the key signed is
 * read.  Errors: E_UNTRUSTED naming the key.
 */
int signers_know(const struct signers *s, const struct sshkey *key, struct error *e);

/* Is the key with this fingerprint revoked? */
bool signers_revoked(const struct signers *s, const char *fingerprint);

/*
 * May `key` sign in `name_space` at `time` (seconds since 1970)?  *ret_principal is
 * borrowed from `s`.  Errors: E_UNTRUSTED with the reason (unknown, revoked, not yet
 * or no longer valid, not for this namespace).
 */
int signers_allow(const struct signers *s, const struct sshkey *key,
	const char *name_space, int64_t time, const char **ret_principal,
	struct error *e);

#endif
