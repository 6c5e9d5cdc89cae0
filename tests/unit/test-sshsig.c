/* SPDX-License-Identifier: MIT */
/* SSH signatures made here with any field wrong, and ssh-keygen as the second opinion. */
#include <criterion/criterion.h>

#include "scratch.h"
#include "signing.h"

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
}
TestSuite(sshsig, .init = init);

static const char application[] = "ssh:release";

static struct signing_key new_key(bool sk)
{
	return signing_key_new(sk ? application : NULL);
}

static int verify(
	struct buf *armor, const char *message, struct sshkey *key, struct error *e)
{
	return sshsig_verify(buf_bytes(armor), bytes_of(message), "git", key, e);
}

/* --- good ------------------------------------------------------------------------- */

Test(sshsig, accepts_both_key_types_and_both_hashes)
{
	static const char *const hash[] = { "sha512", "sha256" };

	for (unsigned i = 0; i < 4; i++) {
		struct signing_key key = new_key(i & 1);
		struct signing_faults f = { .hash = hash[i / 2] };
		struct sshkey got = { 0 };
		struct error e = { 0 };
		autobuf armor = { 0 };

		signing_armor(&key, bytes_of("text"), &f, &armor);
		cr_assert_eq(verify(&armor, "text", &got, &e), 0, "%u: %s", i, e.text);
		cr_assert_eq(got.type, i & 1 ? SSHKEY_SK_ED25519 : SSHKEY_ED25519);
		cr_assert_arr_eq(got.ed25519, key.public, 32);
		cr_assert_str_eq(got.application, i & 1 ? application : "");
		/* Without the last newline, as it stands in a commit. */
		armor.size--;
		cr_assert_eq(verify(&armor, "text", &got, &e), 0, "%u: %s", i, e.text);
	}
}

/* --- bad -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	struct signing_faults faults;
	bool sk;
	int code;
	const char *text;
} bad_blobs[] = {
	{ "magic", { .magic = "SSHSIX" }, false, E_INPUT, "without its magic" },
	{ "version", { .version = 2 }, false, E_INPUT, "not of version 1" },
	{ "only magic", { .cut = "magic" }, false, E_INPUT, "not of version 1" },
	{ "no signature", { .cut = "signature" }, false, E_INPUT, "cut short" },
	{ "namespace", { .name_space = "file" }, false, E_UNTRUSTED, "another purpose" },
	{ "no namespace", { .name_space = "" }, false, E_UNTRUSTED, "another purpose" },
	{ "long namespace", { .name_space = "gitt" }, false, E_UNTRUSTED,
		"another purpose" },
	{ "reserved", { .reserved = "x" }, false, E_INPUT, "reserved field" },
	{ "hash", { .hash = "sha1" }, false, E_INPUT, "a hash other than" },
	{ "hash case", { .hash = "SHA512" }, false, E_INPUT, "a hash other than" },
	{ "blob tail", { .blob_tail = "x" }, false, E_INPUT, "with trailing bytes" },
	{ "inner tail", { .inner_tail = "x" }, false, E_INPUT,
		"inner part with trailing" },
	{ "sk inner tail", { .inner_tail = "x" }, true, E_INPUT,
		"inner part with trailing" },
	{ "inner type", { .inner_type = "ssh-rsa" }, false, E_INPUT, "another type" },
	{ "sk signs plain", { .inner_type = "ssh-ed25519" }, true, E_INPUT,
		"another type" },
	{ "short signature", { .short_raw = true }, false, E_INPUT, "not 64 bytes" },
	{ "short key", { .short_key = true }, false, E_INPUT, "not 32 bytes" },
	{ "no counter", { .no_counter = true }, true, E_INPUT, "without flags" },
	{ "untouched", { .untouched = true }, true, E_UNTRUSTED, "nobody touched" },
	{ "other bytes", { .other_signed = true }, false, E_UNTRUSTED, "does not match" },
	{ "sk other bytes", { .other_signed = true }, true, E_UNTRUSTED,
		"does not match" },
};

Test(sshsig, refuses_every_malformed_blob)
{
	for (size_t i = 0; i < sizeof(bad_blobs) / sizeof(bad_blobs[0]); i++) {
		struct signing_key key = new_key(bad_blobs[i].sk);
		struct sshkey got = { .application = "unchanged" };
		struct error e = { 0 };
		autobuf armor = { 0 };

		signing_armor(&key, bytes_of("text"), &bad_blobs[i].faults, &armor);
		cr_expect_eq(verify(&armor, "text", &got, &e), bad_blobs[i].code,
			"%s: %s", bad_blobs[i].name, e.text);
		cr_expect(strstr(e.text, bad_blobs[i].text), "%s: %s", bad_blobs[i].name,
			e.text);
		cr_expect_str_eq(got.application, "unchanged");
	}
}

Test(sshsig, refuses_another_message)
{
	struct signing_key key = new_key(false);
	struct sshkey got;
	struct error e = { 0 };
	autobuf armor = { 0 };

	signing_armor(&key, bytes_of("text"), NULL, &armor);
	cr_assert_eq(verify(&armor, "text2", &got, &e), E_UNTRUSTED);
	cr_assert_eq(verify(&armor, "", &got, &e), E_UNTRUSTED);
}

Test(sshsig, no_flipped_bit_of_a_blob_is_accepted)
{
	for (unsigned sk = 0; sk < 2; sk++) {
		const struct signing_faults none = { 0 };
		struct signing_key key = new_key(sk);
		struct sshkey got;
		autobuf blob = { 0 };

		signing_blob(&key, bytes_of("text"), &none, &blob);
		for (size_t bit = 0; bit < blob.size * 8; bit++) {
			char flip = (char)(1 << (bit % 8));
			autobuf armor = { 0 };

			blob.data[bit / 8] ^= flip;
			signing_wrap(buf_bytes(&blob), 70, &armor);
			cr_assert_lt(
				verify(&armor, "text", &got, NULL), 0, "bit %zu", bit);
			blob.data[bit / 8] ^= flip;
		}
	}
}

Test(sshsig, no_cut_armor_is_accepted)
{
	struct signing_key key = new_key(false);
	struct sshkey got;
	autobuf armor = { 0 };

	signing_armor(&key, bytes_of("text"), NULL, &armor);
	for (armor.size -= 2;; armor.size--) {
		cr_assert_eq(
			verify(&armor, "text", &got, NULL), E_INPUT, "%zu", armor.size);
		if (armor.size == 0)
			break;
	}
}

/* Replace `what` by `with` in `armor`, or put `with` behind it. */
static void respell(struct buf *armor, const char *what, const char *with)
{
	const char *at = strstr(armor->data, what);
	struct buf out = { 0 };

	cr_assert_not_null(at);
	buf_add(&out, armor->data, (size_t)(at - armor->data));
	buf_adds(&out, with);
	buf_adds(&out, at + strlen(what));
	buf_release(armor);
	*armor = out;
}

static const struct {
	const char *what;
	const char *with;
	const char *text;
} bad_armor[] = {
	{ "SIGNATURE-----\nU", "SIGNATURE-----\n\nU", "not wrapped" },
	{ "SIGNATURE-----\nU", "SIGNATURE-----\n U", "not base64" },
	{ "\n-----END", "\n\n-----END", "not wrapped" },
	{ "\n-----END", "-----END", "not wrapped" },
	{ "\n-----END", "\r\n-----END", "not base64" },
	{ "\n-----END", "=\n-----END", "not base64" },
	{ "-----BEGIN", " -----BEGIN", "not an SSH signature" },
	{ "BEGIN SSH", "BEGIN PGP", "not an SSH signature" },
	{ "END SSH", "END PGP", "END line" },
	{ "END SSH SIGNATURE-----\n", "END SSH SIGNATURE-----\n\n", "junk after it" },
	{ "END SSH SIGNATURE-----\n", "END SSH SIGNATURE-----\nx", "junk after it" },
	{ "END SSH SIGNATURE-----\n", "END SSH SIGNATURE----- ", "junk after it" },
	{ "END SSH SIGNATURE-----\n",
		"END SSH SIGNATURE-----\n-----BEGIN SSH SIGNATURE-----\n-----END SSH "
		"SIGNATURE-----\n",
		"not base64" },
	{ "U1NIU0lH", "", "not wrapped" },
	{ "U1NIU0lH", "*1NIU0lH", "not base64" },
};

Test(sshsig, takes_only_ssh_keygens_own_spelling_of_an_armor)
{
	for (size_t i = 0; i < sizeof(bad_armor) / sizeof(bad_armor[0]); i++) {
		struct signing_key key = new_key(false);
		struct sshkey got;
		struct error e = { 0 };
		autobuf armor = { 0 };

		signing_armor(&key, bytes_of("text"), NULL, &armor);
		respell(&armor, bad_armor[i].what, bad_armor[i].with);
		cr_expect_eq(verify(&armor, "text", &got, &e), E_INPUT, "%zu", i);
		cr_expect(strstr(e.text, bad_armor[i].text), "%zu: %s", i, e.text);
	}
}

Test(sshsig, refuses_other_wrapping_and_over_long_armor)
{
	static const size_t columns[] = { 64, 69, 71, 76, 4000 };
	const struct signing_faults none = { 0 };
	struct signing_key key = new_key(false);
	struct sshkey got;
	struct error e = { 0 };
	autobuf blob = { 0 };
	autobuf big = { 0 };

	signing_blob(&key, bytes_of("text"), &none, &blob);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		autobuf armor = { 0 };

		signing_wrap(buf_bytes(&blob), columns[i], &armor);
		cr_assert_eq(verify(&armor, "text", &got, &e), E_INPUT);
		cr_assert(strstr(e.text, "not wrapped"), "%s", e.text);
	}
	while (blob.size < 4000)
		buf_adds(&blob, "xxxxxxxx");
	signing_wrap(buf_bytes(&blob), 70, &big);
	cr_assert_eq(verify(&big, "text", &got, &e), E_INPUT);
	cr_assert(strstr(e.text, "over 4096"), "%s", e.text);
}

/* --- keys ------------------------------------------------------------------------- */

static struct sshkey key_of(const struct signing_key *key)
{
	autobuf wire = { 0 };
	struct sshkey ret = { 0 };

	signing_wire(key, 32, &wire);
	cr_assert_eq(sshkey_parse(buf_bytes(&wire), &ret, NULL), 0);
	return ret;
}

Test(sshsig, keys_are_compared_with_their_application)
{
	struct signing_key one = new_key(true);
	struct signing_key plain = one;
	struct signing_key elsewhere = one;
	struct signing_key other = new_key(true);
	struct sshkey a = key_of(&one);
	struct sshkey b = key_of(&one);

	cr_assert(sshkey_equal(&a, &b));
	b = key_of(&other);
	cr_assert_not(sshkey_equal(&a, &b));
	elsewhere.application = "ssh:other";
	b = key_of(&elsewhere);
	cr_assert_not(sshkey_equal(&a, &b));
	plain.sk = false;
	b = key_of(&plain);
	cr_assert_not(sshkey_equal(&a, &b));
}

static void expect_bad_key(struct buf *wire, const char *text)
{
	struct sshkey got;
	struct error e = { 0 };

	cr_expect_eq(sshkey_parse(buf_bytes(wire), &got, &e), E_INPUT, "%s", text);
	cr_expect(strstr(e.text, text), "%s", e.text);
	buf_reset(wire);
}

Test(sshsig, refuses_malformed_keys)
{
	char long_application[SSHKEY_APPLICATION_MAX + 2];
	struct signing_key key = new_key(false);
	struct signing_key sk = new_key(true);
	autobuf wire = { 0 };

	expect_bad_key(&wire, "cut short");
	buf_add(&wire, "\xff\xff\xff\xffssh-ed25519", 15);
	expect_bad_key(&wire, "cut short");
	signing_puts(&wire, "ssh-rsa");
	expect_bad_key(&wire, "key type \"ssh-rsa\" cannot sign");
	signing_puts(&wire, "\x1b[31m");
	expect_bad_key(&wire, "key type \"\\033[31m\"");
	signing_wire(&key, 31, &wire);
	expect_bad_key(&wire, "not 32 bytes");
	signing_wire(&key, 32, &wire);
	buf_adds(&wire, "x");
	expect_bad_key(&wire, "trailing");
	sk.application = "";
	signing_wire(&sk, 32, &wire);
	expect_bad_key(&wire, "application");
	sk.application = "ssh: x";
	signing_wire(&sk, 32, &wire);
	expect_bad_key(&wire, "application");
	memset(long_application, 'a', sizeof(long_application) - 1);
	long_application[sizeof(long_application) - 1] = '\0';
	sk.application = long_application;
	signing_wire(&sk, 32, &wire);
	expect_bad_key(&wire, "application");
	signing_puts(&wire, "sk-ssh-ed25519@openssh.com");
	signing_put(&wire, sk.public, 32);
	signing_put(&wire, "ssh:\0x", 6); /* would compare as "ssh:" */
	expect_bad_key(&wire, "application");
}

Test(sshsig, refuses_key_words_that_disagree)
{
	struct signing_key key = new_key(false);
	autofree char *words = signing_words(&key);
	const char *base64 = strchr(words, ' ') + 1;
	struct sshkey got;
	struct error e = { 0 };

	cr_assert_eq(sshkey_parse_words("ssh-ed25519", bytes_of(base64), &got, &e), 0);
	cr_assert_arr_eq(got.ed25519, key.public, 32);
	cr_assert_eq(sshkey_parse_words(
			     "sk-ssh-ed25519@openssh.com", bytes_of(base64), &got, &e),
		E_INPUT);
	cr_assert(strstr(e.text, "but holds ssh-ed25519"), "%s", e.text);
	cr_assert_eq(sshkey_parse_words("ssh-rsa", bytes_of(base64), &got, &e), E_INPUT);
	cr_assert(strstr(e.text, "cannot sign releases"), "%s", e.text);
	cr_assert_eq(
		sshkey_parse_words("ssh-ed25519", bytes_of("A*"), &got, &e), E_INPUT);
	cr_assert(strstr(e.text, "not base64"), "%s", e.text);
	cr_assert_eq(sshkey_parse_words("ssh-ed25519", bytes_of(""), &got, &e), E_INPUT);
}

/* --- ssh-keygen as the second opinion --------------------------------------------- */

static void enter(void)
{
	init();
	scratch_enter();
}
TestSuite(sshsig_keygen, .init = enter, .fini = scratch_leave);

/* What ssh-keygen -Y verify says about `armor` over `message`. */
static bool keygen_accepts(
	const struct signing_key *key, struct buf *armor, const char *message)
{
	static const char *const argv[] = { "ssh-keygen", "-Y", "verify", "-f", "signers",
		"-I", "release", "-n", "git", "-s", "sig", NULL };
	autofree char *words = signing_words(key);
	autofree char *line = xasprintf("release %s\n", words);
	autobuf out = { 0 };

	scratch_put("signers", bytes_of(line));
	scratch_put("sig", buf_bytes(armor));
	scratch_put("message", bytes_of(message));
	return scratch_run(argv, "message", &out) == 0;
}

Test(sshsig_keygen, agrees_on_signatures_made_here)
{
	static const struct {
		struct signing_faults faults;
		bool sk;
	} cases[] = {
		{ { 0 }, false },
		{ { .hash = "sha256" }, false },
		{ { .other_signed = true }, false },
		{ { .name_space = "file" }, false },
		{ { 0 }, true },
		{ { .hash = "sha256" }, true },
		{ { .other_signed = true }, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct signing_key key = new_key(cases[i].sk);
		struct sshkey got;
		autobuf armor = { 0 };
		bool ours;

		signing_armor(&key, bytes_of("text"), &cases[i].faults, &armor);
		ours = verify(&armor, "text", &got, NULL) == 0;
		cr_expect_eq(keygen_accepts(&key, &armor, "text"), ours, "%zu", i);
		cr_expect_eq(ours,
			!cases[i].faults.other_signed && !cases[i].faults.name_space);
	}
}

Test(sshsig_keygen, accepts_what_ssh_keygen_signs)
{
	static const char *const make[] = { "ssh-keygen", "-q", "-t", "ed25519", "-N", "",
		"-f", "key", NULL };
	static const char *const sign[] = { "ssh-keygen", "-q", "-Y", "sign", "-n", "git",
		"-f", "key", "text", NULL };
	static const char *const show[] = { "ssh-keygen", "-l", "-f", "key.pub", NULL };
	char print[SSHKEY_FINGERPRINT_MAX];
	struct sshkey key;
	struct error e = { 0 };
	autobuf armor = { 0 };
	autobuf out = { 0 };

	cr_assert_eq(scratch_run(make, NULL, &out), 0);
	scratch_put("text", bytes_of("some\nlines\n"));
	cr_assert_eq(scratch_run(sign, NULL, &out), 0);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "text.sig", 4096, &armor, NULL), 0);
	cr_assert_eq(verify(&armor, "some\nlines\n", &key, &e), 0, "%s", e.text);
	cr_assert_eq(verify(&armor, "some\nlines", &key, &e), E_UNTRUSTED);
	cr_assert_eq(scratch_run(show, NULL, &out), 0);
	sshkey_fingerprint(&key, print);
	cr_assert(strstr(out.data, print), "%s not in %s", print, out.data);
}
