/* SPDX-License-Identifier: MIT */
/* allowed_signers and revocations: every line form, and ssh-keygen's own opinion. */
#include <criterion/criterion.h>
#include <time.h>

#include "scratch.h"
#include "signing.h"
#include "trust/signers.h"

/* Berlin, without needing tzdata. */
#define SUMMER_TIME "CET-1CEST,M3.5.0,M10.5.0/3"

#define NOON INT64_C(1782907200) /* 2026-07-01T12:00:00Z */

static struct signing_key key1;
static struct signing_key key2;
static struct signing_key key_sk;

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
	key1 = signing_key_new(NULL);
	key2 = signing_key_new(NULL);
	key_sk = signing_key_new("ssh:");
}
TestSuite(signers, .init = init);

/* `%1`, `%2` and `%s` in a text stand for the keys. */
static char *with_keys(const char *text)
{
	autofree char *one = signing_words(&key1);
	autofree char *two = signing_words(&key2);
	autofree char *sk = signing_words(&key_sk);
	struct buf out = { 0 };

	for (; *text; text++) {
		if (*text != '%') {
			buf_add(&out, text, 1);
			continue;
		}
		text++;
		buf_adds(&out, *text == '1' ? one : *text == '2' ? two : sk);
	}
	return buf_take(&out);
}

static struct sshkey public_key(const struct signing_key *key)
{
	autobuf wire = { 0 };
	struct sshkey ret = { 0 };

	signing_wire(key, 32, &wire);
	cr_assert_eq(sshkey_parse(buf_bytes(&wire), &ret, NULL), 0);
	return ret;
}

static int parse(const char *text, struct signers **ret, struct error *e)
{
	autofree char *filled = with_keys(text);

	return signers_parse("allowed_signers", bytes_of(filled), ret, e);
}

static struct signers *parsed(const char *text)
{
	struct signers *s = NULL;
	struct error e = { 0 };

	cr_assert_eq(parse(text, &s, &e), 0, "%s: %s", text, e.text);
	return s;
}

static int revoke_keys(struct signers *s, const char *text, struct error *e)
{
	autofree char *filled = with_keys(text);

	return signers_revoke(s, "revoked", bytes_of(filled), e);
}

static int allow(const struct signers *s, const struct signing_key *key, int64_t time,
	const char **principal, struct error *e)
{
	struct sshkey public = public_key(key);

	return signers_allow(s, &public, "git", time, principal, e);
}

/* --- the file --------------------------------------------------------------------- */

Test(signers, every_form_of_a_line_is_read)
{
	autosigners s =
		parsed("# a comment\n"
		       "\n"
		       "  \t\n"
		       "a@b %1 a comment of the key\n"
		       "\"Release Team,x\" namespaces=\"git\" %2\n"
		       "\tsk@b\tvalid-after=\"19990101Z\",NameSpaces=\"file,git\"\t%s");
	const char *principal = NULL;
	struct error e = { 0 };

	cr_assert_eq(allow(s, &key1, NOON, &principal, &e), 0, "%s", e.text);
	cr_assert_str_eq(principal, "a@b");
	cr_assert_eq(allow(s, &key2, NOON, &principal, &e), 0, "%s", e.text);
	cr_assert_str_eq(principal, "Release Team,x");
	cr_assert_eq(allow(s, &key_sk, NOON, &principal, &e), 0, "%s", e.text);
	cr_assert_str_eq(principal, "sk@b");
	cr_assert_eq(signers_threshold(s), 1);
}

static const struct {
	const char *file;
	const char *text;
} bad_files[] = {
	{ "", "allowed_signers: holds no key" },
	{ "# only a comment\n", "holds no key" },
	{ "%1\n", "allowed_signers:1: no principals" },
	{ "\n\na\n", "allowed_signers:3: no key" },
	{ "a ssh-ed25519\n", ":1: no key" },
	{ "a namespaces=\"git\"\n", ":1: no key" },
	{ "a ssh-ed25519 AAAA\n", ":1: public key" },
	{ "a %1x\n", "not base64" },
	{ "a ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAA\n",
		"key type \"ssh-rsa\" cannot sign" },
	{ "a ecdsa-sha2-nistp256 AAAA\n", "\"ecdsa-sha2-nistp256\" cannot sign" },
	{ "a sk-ecdsa-sha2-nistp256@openssh.com AAAA\n", "cannot sign" },
	{ "a ssh-ed25519-cert-v01@openssh.com AAAA\n", "cannot sign" },
	{ "a cert-authority %1\n", ":1: cert-authority is not supported" },
	{ "a namespaces=\"git\",cert-authority %1\n", "cert-authority is not supported" },
	{ "a no-touch-required %1\n", "unknown option \"no-touch-required\"" },
	{ "a valid=\"2026\" %1\n", "unknown option \"valid\"" },
	{ "a namespaces=git %1\n", "wants a quoted list" },
	{ "a namespaces %1\n", "wants a quoted list" },
	{ "a namespaces=\"\" %1\n", "wants a quoted list" },
	{ "a namespaces=\"git %1\n", "wants a quoted list" },
	{ "a namespaces=\"git\",namespaces=\"git\" %1\n", "namespaces is given twice" },
	{ "a namespaces=\"git\"x %1\n", "junk after an option" },
	{ "a namespaces=\"git\", %1\n", "junk after an option" },
	{ "a valid-after=20260101 %1\n", "wants a quoted time" },
	{ "a valid-after=\"2026\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"2026010\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"20260101120\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"2026-1-1\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"20261301\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"20260001\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"20260100\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"20260229Z\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"20260431\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"202601012400\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"202601011260\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"20260101123060\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"19690101Z\" %1\n", "wants a quoted time" },
	{ "a valid-before=\"\" %1\n", "valid-before wants a quoted time" },
	{ "a valid-after=\"2026\",valid-after=\"2026\" %1\n", "wants a quoted time" },
	{ "a valid-after=\"20260101\",valid-after=\"20260101\" %1\n", "given twice" },
	{ "a valid-after=\"20260102\",valid-before=\"20260101\" %1\n", "is not after" },
	{ "a valid-after=\"20260102\",valid-before=\"20260102\" %1\n", "is not after" },
	{ "\"a %1\n", "wants principals first" },
	{ "a,\"b c\" %1\n", "wants principals first" },
	{ "\"\" %1\n", "wants principals first" },
	{ "a %1\r\n", "CR line ends?" },
	{ "a\x1b[31m %1\n", "control characters" },
	{ "a\xff %1\n", "not UTF-8" },
	{ "# osupdate: threshold\na %1\n", "allowed_signers:1: wants \"# osupdate:" },
	{ "# osupdate: threshold 0\na %1\n", "wants \"# osupdate:" },
	{ "# osupdate: threshold 65\na %1\n", "wants \"# osupdate:" },
	{ "# osupdate: threshold two\na %1\n", "wants \"# osupdate:" },
	{ "# osupdate: threshold 2 3\na %1\n", "wants \"# osupdate:" },
	{ "# osupdate: treshold 2\na %1\n", "wants \"# osupdate:" },
	{ "#osupdate:quorum 2\na %1\n", "wants \"# osupdate:" },
	{ "# osupdate: threshold 2\n# osupdate: threshold 2\na %1\n",
		":2: the threshold" },
};

Test(signers, refuses_what_it_does_not_understand_with_the_line)
{
	for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
		struct signers *s = NULL;
		struct error e = { 0 };

		cr_expect_eq(parse(bad_files[i].file, &s, &e), E_INPUT, "%zu: %s", i,
			bad_files[i].file);
		cr_expect(strstr(e.text, bad_files[i].text), "%zu: %s", i, e.text);
		cr_expect_null(s);
	}
}

Test(signers, refuses_nul_and_files_over_the_limits)
{
	struct signers *s = NULL;
	struct error e = { 0 };
	autobuf big = { 0 };
	autofree char *line = with_keys("a %1\n");
	autofree char *with_nul = with_keys("a %1\nb");

	cr_assert_eq(
		signers_parse("f",
			(struct bytes){ (unsigned char *)with_nul, strlen(with_nul) + 1 },
			&s, &e),
		E_INPUT);
	cr_assert(strstr(e.text, "f:2: control"), "%s", e.text);
	for (size_t i = 0; i <= SIGNERS_MAX; i++)
		buf_adds(&big, line);
	cr_assert_eq(signers_parse("f", buf_bytes(&big), &s, &e), E_INPUT);
	cr_assert(strstr(e.text, "f:1025: more than 1024 keys"), "%s", e.text);
	while (big.size <= SIGNERS_FILE_MAX)
		buf_adds(&big, "# and more\n");
	cr_assert_eq(signers_parse("f", buf_bytes(&big), &s, &e), E_INPUT);
	cr_assert(strstr(e.text, "f: over"), "%s", e.text);
	cr_assert_null(s);
}

Test(signers, threshold_is_read_from_its_comment)
{
	autosigners one = parsed("# osupdate is nice\n# osupdate: threshold 1\na %1\n");
	autosigners two = parsed("a %1\n#  osupdate:  threshold\t2 \na %2\n");

	cr_assert_eq(signers_threshold(one), 1);
	cr_assert_eq(signers_threshold(two), 2);
}

/* --- who may ---------------------------------------------------------------------- */

Test(signers, an_unknown_key_is_named_with_the_file)
{
	autosigners s = parsed("a %1\n");
	struct sshkey key = public_key(&key2);
	char print[SSHKEY_FINGERPRINT_MAX];
	const char *principal = "unchanged";
	struct error e = { 0 };

	sshkey_fingerprint(&key, print);
	cr_assert_eq(allow(s, &key2, NOON, &principal, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, print) && strstr(e.text, "not in allowed_signers"), "%s",
		e.text);
	cr_assert_str_eq(principal, "unchanged");
	cr_assert_eq(signers_know(s, &key, &e), E_UNTRUSTED);
	key = public_key(&key1);
	cr_assert_eq(signers_know(s, &key, &e), 0);
}

Test(signers, revocations_from_all_files_add_up)
{
	autosigners s = parsed("a %1\nb %2\nc %s\n");
	const char *principal;
	struct error e = { 0 };
	char print[SSHKEY_FINGERPRINT_MAX];
	struct sshkey one = public_key(&key1);

	sshkey_fingerprint(&one, print);
	cr_assert_not(signers_revoked(s, print));
	cr_assert_eq(revoke_keys(s, "# none\n\n", &e), 0);
	cr_assert_eq(revoke_keys(s, "# lost\n%1 laptop", &e), 0);
	cr_assert_eq(revoke_keys(s, "%s\n", &e), 0);
	cr_assert_eq(allow(s, &key1, NOON, &principal, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "signed by SHA256:") && strstr(e.text, "by revoked:2"),
		"%s", e.text);
	cr_assert_eq(allow(s, &key_sk, NOON, &principal, &e), E_UNTRUSTED);
	cr_assert_eq(allow(s, &key2, NOON, &principal, &e), 0);
	cr_assert(signers_revoked(s, print));
	cr_assert_not(signers_revoked(s, ""));
	print[10] ^= 1;
	cr_assert_not(signers_revoked(s, print));
}

Test(signers, refuses_a_revocation_it_cannot_read)
{
	static const struct {
		const char *file;
		const char *text;
	} bad[] = {
		{ "SSHKRL\n", "revoked: is a binary KRL" },
		{ "%1\nsomebody %2\n", "revoked:2: key type \"somebody\"" },
		{ "ssh-ed25519\n", "revoked:1: no key" },
		{ "ssh-ed25519 AAAA\n", "revoked:1: public key" },
		{ "%1 \x01\n", "revoked:1: control" },
	};
	autosigners s = parsed("a %2\n");

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error e = { 0 };

		cr_expect_eq(revoke_keys(s, bad[i].file, &e), E_INPUT, "%zu", i);
		cr_expect(strstr(e.text, bad[i].text), "%zu: %s", i, e.text);
	}
}

/* What a line's options say about namespace `git` at NOON. */
static const struct {
	const char *options;
	const char *text; /* NULL: allowed */
} options[] = {
	{ "", NULL },
	{ "namespaces=\"git\"", NULL },
	{ "namespaces=\"file,git\"", NULL },
	{ "namespaces=\"g*\"", NULL },
	{ "namespaces=\"?i?\"", NULL },
	{ "namespaces=\"*\"", NULL },
	{ "namespaces=\"**t*\"", NULL },
	{ "namespaces=\"*,!file\"", NULL },
	{ "namespaces=\"file\"", "may not sign in namespace \"git\"" },
	{ "namespaces=\"gi\"", "namespace" },
	{ "namespaces=\"gitt\"", "namespace" },
	{ "namespaces=\"git?\"", "namespace" },
	{ "namespaces=\"*x*\"", "namespace" },
	{ "namespaces=\"Git\"", "namespace" },
	{ "namespaces=\"*,!git\"", "namespace" },
	{ "namespaces=\"!git,*\"", "namespace" },
	{ "namespaces=\"!file\"", "namespace" },
	{ "valid-after=\"20260701Z\"", NULL },
	{ "valid-after=\"202607011200Z\"", NULL },
	{ "valid-after=\"20260701120001Z\"",
		"not yet valid at 2026-07-01T12:00:00Z (from" },
	{ "valid-before=\"20260702Z\"", NULL },
	{ "valid-before=\"20260701120000z\"", NULL },
	{ "valid-before=\"20260701115959Z\"", "no longer valid" },
	{ "valid-before=\"20260701Z\"", "no longer valid" },
	{ "valid-after=\"20260101Z\",valid-before=\"20270101Z\"", NULL },
	{ "valid-after=\"20260101Z\",namespaces=\"x\"", "namespace" },
	/* Local time; standard time is UTC + 1, and ssh-keygen knows no other. */
	{ "valid-after=\"202607011300\"", NULL },
	{ "valid-after=\"20260701130001\"", "not yet valid" },
	{ "valid-before=\"202607011300\"", NULL },
	{ "valid-before=\"20260701125959\"", "no longer valid" },
};

static void in_summer_time(void)
{
	init();
	cr_assert_eq(setenv("TZ", SUMMER_TIME, 1), 0);
	tzset();
	scratch_enter();
}

Test(signers, options_limit_namespace_and_time, .init = in_summer_time,
	.fini = scratch_leave)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		autofree char *line = xasprintf("a %s %%1\n", options[i].options);
		autosigners s = parsed(line);
		const char *principal;
		struct error e = { 0 };
		int r = allow(s, &key1, NOON, &principal, &e);

		cr_expect_eq(
			r, options[i].text ? E_UNTRUSTED : 0, "%s: %s", line, e.text);
		if (options[i].text)
			cr_expect(strstr(e.text, options[i].text) &&
					  strstr(e.text, "allowed_signers:1"),
				"%s: %s", line, e.text);
	}
}

Test(signers, ssh_keygen_agrees_on_every_option, .init = in_summer_time,
	.fini = scratch_leave)
{
	static const char *const argv[] = { "ssh-keygen", "-Y", "verify", "-f", "signers",
		"-O", "verify-time=20260701120000Z", "-I", "a", "-n", "git", "-s", "sig",
		NULL };
	static const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=.",
		"TZ=" SUMMER_TIME, NULL };
	autobuf armor = { 0 };
	autobuf out = { 0 };

	signing_armor(&key1, bytes_of("text"), NULL, &armor);
	scratch_put("sig", buf_bytes(&armor));
	scratch_put("text", bytes_of("text"));
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		autofree char *line = xasprintf("a %s %%1\n", options[i].options);
		autofree char *filled = with_keys(line);

		scratch_put("signers", bytes_of(filled));
		cr_expect_eq(scratch_run_env(argv, env, "text", &out) == 0,
			!options[i].text, "%s", line);
	}
}

Test(signers, the_first_line_that_allows_a_key_counts)
{
	autosigners s = parsed("old valid-before=\"20250101Z\" %1\n"
			       "new valid-after=\"20260101Z\" %1\n"
			       "never namespaces=\"file\" %1\n");
	const char *principal;
	struct error e = { 0 };

	cr_assert_eq(allow(s, &key1, NOON, &principal, &e), 0, "%s", e.text);
	cr_assert_str_eq(principal, "new");
	cr_assert_eq(allow(s, &key1, 0, &principal, &e), 0, "%s", e.text);
	cr_assert_str_eq(principal, "old");
	/* 2025-07-01: none of the three. */
	cr_assert_eq(allow(s, &key1, NOON - 365 * 86400, &principal, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "allowed_signers:3"), "%s", e.text);
}
