/* SPDX-License-Identifier: MIT */
/* BLAKE2b-256 through libsodium, and git object names: see digest.h. */
#include "base/digest.h"

#include <stdio.h>

#include "base/sha1.h"
#include "base/text.h"

int digest_init_once(struct error *e)
{
	if (sodium_init() < 0)
		return err_set(e, E_SYSTEM, "libsodium cannot be initialised");
	return 0;
}

/* libsodium's BLAKE2b calls fail only for sizes out of range, which are fixed here. */
void digest_start(struct digest_state *st)
{
	(void)crypto_generichash_blake2b_init(&st->s, NULL, 0, DIGEST_SIZE);
}

void digest_update(struct digest_state *st, const void *data, size_t size)
{
	(void)crypto_generichash_blake2b_update(&st->s, data, size);
}

void digest_finish(struct digest_state *st, struct digest *ret)
{
	(void)crypto_generichash_blake2b_final(&st->s, ret->b, DIGEST_SIZE);
}

struct digest digest_of(struct bytes b)
{
	struct digest_state st;
	struct digest d;

	digest_start(&st);
	digest_update(&st, b.data, b.size);
	digest_finish(&st, &d);
	return d;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return sodium_memcmp(a->b, b->b, DIGEST_SIZE) == 0;
}

void digest_hex(const struct digest *d, char out[DIGEST_HEX_MAX])
{
	text_hex((struct bytes){ d->b, DIGEST_SIZE }, out);
}

bool digest_parse(const char *hex, size_t n, struct digest *ret)
{
	return text_unhex(hex, n, ret->b, DIGEST_SIZE);
}

struct oid oid_of(const char *type, struct bytes data)
{
	struct sha1 st;
	struct oid id = { { 0 } };
	char head[64];
	int n = snprintf(head, sizeof(head), "%s %zu", type, data.size);

	sha1_start(&st);
	sha1_update(&st, head, (size_t)n + 1); /* with the NUL */
	sha1_update(&st, data.data, data.size);
	sha1_finish(&st, id.b);
	return id;
}

bool oid_equal(const struct oid *a, const struct oid *b)
{
	return memcmp(a->b, b->b, OID_SIZE) == 0;
}

void oid_hex(const struct oid *id, char out[OID_HEX_MAX])
{
	text_hex((struct bytes){ id->b, OID_SIZE }, out);
}

bool oid_parse(const char *hex, size_t n, struct oid *ret)
{
	return text_unhex(hex, n, ret->b, OID_SIZE);
}
