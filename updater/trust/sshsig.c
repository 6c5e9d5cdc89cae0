/* SPDX-License-Identifier: MIT */
/*
 * SSH signatures: see sshsig.h.  Reads bytes from anyone: every length is bounded by
 * what is left, every form has one spelling (an armor is decoded, printed again and
 * compared), and nothing here can sign.
 */
#include "trust/sshsig.h"

#include <sodium.h>

#include "base/text.h"
#include "trust/excerpt.h"

#define ARMOR_MAX	     4096 /* bytes; the largest sk signature takes under 1000 */
#define ARMOR_COLUMNS	     70
#define ED25519_KEY	     32
#define ED25519_SIG	     64
#define SK_FLAG_USER_PRESENT 0x01 /* PROTOCOL.u2f */

static const char armor_begin[] = "-----BEGIN SSH SIGNATURE-----\n";
static const char armor_end[] = "-----END SSH SIGNATURE-----";
static const char magic[] = "SSHSIG";

/* --- the wire: u32 big-endian lengths ------------------------------------------- */

static bool take(struct bytes *in, size_t n, const unsigned char **ret)
{
	if (in->size < n)
		return false;
	*ret = in->data;
	in->data += n;
	in->size -= n;
	return true;
}

static bool take_u32(struct bytes *in, uint32_t *ret)
{
	const unsigned char *p = NULL;

	if (!take(in, 4, &p))
		return false;
	*ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return true;
}

static bool take_string(struct bytes *in, struct bytes *ret)
{
	struct bytes rest = *in;
	uint32_t n = 0;

	if (!take_u32(&rest, &n) || !take(&rest, n, &ret->data))
		return false;
	ret->size = n;
	*in = rest;
	return true;
}

static void put_string(struct buf *out, struct bytes s)
{
	const unsigned char length[4] = { (unsigned char)(s.size >> 24),
		(unsigned char)(s.size >> 16), (unsigned char)(s.size >> 8),
		(unsigned char)s.size };

	buf_add(out, length, sizeof(length));
	buf_add(out, s.data, s.size);
}

static bool bytes_are(struct bytes b, const char *s)
{
	return b.size == strlen(s) && (b.size == 0 || memcmp(b.data, s, b.size) == 0);
}

/* --- keys ------------------------------------------------------------------------ */

static const char *type_name(enum sshkey_type type)
{
	switch (type) {
	case SSHKEY_ED25519:
		return "ssh-ed25519";
	case SSHKEY_SK_ED25519:
		return "sk-ssh-ed25519@openssh.com";
	}
	return "";
}

static int type_of(struct bytes name, enum sshkey_type *ret, struct error *e)
{
	static const enum sshkey_type known[] = { SSHKEY_ED25519, SSHKEY_SK_ED25519 };
	autobuf shown = { 0 };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (bytes_are(name, type_name(known[i]))) {
			*ret = known[i];
			return 0;
		}
	}
	return err_set(e, E_INPUT,
		"key type \"%s\" cannot sign releases; ssh-ed25519 and "
		"sk-ssh-ed25519@openssh.com can",
		excerpt(name, &shown));
}

/* An application is compared as text, so it has to be text. */
static bool application_is_sane(struct bytes a)
{
	if (a.size == 0 || a.size > SSHKEY_APPLICATION_MAX)
		return false;
	for (size_t i = 0; i < a.size; i++)
		if (a.data[i] <= ' ' || a.data[i] >= 0x7f)
			return false;
	return true;
}

int sshkey_parse(struct bytes wire, struct sshkey *ret, struct error *e)
{
	struct sshkey key = { 0 };
	struct bytes field = { 0 };
	int r;

	if (!take_string(&wire, &field))
		return err_set(e, E_INPUT, "public key is cut short");
	r = type_of(field, &key.type, e);
	if (r < 0)
		return r;
	if (!take_string(&wire, &field) || field.size != ED25519_KEY)
		return err_set(e, E_INPUT, "public key has not %d bytes", ED25519_KEY);
	memcpy(key.ed25519, field.data, ED25519_KEY);
	if (key.type == SSHKEY_SK_ED25519) {
		if (!take_string(&wire, &field) || !application_is_sane(field))
			return err_set(e, E_INPUT,
				"public key without a proper application (\"ssh:...\")");
		memcpy(key.application, field.data, field.size);
	}
	if (wire.size != 0)
		return err_set(e, E_INPUT, "public key with trailing bytes");
	*ret = key;
	return 0;
}

int sshkey_parse_words(
	const char *type, struct bytes base64, struct sshkey *ret, struct error *e)
{
	autobuf wire = { 0 };
	struct sshkey key = { 0 };
	enum sshkey_type named = SSHKEY_ED25519;
	int r;

	r = type_of(bytes_of(type), &named, e);
	if (r < 0)
		return r;
	if (!text_unbase64((const char *)base64.data, base64.size, &wire))
		return err_set(e, E_INPUT, "public key is not base64");
	r = sshkey_parse(buf_bytes(&wire), &key, e);
	if (r < 0)
		return r;
	if (key.type != named)
		return err_set(e, E_INPUT, "public key says %s but holds %s", type,
			type_name(key.type));
	*ret = key;
	return 0;
}

bool sshkey_equal(const struct sshkey *a, const struct sshkey *b)
{
	return a->type == b->type && memcmp(a->ed25519, b->ed25519, ED25519_KEY) == 0 &&
	       strcmp(a->application, b->application) == 0;
}

void sshkey_fingerprint(const struct sshkey *key, char out[SSHKEY_FINGERPRINT_MAX])
{
	static const char prefix[] = "SHA256:";
	unsigned char hash[crypto_hash_sha256_BYTES];
	autobuf wire = { 0 };

	put_string(&wire, bytes_of(type_name(key->type)));
	put_string(&wire, (struct bytes){ key->ed25519, ED25519_KEY });
	if (key->type == SSHKEY_SK_ED25519)
		put_string(&wire, bytes_of(key->application));
	(void)crypto_hash_sha256(hash, (unsigned char *)wire.data, wire.size);
	memcpy(out, prefix, sizeof(prefix));
	(void)sodium_bin2base64(out + sizeof(prefix) - 1,
		SSHKEY_FINGERPRINT_MAX - (sizeof(prefix) - 1), hash, sizeof(hash),
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

/* --- armor ----------------------------------------------------------------------- */

/* As ssh-keygen prints it, without the last newline. */
static void armor_print(struct bytes blob, struct buf *out)
{
	autobuf base64 = { 0 };

	text_base64(blob, &base64);
	buf_adds(out, armor_begin);
	for (size_t at = 0; at < base64.size; at += ARMOR_COLUMNS) {
		size_t left = base64.size - at;

		buf_add(out, base64.data + at,
			left < ARMOR_COLUMNS ? left : ARMOR_COLUMNS);
		buf_add(out, "\n", 1);
	}
	buf_adds(out, armor_end);
}

/* Append what stands between the two lines, without its newlines, to `ret`. */
static int armor_inside(struct bytes armor, struct buf *ret, struct error *e)
{
	const size_t begin = sizeof(armor_begin) - 1;
	const size_t end = sizeof(armor_end) - 1;
	const char *p = (const char *)armor.data;

	if (armor.size > ARMOR_MAX)
		return err_set(e, E_INPUT, "signature over %d bytes", ARMOR_MAX);
	if (armor.size < begin || memcmp(p, armor_begin, begin) != 0)
		return err_set(e, E_INPUT, "not an SSH signature");
	if (armor.size < begin + end || memcmp(p + armor.size - end, armor_end, end) != 0)
		return err_set(e, E_INPUT,
			"SSH signature does not end with its END line (cut short, or "
			"junk "
			"after it)");
	for (size_t i = begin; i < armor.size - end; i++)
		if (p[i] != '\n')
			buf_add(ret, p + i, 1);
	return 0;
}

static int armor_decode(struct bytes armor, struct buf *ret_blob, struct error *e)
{
	autobuf inside = { 0 };
	autobuf again = { 0 };
	int r;

	if (armor.size > 0 && armor.data[armor.size - 1] == '\n')
		armor.size--;
	r = armor_inside(armor, &inside, e);
	if (r < 0)
		return r;
	if (!text_unbase64(inside.size ? inside.data : "", inside.size, ret_blob))
		return err_set(e, E_INPUT, "SSH signature is not base64");
	armor_print(buf_bytes(ret_blob), &again);
	if (again.size != armor.size || memcmp(again.data, armor.data, again.size) != 0)
		return err_set(e, E_INPUT,
			"SSH signature is not wrapped as ssh-keygen does (%d columns)",
			ARMOR_COLUMNS);
	return 0;
}

/* --- the signature --------------------------------------------------------------- */

/* What the blob holds; everything borrowed from it. */
struct sshsig {
	struct sshkey key;
	struct bytes name_space;
	struct bytes hash; /* name */
	struct bytes signature;
};

static int blob_parse(struct bytes blob, struct sshsig *ret, struct error *e)
{
	const unsigned char *p = NULL;
	struct bytes key = { 0 };
	struct bytes reserved = { 0 };
	uint32_t version = 0;
	int r;

	if (!take(&blob, sizeof(magic) - 1, &p) ||
		memcmp(p, magic, sizeof(magic) - 1) != 0)
		return err_set(e, E_INPUT, "SSH signature without its magic");
	if (!take_u32(&blob, &version) || version != 1)
		return err_set(e, E_INPUT, "SSH signature is not of version 1");
	if (!take_string(&blob, &key) || !take_string(&blob, &ret->name_space) ||
		!take_string(&blob, &reserved) || !take_string(&blob, &ret->hash) ||
		!take_string(&blob, &ret->signature))
		return err_set(e, E_INPUT, "SSH signature is cut short");
	if (blob.size != 0)
		return err_set(e, E_INPUT, "SSH signature with trailing bytes");
	if (reserved.size != 0)
		return err_set(e, E_INPUT, "SSH signature uses its reserved field");
	r = sshkey_parse(key, &ret->key, e);
	return r < 0 ? err_prefix(e, r, "SSH signature") : 0;
}

/* The bytes that were signed: PROTOCOL.sshsig, "blob". */
static int signed_data(
	const struct sshsig *sig, struct bytes message, struct buf *out, struct error *e)
{
	unsigned char hash[crypto_hash_sha512_BYTES];
	size_t size;

	if (bytes_are(sig->hash, "sha512")) {
		(void)crypto_hash_sha512(hash, message.data, message.size);
		size = crypto_hash_sha512_BYTES;
	} else if (bytes_are(sig->hash, "sha256")) {
		(void)crypto_hash_sha256(hash, message.data, message.size);
		size = crypto_hash_sha256_BYTES;
	} else {
		return err_set(e, E_INPUT,
			"SSH signature with a hash other than sha512 or sha256");
	}
	buf_adds(out, magic);
	put_string(out, sig->name_space);
	put_string(out, (struct bytes){ 0 });
	put_string(out, sig->hash);
	put_string(out, (struct bytes){ hash, size });
	return 0;
}

/* What a FIDO token signs instead of `data`: PROTOCOL.u2f, "SSH U2F Signatures". */
static void sk_signed_data(const char *application, const unsigned char *flags_counter,
	const struct buf *data, struct buf *out)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	struct bytes app = bytes_of(application);

	(void)crypto_hash_sha256(hash, app.data, app.size);
	buf_add(out, hash, sizeof(hash));
	buf_add(out, flags_counter, 1 + 4);
	(void)crypto_hash_sha256(hash, (unsigned char *)data->data, data->size);
	buf_add(out, hash, sizeof(hash));
}

static int signature_check(
	const struct sshsig *sig, const struct buf *data, struct error *e)
{
	struct bytes rest = sig->signature;
	struct bytes type = { 0 };
	struct bytes raw = { 0 };
	const unsigned char *flags_counter = NULL;
	autobuf wrapped = { 0 };

	if (!take_string(&rest, &type) || !take_string(&rest, &raw))
		return err_set(e, E_INPUT, "SSH signature: inner part is cut short");
	if (!bytes_are(type, type_name(sig->key.type)))
		return err_set(
			e, E_INPUT, "SSH signature is of another type than its key");
	if (raw.size != ED25519_SIG)
		return err_set(e, E_INPUT, "SSH signature: inner part has not %d bytes",
			ED25519_SIG);
	if (sig->key.type == SSHKEY_SK_ED25519) {
		if (!take(&rest, 1 + 4, &flags_counter))
			return err_set(
				e, E_INPUT, "SSH signature without flags and counter");
		if (!(flags_counter[0] & SK_FLAG_USER_PRESENT))
			return err_set(e, E_UNTRUSTED,
				"signed by a security key that nobody touched");
		sk_signed_data(sig->key.application, flags_counter, data, &wrapped);
		data = &wrapped;
	}
	if (rest.size != 0)
		return err_set(
			e, E_INPUT, "SSH signature: inner part with trailing bytes");
	if (crypto_sign_ed25519_verify_detached(raw.data, (unsigned char *)data->data,
		    data->size, sig->key.ed25519) != 0)
		return err_set(
			e, E_UNTRUSTED, "signature does not match what it stands on");
	return 0;
}

int sshsig_verify(struct bytes armor, struct bytes message, const char *name_space,
	struct sshkey *ret_key, struct error *e)
{
	autobuf blob = { 0 };
	autobuf data = { 0 };
	struct sshsig sig = { 0 };
	int r;

	r = armor_decode(armor, &blob, e);
	if (r < 0)
		return r;
	r = blob_parse(buf_bytes(&blob), &sig, e);
	if (r < 0)
		return r;
	if (!bytes_are(sig.name_space, name_space))
		return err_set(e, E_UNTRUSTED, "signed for another purpose than \"%s\"",
			name_space);
	r = signed_data(&sig, message, &data, e);
	if (r < 0)
		return r;
	r = signature_check(&sig, &data, e);
	if (r < 0)
		return r;
	*ret_key = sig.key;
	return 0;
}
