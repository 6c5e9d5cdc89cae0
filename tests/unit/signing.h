/* SPDX-License-Identifier: MIT */
/*
 * For the tests of trust/: keys made at run time, and SSHSIG signatures with any of
 * their fields wrong.  The project itself never signs, so this lives here.
 */
#ifndef TESTS_SIGNING_H
#define TESTS_SIGNING_H

#include <sodium.h>

#include "base/text.h"
#include "trust/sshsig.h"

struct signing_key {
	bool sk;
	const char *application; /* sk only */
	unsigned char public[32];
	unsigned char secret[64];
};

/* Fields at their zero value are right. */
struct signing_faults {
	const char *magic;
	const char *name_space;
	const char *hash;
	const char *reserved;
	const char *inner_type;
	const char *blob_tail;
	const char *inner_tail;
	unsigned char version;
	bool untouched;	   /* sk: no user presence */
	bool no_counter;   /* sk: flags and counter left out */
	bool short_raw;	   /* 63 bytes of signature */
	bool other_signed; /* over other bytes */
	bool short_key;	   /* 31 bytes of key */
	const char *cut;   /* the blob ends after "magic" or before the signature */
};

static inline struct signing_key signing_key_new(const char *application)
{
	struct signing_key key = { .sk = application != NULL,
		.application = application };

	(void)crypto_sign_ed25519_keypair(key.public, key.secret);
	return key;
}

static inline void signing_put(struct buf *out, const void *data, size_t size)
{
	const unsigned char n[4] = { 0, 0, (unsigned char)(size >> 8),
		(unsigned char)size };

	buf_add(out, n, 4);
	buf_add(out, data, size);
}

static inline void signing_puts(struct buf *out, const char *s)
{
	signing_put(out, s, strlen(s));
}

static inline const char *signing_type(const struct signing_key *key)
{
	return key->sk ? "sk-ssh-ed25519@openssh.com" : "ssh-ed25519";
}

static inline void signing_wire(
	const struct signing_key *key, size_t size, struct buf *out)
{
	signing_puts(out, signing_type(key));
	signing_put(out, key->public, size);
	if (key->sk)
		signing_puts(out, key->application);
}

/* "ssh-ed25519 AAAA..." */
static inline char *signing_words(const struct signing_key *key)
{
	autobuf wire = { 0 };
	struct buf out = { 0 };

	signing_wire(key, 32, &wire);
	buf_addf(&out, "%s ", signing_type(key));
	text_base64(buf_bytes(&wire), &out);
	return buf_take(&out);
}

static inline void signing_hash(const char *name, struct bytes b, struct buf *out)
{
	unsigned char hash[64];

	if (strcmp(name, "sha256") == 0) {
		(void)crypto_hash_sha256(hash, b.data, b.size);
		signing_put(out, hash, 32);
		return;
	}
	(void)crypto_hash_sha512(hash, b.data, b.size);
	signing_put(out, hash, 64);
}

/* What the token signs; flags and counter are appended to `tail`. */
static inline void signing_sk(const struct signing_key *key, bool touched,
	const struct buf *data, struct buf *out, struct buf *tail)
{
	const unsigned char flags[5] = { touched ? 1 : 0, 0, 0, 0, 7 };
	unsigned char hash[32];

	(void)crypto_hash_sha256(
		hash, (const unsigned char *)key->application, strlen(key->application));
	buf_add(out, hash, 32);
	buf_add(out, flags, 5);
	(void)crypto_hash_sha256(hash, (unsigned char *)data->data, data->size);
	buf_add(out, hash, 32);
	buf_add(tail, flags, 5);
}

static inline void signing_inner(const struct signing_key *key, struct bytes message,
	const struct signing_faults *f, struct buf *out)
{
	unsigned char raw[64];
	autobuf data = { 0 };
	autobuf wrapped = { 0 };
	autobuf tail = { 0 };
	struct buf *what = &data;

	buf_adds(&data, "SSHSIG");
	signing_puts(&data, f->name_space ? f->name_space : "git");
	signing_puts(&data, f->reserved ? f->reserved : "");
	signing_puts(&data, f->hash ? f->hash : "sha512");
	signing_hash(f->hash ? f->hash : "sha512", message, &data);
	if (f->other_signed)
		buf_adds(&data, "x");
	if (key->sk) {
		signing_sk(key, !f->untouched, &data, &wrapped, &tail);
		what = &wrapped;
	}
	(void)crypto_sign_ed25519_detached(
		raw, NULL, (unsigned char *)what->data, what->size, key->secret);
	signing_puts(out, f->inner_type ? f->inner_type : signing_type(key));
	signing_put(out, raw, f->short_raw ? 63 : 64);
	if (!f->no_counter)
		buf_add(out, tail.data, tail.size);
	buf_adds(out, f->inner_tail ? f->inner_tail : "");
}

static inline void signing_blob(const struct signing_key *key, struct bytes message,
	const struct signing_faults *f, struct buf *out)
{
	const unsigned char version[4] = { 0, 0, 0, f->version ? f->version : 1 };
	autobuf wire = { 0 };
	autobuf inner = { 0 };

	buf_adds(out, f->magic ? f->magic : "SSHSIG");
	if (f->cut && strcmp(f->cut, "magic") == 0)
		return;
	buf_add(out, version, 4);
	signing_wire(key, f->short_key ? 31 : 32, &wire);
	signing_put(out, wire.data, wire.size);
	signing_puts(out, f->name_space ? f->name_space : "git");
	signing_puts(out, f->reserved ? f->reserved : "");
	signing_puts(out, f->hash ? f->hash : "sha512");
	if (f->cut)
		return;
	signing_inner(key, message, f, &inner);
	signing_put(out, inner.data, inner.size);
	buf_adds(out, f->blob_tail ? f->blob_tail : "");
}

/* As ssh-keygen prints it (at 70 columns), final newline included. */
static inline void signing_wrap(struct bytes blob, size_t columns, struct buf *out)
{
	autobuf base64 = { 0 };

	text_base64(blob, &base64);
	buf_adds(out, "-----BEGIN SSH SIGNATURE-----\n");
	for (size_t at = 0; at < base64.size; at += columns)
		buf_addf(out, "%.*s\n", (int)columns, base64.data + at);
	buf_adds(out, "-----END SSH SIGNATURE-----\n");
}

static inline void signing_armor(const struct signing_key *key, struct bytes message,
	const struct signing_faults *faults, struct buf *out)
{
	static const struct signing_faults none = { 0 };
	autobuf blob = { 0 };

	signing_blob(key, message, faults ? faults : &none, &blob);
	signing_wrap(buf_bytes(&blob), 70, out);
}

#endif
