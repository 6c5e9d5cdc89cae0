/* SPDX-License-Identifier: MIT */
/*
 * Signed commits.  The first byte chooses what the rest is:
 *   0  allowed_signers, NUL, a commit: as on a device
 *   1  a payload, which is signed here: what is signed is read as what is not
 *   2  an armored signature
 *   3  the same before it was armored
 *   4  a slot's proof
 *   5  a tag, which is signed here, on a release that is always the same
 *   6  a tag as it is
 *   7  two tags without their first line, NUL between, which others sign here; all three
 *      have to sign (bit 3: the two have a name in common)
 */
#include "../unit/signing.h"
#include "fuzz.h"
#include "trust/tag.h"

#define KEYS 3

static struct signing_key keys[KEYS];
static const struct signing_key *const key = &keys[0];
static struct signers *signers;
static struct signers *three;  /* all of them have to sign … */
static struct signers *shared; /* … and two are the same person */

static struct signers *read_signers(const char *text)
{
	struct signers *s;

	assert(signers_parse("signers", bytes_of(text), &s, NULL) == 0);
	return s;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	unsigned char seed[32] = "always the same";
	char *words[KEYS];
	autofree char *one = NULL;
	autofree char *all = NULL;
	autofree char *two = NULL;

	(void)argc;
	(void)argv;
	assert(digest_init_once(NULL) == 0);
	for (size_t i = 0; i < KEYS; i++) {
		seed[31] = (unsigned char)i;
		(void)crypto_sign_ed25519_seed_keypair(
			keys[i].public, keys[i].secret, seed);
		words[i] = signing_words(&keys[i]);
	}
	one = xasprintf("builder %s\n", words[0]);
	all = xasprintf("# osupdate: threshold 3\nbuilder %s\nanna,a %s\nbert %s\n",
		words[0], words[1], words[2]);
	two = xasprintf("# osupdate: threshold 3\nbuilder %s\nanna,a %s\nbert,a %s\n",
		words[0], words[1], words[2]);
	signers = read_signers(one);
	three = read_signers(all);
	shared = read_signers(two);
	for (size_t i = 0; i < KEYS; i++)
		free(words[i]);
	return 0;
}

#define TAGS 2

static const struct bytes tags_given[TAGS] = { { (const unsigned char *)"tag one\n", 8 },
	{ NULL, 0 } };

/* What was verified stands in the proof as it came. */
static void check_proof(const struct release *r, struct bytes commit)
{
	struct bytes tags[RELEASE_TAGS_MAX];
	autobuf proof = { 0 };
	struct bytes got;
	size_t n;

	release_print_proof(r, &proof);
	assert(release_split_proof(buf_bytes(&proof), &got, tags, &n, NULL) == 0);
	assert(n == TAGS && bytes_same(got, commit));
	assert(bytes_same(tags[0], tags_given[0]) && bytes_same(tags[1], tags_given[1]));
	assert(bytes_same(release_commit(r), commit));
	assert(bytes_same(release_tags(r, &n)[0], tags_given[0]) && n == TAGS);
}

static void try_commit(struct bytes in)
{
	struct bytes text = take_part(&in);
	autosigners s = NULL;
	autorelease r = NULL;
	struct error e = { 0 };

	if (signers_parse("s", text, &s, &e) < 0)
		return;
	if (release_verify(in, tags_given, TAGS, s, &r, &e) < 0) {
		assert(!r && e.code == E_UNTRUSTED);
		return;
	}
	check_proof(r, in);
}

/* `payload` with a gpgsig header in the place where git puts it; false: no such place. */
static bool sign(struct bytes payload, struct buf *out)
{
	const char *p = (const char *)payload.data;
	const char *end = payload.size ? memmem(p, payload.size, "\n\n", 2) : NULL;
	autobuf armor = { 0 };

	if (!end)
		return false;
	signing_armor(key, payload, NULL, &armor);
	buf_add(out, p, (size_t)(end - p) + 1);
	buf_adds(out, "gpgsig");
	for (char *line = armor.data; *line;) {
		size_t n = strcspn(line, "\n") + 1;

		buf_adds(out, " ");
		buf_add(out, line, n);
		line += n;
	}
	buf_add(out, end + 1, payload.size - (size_t)(end + 1 - p));
	return true;
}

static void try_payload(struct bytes payload)
{
	struct release_info info;
	autorelease r = NULL;
	autobuf commit = { 0 };
	struct error e = { 0 };
	bool read = release_read_payload(payload, &info, &e) == 0;
	bool verified;

	if (!sign(payload, &commit))
		return;
	verified = release_verify(
			   buf_bytes(&commit), tags_given, TAGS, signers, &r, &e) == 0;
	assert(verified == (read && commit.size <= RELEASE_COMMIT_MAX));
	if (!verified)
		return;
	info.commit = release_info(r)->commit;
	assert(info.serial == release_info(r)->serial &&
		info.time == release_info(r)->time);
	assert(digest_equal(&info.identity, &release_info(r)->identity));
	assert(strcmp(info.version, release_info(r)->version) == 0);
	assert(strcmp(release_principal(r), "builder") == 0);
	check_proof(r, buf_bytes(&commit));
}

static void try_armor(struct bytes armor)
{
	struct sshkey got;
	struct error e = { 0 };
	char print[SSHKEY_FINGERPRINT_MAX];
	int r = sshsig_verify(armor, bytes_of("message\n"), "git", &got, &e);

	assert(r == 0 || r == E_INPUT || r == E_UNTRUSTED);
	if (r == 0)
		sshkey_fingerprint(&got, print);
}

static void try_proof(struct bytes proof)
{
	struct bytes tags[RELEASE_TAGS_MAX];
	autobuf payload = { 0 };
	autobuf armor = { 0 };
	struct bytes commit;
	size_t n;

	if (release_split_proof(proof, &commit, tags, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		assert(tags[i].data + tags[i].size <= proof.data + proof.size);
	if (release_split_commit(commit, &payload, &armor, NULL) == 0)
		try_payload(buf_bytes(&payload));
}

/* The release that seeds makes tags of. */
static struct bytes release_text(void)
{
	static const char text[] =
		"tree 1111111111111111111111111111111111111111\n"
		"author A <a> 1700000000 +0100\ncommitter C <c> 1700000001 -0230\n\n"
		"Release\n\nOsupdate-Product: kiosk\nOsupdate-Version: 1.2\n"
		"Osupdate-Serial: 12\nOsupdate-Manifest: blake2b-256:"
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef 1\n";

	return bytes_of(text);
}

static void try_tag(struct bytes tag)
{
	static const char object[] = "object 1111111111111111111111111111111111111111\n"
				     "type commit\ntag osupdate/12/";
	struct release_info info;
	const char *principal;
	struct error e = { 0 };
	struct sshkey got;

	assert(release_read_payload(release_text(), &info, NULL) == 0);
	memset(info.commit.b, 0x11, OID_SIZE);
	if (tag_verify(tag, &info, signers, &got, &principal, &e) < 0)
		return;
	assert(tag.size > strlen(object) &&
		memcmp(tag.data, object, strlen(object)) == 0);
	assert(memmem(tag.data, tag.size, "\nOsupdate-Serial: 12\n", 21));
	assert(strcmp(principal, "builder") == 0);
}

static void try_signed_tag(struct bytes payload)
{
	autobuf tag = { 0 };

	buf_add(&tag, payload.data, payload.size);
	signing_armor(key, payload, NULL, &tag);
	try_tag(buf_bytes(&tag));
}

/* What follows the first line of a tag of `info`'s commit. */
static void sign_tag(const struct signing_key *by, const struct release_info *info,
	struct bytes rest, struct buf *out)
{
	char hex[OID_HEX_MAX];

	oid_hex(&info->commit, hex);
	buf_addf(out, "object %s\n", hex);
	buf_add(out, rest.data, rest.size);
	signing_armor(by, buf_bytes(out), NULL, out);
}

static void try_threshold(struct bytes in, bool is_shared)
{
	const struct signers *s = is_shared ? shared : three;
	struct bytes rest[2] = { take_part(&in) };
	struct bytes tags[2];
	struct buf texts[2] = { 0 };
	autobuf commit = { 0 };
	autorelease r = NULL;
	struct release_info info;
	bool enough = !is_shared;
	struct error e;

	rest[1] = in;
	assert(sign(release_text(), &commit));
	assert(release_verify(buf_bytes(&commit), NULL, 0, signers, &r, &e) == 0);
	info = *release_info(r);
	release_free(r);
	r = NULL;
	for (size_t i = 0; i < 2; i++) {
		const char *principal;
		struct sshkey got;

		sign_tag(&keys[i + 1], &info, rest[i], &texts[i]);
		tags[i] = buf_bytes(&texts[i]);
		enough &= tag_verify(tags[i], &info, s, &got, &principal, &e) == 0;
	}
	assert((release_verify(buf_bytes(&commit), tags, 2, s, &r, &e) == 0) == enough);
	for (size_t i = 0; i < 2; i++)
		buf_release(&texts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data + 1, size - 1 };
	autobuf armor = { 0 };

	if (size == 0)
		return 0;
	switch (data[0] % 8) {
	case 0:
		try_commit(in);
		break;
	case 1:
		try_payload(in);
		break;
	case 2:
		try_armor(in);
		break;
	case 3:
		signing_wrap(in, 70, &armor);
		try_armor(buf_bytes(&armor));
		break;
	case 4:
		try_proof(in);
		break;
	case 5:
		try_signed_tag(in);
		break;
	case 6:
		try_tag(in);
		break;
	default:
		try_threshold(in, data[0] & 8);
	}
	return 0;
}
