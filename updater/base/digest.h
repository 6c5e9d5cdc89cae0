/* SPDX-License-Identifier: MIT */
/*
 * BLAKE2b-256 (RFC 7693, `b2sum -l 256`), the digest of the chain of trust, and
 * git's SHA-1 object ids, which only *name* things and prove nothing.
 * digest_init_once() must have run before anything else here.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define DIGEST_SIZE    32
#define DIGEST_HEX_MAX (DIGEST_SIZE * 2 + 1)
#define OID_SIZE       20
#define OID_HEX_MAX    (OID_SIZE * 2 + 1)

struct digest {
	unsigned char b[DIGEST_SIZE];
};

struct digest_state {
	crypto_generichash_blake2b_state s;
};

/* sodium_init, once per process.  E_SYSTEM when the kernel gives no randomness. */
int digest_init_once(struct error *e);

void digest_start(struct digest_state *st);
void digest_update(struct digest_state *st, const void *data, size_t size);
void digest_finish(struct digest_state *st, struct digest *ret);
struct digest digest_of(struct bytes b);
bool digest_equal(const struct digest *a, const struct digest *b);
void digest_hex(const struct digest *d, char out[DIGEST_HEX_MAX]);
bool digest_parse(const char *hex, size_t n, struct digest *ret);

/* A git object id. */
struct oid {
	unsigned char b[OID_SIZE];
};

/* SHA-1 of "<type> <size>\0<data>", as git names objects.  For naming only. */
struct oid oid_of(const char *type, struct bytes data);
bool oid_equal(const struct oid *a, const struct oid *b);
void oid_hex(const struct oid *id, char out[OID_HEX_MAX]);
bool oid_parse(const char *hex, size_t n, struct oid *ret);

#endif
