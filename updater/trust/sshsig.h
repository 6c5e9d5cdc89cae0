/* SPDX-License-Identifier: MIT */
/*
 * SSH signatures (SSHSIG), verified with libsodium alone.  The key inside a
 * signature proves nothing: the caller compares it with keys it trusts.
 * Formats: openssh PROTOCOL.sshsig, PROTOCOL.u2f (sk keys), RFC 8709 (ed25519).
 */
#ifndef TRUST_SSHSIG_H
#define TRUST_SSHSIG_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/error.h"

#define SSHKEY_APPLICATION_MAX 255

enum sshkey_type { SSHKEY_ED25519, SSHKEY_SK_ED25519 };

/* A public key; compared as a whole, application included. */
struct sshkey {
	enum sshkey_type type;
	unsigned char ed25519[32];
	char application[SSHKEY_APPLICATION_MAX + 1]; /* sk keys: "ssh:..."; else "" */
};

/* From the wire form (string type, ...); E_INPUT for other types or junk. */
int sshkey_parse(struct bytes wire, struct sshkey *ret, struct error *e);
/* From "ssh-ed25519 AAAA..." : type word and base64 word. */
int sshkey_parse_words(
	const char *type, struct bytes base64, struct sshkey *ret, struct error *e);
bool sshkey_equal(const struct sshkey *a, const struct sshkey *b);
/* "SHA256:..." as ssh-keygen -l prints it. */
#define SSHKEY_FINGERPRINT_MAX 64
void sshkey_fingerprint(const struct sshkey *key, char out[SSHKEY_FINGERPRINT_MAX]);

/*
 * Check that `armor` (ssh-keygen's own wrapping at 70 columns, exactly one, nothing
 * around it; a final newline is optional) signs `message` in `name_space`, and give
 * the key that did.  Errors: E_INPUT armor or blob malformed, E_UNTRUSTED the
 * signature does not hold or is for another namespace.  *ret is set only on success.
 */
int sshsig_verify(struct bytes armor, struct bytes message, const char *name_space,
	struct sshkey *ret_key, struct error *e);

#endif
