/* SPDX-License-Identifier: MIT */
/* From a raw commit to a verified release: what is taken, and everything refused. */
#include <criterion/criterion.h>

#include "scratch.h"
#include "signing.h"
#include "trust/release.h"

#define OID	  "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
#define TREE	  "tree " OID "\n"
#define AUTHOR	  "author A <a@b> 1700000000 +0000\n"
#define COMMITTER "committer A <a@b> 1782907200 +0000\n" /* 2026-07-01T12:00:00Z */
#define HEADERS	  TREE AUTHOR COMMITTER
#define HEX64	  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TRAILERS                                                                         \
	"Osupdate-Product: p\nOsupdate-Version: 1.2\nOsupdate-Serial: 7\n"               \
	"Osupdate-Manifest: blake2b-256:" HEX64 " 99\n"
#define MESSAGE "Subject\n\nBody\n\n" TRAILERS
#define PAYLOAD HEADERS "\n" MESSAGE

static struct signing_key key;

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
	key = signing_key_new(NULL);
}
TestSuite(release, .init = init);

static struct signers *signers_of(
	const char *before, const struct signing_key *k, const char *options)
{
	autofree char *words = signing_words(k);
	autofree char *text = xasprintf("%srelease@x %s %s\n", before, options, words);
	struct signers *s = NULL;
	struct error e = { 0 };

	cr_assert_eq(signers_parse("allowed_signers", bytes_of(text), &s, &e), 0, "%s",
		e.text);
	return s;
}

/* `payload` with `armor` as its gpgsig header, as git writes it. */
static void insert_armor(const char *payload, const struct buf *armor, struct buf *out)
{
	const char *end = strstr(payload, "\n\n") + 1;
	size_t size = armor->size - (armor->data[armor->size - 1] == '\n' ? 1 : 0);

	buf_add(out, payload, (size_t)(end - payload));
	buf_adds(out, "gpgsig ");
	for (size_t i = 0; i < size; i++) {
		buf_add(out, armor->data + i, 1);
		if (armor->data[i] == '\n')
			buf_adds(out, " ");
	}
	buf_adds(out, "\n");
	buf_adds(out, end);
}

static void sign(const char *payload, const struct signing_key *k, struct buf *out)
{
	autobuf armor = { 0 };

	signing_armor(k, bytes_of(payload), NULL, &armor);
	insert_armor(payload, &armor, out);
}

static int verify(const struct buf *commit, const struct signers *s, struct release **ret,
	struct error *e)
{
	return release_verify(buf_bytes(commit), NULL, 0, s, ret, e);
}

/* --- good ------------------------------------------------------------------------- */

Test(release, accepts_a_commit_signed_by_a_known_key)
{
	autosigners s = signers_of("", &key, "namespaces=\"git\"");
	struct digest identity = digest_of(bytes_of(PAYLOAD));
	autorelease r = NULL;
	struct error e = { 0 };
	autobuf commit = { 0 };
	struct oid id;
	size_t n;

	sign(PAYLOAD, &key, &commit);
	id = oid_of("commit", buf_bytes(&commit));
	cr_assert_eq(verify(&commit, s, &r, &e), 0, "%s", e.text);
	cr_assert_str_eq(release_principal(r), "release@x");
	cr_assert_eq(strncmp(release_signer(r), "SHA256:", 7), 0);
	cr_assert_str_eq(release_info(r)->product, "p");
	cr_assert_eq(release_info(r)->serial, 7);
	cr_assert_eq(release_info(r)->time, INT64_C(1782907200));
	cr_assert(oid_equal(&release_info(r)->commit, &id));
	cr_assert(digest_equal(&release_info(r)->identity, &identity));
	cr_assert_eq(release_commit(r).size, commit.size);
	cr_assert_arr_eq(release_commit(r).data, commit.data, commit.size);
	(void)release_tags(r, &n);
	cr_assert_eq(n, 0);
}

Test(release, accepts_a_security_key)
{
	struct signing_key sk = signing_key_new("ssh:osupdate");
	autosigners s = signers_of("", &sk, "");
	autorelease r = NULL;
	struct error e = { 0 };
	autobuf commit = { 0 };

	sign(PAYLOAD, &sk, &commit);
	cr_assert_eq(verify(&commit, s, &r, &e), 0, "%s", e.text);
}

Test(release, identity_does_not_depend_on_the_signature)
{
	struct signing_key other = signing_key_new(NULL);
	autosigners s1 = signers_of("", &key, "");
	autosigners s2 = signers_of("", &other, "");
	autorelease r1 = NULL;
	autorelease r2 = NULL;
	autobuf c1 = { 0 };
	autobuf c2 = { 0 };

	sign(PAYLOAD, &key, &c1);
	sign(PAYLOAD, &other, &c2);
	cr_assert_eq(verify(&c1, s1, &r1, NULL), 0);
	cr_assert_eq(verify(&c2, s2, &r2, NULL), 0);
	cr_assert(digest_equal(&release_info(r1)->identity, &release_info(r2)->identity));
	cr_assert_not(oid_equal(&release_info(r1)->commit, &release_info(r2)->commit));
}

/* --- refused ---------------------------------------------------------------------- */

static void expect_refused(const struct buf *commit, const struct signers *s,
	const char *text, const char *name)
{
	struct release *r = NULL;
	struct error e = { 0 };

	cr_expect_eq(verify(commit, s, &r, &e), E_UNTRUSTED, "%s", name);
	cr_expect_eq(e.code, E_UNTRUSTED, "%s", name);
	cr_expect(strstr(e.text, text), "%s: wanted \"%s\", got \"%s\"", name, text,
		e.text);
	cr_expect_eq(strncmp(e.text, "commit ", 7), 0, "%s", e.text);
	cr_expect_null(r, "%s", name);
}

/* Properly signed payloads outside the grammar. */
static const struct {
	const char *payload;
	const char *text;
} bad_payloads[] = {
	{ HEADERS "encoding UTF-8\n\n" MESSAGE, "\"encoding\" is not allowed" },
	{ TREE AUTHOR AUTHOR COMMITTER "\n" MESSAGE, "\"author\" stands twice" },
	{ TREE AUTHOR "committer A\n\n" MESSAGE, "header \"committer\"" },
	{ HEADERS "\nS\r\n\n" TRAILERS, "carriage return" },
	{ HEADERS "\nS\xff\n\n" TRAILERS, "not UTF-8" },
	{ HEADERS "\nNot a release\n", "no paragraph of Osupdate- trailers" },
	{ PAYLOAD "Osupdate-Serial: 8\n", "Osupdate-Serial stands twice" },
	{ PAYLOAD "Osupdate-Rollout: 10\n", "Osupdate-Rollout is not known" },
	{ HEADERS "\nS\n\nOsupdate-Serial: 8\n\n" TRAILERS,
		"outside its last paragraph" },
	{ PAYLOAD " folded\n", "which is no trailer" },
	{ PAYLOAD "Osupdate-Valid-Until: some day\n", "Osupdate-Valid-Until" },
};

Test(release, refuses_signed_commits_outside_the_grammar)
{
	autosigners s = signers_of("", &key, "");

	for (size_t i = 0; i < sizeof(bad_payloads) / sizeof(bad_payloads[0]); i++) {
		autobuf commit = { 0 };

		sign(bad_payloads[i].payload, &key, &commit);
		expect_refused(&commit, s, bad_payloads[i].text, bad_payloads[i].text);
	}
}

/* A good commit with one piece of its text replaced after it was signed. */
static const struct {
	const char *what;
	const char *with;
	const char *text;
} tampered[] = {
	{ "Serial: 7", "Serial: 8", "signature does not match" },
	{ "Body", "body", "signature does not match" },
	{ TREE, "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4905\n", "does not match" },
	{ AUTHOR, "parent " OID "\n" AUTHOR, "does not match" },
	{ "1782907200", "1782907201", "does not match" },
	{ "gpgsig -----", "gpgsig  -----", "not an SSH signature" },
	{ "BEGIN SSH", "BEGIN PGP", "not an SSH signature" },
	{ "END SSH SIGNATURE-----\n", "END SSH SIGNATURE-----\n x\n", "junk after it" },
	{ "END SSH SIGNATURE-----\n", "END SSH SIGNATURE-----\n \n", "empty line" },
	{ "END SSH SIGNATURE-----\n", "END SSH SIGNATURE----- \n", "junk after it" },
	{ "END SSH SIGNATURE-----\n", "\n", "cut short" },
	{ "\n -----END", "\n \n -----END", "empty line in the commit's signature" },
	{ "BEGIN SSH SIGNATURE-----\n U", "BEGIN SSH SIGNATURE-----\n  U", "not base64" },
	{ "BEGIN SSH SIGNATURE-----\n U1NI", "BEGIN SSH SIGNATURE-----\n U1N\n I",
		"not wrapped as ssh-keygen does" },
	{ "\n\nSubject", "\ngpgsig x\n\nSubject", "\"gpgsig\" stands twice" },
	{ "\n\nSubject", "\ngpgsig-sha256 x\n\nSubject",
		"\"gpgsig-sha256\" is not allowed" },
	{ "\n\nSubject", "\nencoding x\n\nSubject", "\"encoding\" is not allowed" },
	{ "\n\nSubject", "\n folded\n\nSubject", "junk after it" },
	{ "gpgsig", "gpgsig-sha256", "\"gpgsig-sha256\" is not allowed" },
};

static void replace(
	const struct buf *in, const char *what, const char *with, struct buf *out)
{
	const char *at = strstr(in->data, what);

	cr_assert_not_null(at, "%s", what);
	buf_add(out, in->data, (size_t)(at - in->data));
	buf_adds(out, with);
	buf_adds(out, at + strlen(what));
}

Test(release, refuses_every_change_after_signing)
{
	autosigners s = signers_of("", &key, "");
	autobuf commit = { 0 };

	sign(PAYLOAD, &key, &commit);
	for (size_t i = 0; i < sizeof(tampered) / sizeof(tampered[0]); i++) {
		autobuf other = { 0 };

		replace(&commit, tampered[i].what, tampered[i].with, &other);
		expect_refused(&other, s, tampered[i].text, tampered[i].with);
	}
}

Test(release, no_commit_with_a_flipped_bit_is_accepted)
{
	autosigners s = signers_of("", &key, "");
	autobuf commit = { 0 };

	sign(PAYLOAD, &key, &commit);
	for (size_t bit = 0; bit < commit.size * 8; bit++) {
		struct release *r = NULL;
		char flip = (char)(1 << (bit % 8));

		commit.data[bit / 8] ^= flip;
		cr_assert_eq(verify(&commit, s, &r, NULL), E_UNTRUSTED, "bit %zu", bit);
		commit.data[bit / 8] ^= flip;
	}
}

Test(release, no_cut_commit_is_accepted)
{
	autosigners s = signers_of("", &key, "");
	autobuf commit = { 0 };
	struct release *r = NULL;

	sign(PAYLOAD, &key, &commit);
	while (commit.size-- > 0)
		cr_assert_eq(
			verify(&commit, s, &r, NULL), E_UNTRUSTED, "%zu", commit.size);
}

Test(release, refuses_unsigned_and_wrongly_signed_commits)
{
	const struct signing_faults file = { .name_space = "file" };
	struct signing_key other = signing_key_new(NULL);
	autosigners s = signers_of("", &key, "");
	autobuf plain = { 0 };
	autobuf unknown = { 0 };
	autobuf armor = { 0 };
	autobuf purpose = { 0 };

	buf_adds(&plain, PAYLOAD);
	expect_refused(&plain, s, "not signed", "unsigned");
	sign(PAYLOAD, &other, &unknown);
	expect_refused(&unknown, s, "signed by SHA256:", "unknown key");
	expect_refused(&unknown, s, "which is not in allowed_signers", "unknown key");
	signing_armor(&key, bytes_of(PAYLOAD), &file, &armor);
	insert_armor(PAYLOAD, &armor, &purpose);
	expect_refused(&purpose, s, "signed for another purpose", "namespace");
}

Test(release, reads_nothing_an_unknown_key_signed)
{
	struct signing_key other = signing_key_new(NULL);
	autosigners s = signers_of("", &key, "");
	autobuf commit = { 0 };

	sign(HEADERS "\nNot a release\n", &other, &commit);
	expect_refused(&commit, s, "which is not in", "unknown key before malformed");
}

Test(release, refuses_what_the_signers_do_not_allow)
{
	autofree char *words = signing_words(&key);
	autosigners early = signers_of("", &key, "valid-after=\"20270101Z\"");
	autosigners late = signers_of("", &key, "valid-before=\"20260101Z\"");
	autosigners purpose = signers_of("", &key, "namespaces=\"file\"");
	autosigners revoked = signers_of("", &key, "");
	autosigners two = signers_of("# osupdate: threshold 2\n", &key, "");
	autobuf commit = { 0 };

	cr_assert_eq(signers_revoke(revoked, "revoked", bytes_of(words), NULL), 0);
	sign(PAYLOAD, &key, &commit);
	expect_refused(&commit, early, "not yet valid at 2026-07-01T12:00:00Z", "early");
	expect_refused(&commit, late, "no longer valid at 2026-07-01T12:00:00Z", "late");
	expect_refused(&commit, purpose, "may not sign in namespace", "purpose");
	expect_refused(&commit, revoked, "revoked by revoked:1", "revoked");
	expect_refused(&commit, two, "1 of 2 signatures", "threshold");
}

Test(release, refuses_too_many_and_too_big_tags)
{
	static const unsigned char zeros[RELEASE_TAG_MAX + 1];
	struct bytes tags[RELEASE_TAGS_MAX + 1];
	autosigners s = signers_of("", &key, "");
	struct release *r = NULL;
	struct error e = { 0 };
	autobuf commit = { 0 };

	for (size_t i = 0; i <= RELEASE_TAGS_MAX; i++)
		tags[i] = (struct bytes){ zeros, 1 };
	sign(PAYLOAD, &key, &commit);
	cr_assert_eq(
		release_verify(buf_bytes(&commit), tags, RELEASE_TAGS_MAX + 1, s, &r, &e),
		E_UNTRUSTED);
	cr_assert(strstr(e.text, "more than 64 tags"), "%s", e.text);
	tags[1].size = sizeof(zeros);
	cr_assert_eq(release_verify(buf_bytes(&commit), tags, 2, s, &r, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "a tag over 65536 bytes"), "%s", e.text);
	cr_assert_null(r);
}

/* --- the proof -------------------------------------------------------------------- */

Test(release, proof_gives_back_commit_and_tags)
{
	const struct bytes tags[] = { bytes_of("tag one\n"), bytes_of(""),
		bytes_of("3") };
	autosigners s = signers_of("", &key, "");
	struct bytes got_tags[RELEASE_TAGS_MAX];
	struct bytes got;
	autorelease r = NULL;
	autorelease again = NULL;
	struct error e = { 0 };
	autobuf commit = { 0 };
	autobuf proof = { 0 };
	autobuf second = { 0 };
	size_t n = 0;

	sign(PAYLOAD, &key, &commit);
	cr_assert_eq(
		release_verify(buf_bytes(&commit), tags, 3, s, &r, &e), 0, "%s", e.text);
	release_print_proof(r, &proof);
	cr_assert_eq(release_split_proof(buf_bytes(&proof), &got, got_tags, &n, &e), 0,
		"%s", e.text);
	cr_assert_eq(n, 3);
	cr_assert_eq(got_tags[0].size, 8);
	cr_assert_eq(got_tags[1].size, 0);
	cr_assert_arr_eq(got_tags[2].data, "3", 1);
	cr_assert_eq(release_verify(got, got_tags, n, s, &again, &e), 0, "%s", e.text);
	release_print_proof(again, &second);
	cr_assert_eq(second.size, proof.size);
	cr_assert_arr_eq(second.data, proof.data, proof.size);
}

Test(release, refuses_malformed_proofs)
{
#define HEAD "osupdate-release 1\n"
	static const struct {
		const char *proof;
		const char *text;
	} bad[] = {
		{ "", "not a release's proof" },
		{ "osupdate-release 2\n", "not a release's proof" },
		{ HEAD, "without a whole commit" },
		{ HEAD "tag 1\nx\n", "without a whole commit" },
		{ HEAD "commit x\nx\n", "without a whole commit" },
		{ HEAD "commit 1", "without a whole commit" },
		{ HEAD "commit 01\nx\n", "without a whole commit" },
		{ HEAD "commit 2\nx\n", "without a whole commit" },
		{ HEAD "commit 3\nx\n", "without a whole commit" },
		{ HEAD "commit 1\nxy", "without a whole commit" },
		{ HEAD "commit 65537\nx\n", "without a whole commit" },
		{ HEAD "commit 99999999999999999999\nx\n", "without a whole commit" },
		{ HEAD "commit 1\nx\ncommit 1\nx\n", "tag 1 is malformed" },
		{ HEAD "commit 1\nx\ntag 1\ny\nz", "tag 2 is malformed" },
		{ HEAD "commit 1\nx\n\n", "tag 1 is malformed" },
	};
	struct bytes tags[RELEASE_TAGS_MAX];
	struct bytes commit = { 0 };
	autobuf many = { 0 };
	struct error e = { 0 };
	size_t n = 77;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(release_split_proof(
				     bytes_of(bad[i].proof), &commit, tags, &n, &e),
			E_INPUT, "%zu", i);
		cr_expect(strstr(e.text, bad[i].text), "%zu: %s", i, e.text);
	}
	buf_adds(&many, HEAD "commit 1\nx\n");
	for (size_t i = 0; i <= RELEASE_TAGS_MAX; i++)
		buf_adds(&many, "tag 0\n\n");
	cr_assert_eq(
		release_split_proof(buf_bytes(&many), &commit, tags, &n, &e), E_INPUT);
	cr_assert(strstr(e.text, "more than 64 tags"), "%s", e.text);
	cr_assert_eq(n, 77);
	cr_assert_eq(commit.size, 0);
}

/* --- stock git -------------------------------------------------------------------- */

static void git(const char *const argv[])
{
	autobuf out = { 0 };

	cr_assert_eq(scratch_run(argv, NULL, &out), 0, "%s %s", argv[0], argv[1]);
}

#define GIT(...) git((const char *const[]){ "git", __VA_ARGS__, NULL })

static void make_repository(void)
{
	init();
	scratch_enter();
	git((const char *const[]){
		"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key", NULL });
	GIT("init", "-q", ".");
	GIT("config", "user.name", "R\xc3\xa9my");
	GIT("config", "user.email", "r@x");
	GIT("config", "gpg.format", "ssh");
	GIT("config", "user.signingkey", "key.pub");
	GIT("config", "gpg.ssh.allowedSignersFile", "allowed_signers");
	scratch_put("message", bytes_of(MESSAGE));
	scratch_put("file", bytes_of("text\n"));
	GIT("add", "file");
}

static struct signers *signers_of_key_file(void)
{
	autobuf words = { 0 };
	autofree char *text = NULL;
	struct signers *s = NULL;
	struct error e = { 0 };

	cr_assert_eq(
		io_read_file_at(AT_FDCWD, "key.pub", 4096, &words, &e), 0, "%s", e.text);
	text = xasprintf(
		"# osupdate: threshold 1\nr@x namespaces=\"git\" %s", words.data);
	scratch_put("allowed_signers", bytes_of(text));
	cr_assert_eq(signers_parse("allowed_signers", bytes_of(text), &s, &e), 0, "%s",
		e.text);
	return s;
}

/* Verify HEAD; the release's id is git's. */
static void expect_head_is_release(const struct signers *s)
{
	static const char *const cat[] = { "git", "cat-file", "commit", "HEAD", NULL };
	static const char *const parse[] = { "git", "rev-parse", "HEAD", NULL };
	autorelease r = NULL;
	autobuf commit = { 0 };
	autobuf id = { 0 };
	struct error e = { 0 };
	char hex[OID_HEX_MAX];

	cr_assert_eq(scratch_run(cat, NULL, &commit), 0);
	cr_assert_eq(scratch_run(parse, NULL, &id), 0);
	cr_assert_eq(verify(&commit, s, &r, &e), 0, "%s", e.text);
	oid_hex(&release_info(r)->commit, hex);
	cr_assert_eq(strncmp(id.data, hex, 40), 0, "%s", id.data);
	cr_assert_eq(release_info(r)->serial, 7);
	GIT("verify-commit", "HEAD");
}

Test(release, accepts_what_stock_git_signs_and_git_agrees, .init = make_repository,
	.fini = scratch_leave)
{
	autosigners s = signers_of_key_file();

	GIT("commit", "-q", "-S", "-F", "message");
	expect_head_is_release(s);
	/* Signed again in a clone, as a person would. */
	GIT("commit", "-q", "-S", "--amend", "--no-edit", "--date=@1700000000 -0330");
	expect_head_is_release(s);
	GIT("commit", "-q", "-S", "--allow-empty", "-F", "message");
	expect_head_is_release(s);
}

Test(release, refuses_what_git_calls_good_but_is_spelled_otherwise,
	.init = make_repository, .fini = scratch_leave)
{
	static const char *const cat[] = { "git", "cat-file", "commit", "HEAD", NULL };
	static const char *const hash[] = { "git", "hash-object", "-t", "commit", "-w",
		"--literally", "other", NULL };
	static const struct {
		const char *what;
		const char *with;
		const char *text;
	} cases[] = {
		{ "END SSH SIGNATURE-----\n", "END SSH SIGNATURE-----\n junk\n", "junk" },
		{ "BEGIN SSH SIGNATURE-----\n U1NI", "BEGIN SSH SIGNATURE-----\n U1N\n I",
			"not wrapped" },
		{ "\n\nSubject", "\ngpgsig-sha256 x\n\nSubject", "not allowed" },
	};
	autosigners s = signers_of_key_file();
	autobuf commit = { 0 };

	GIT("commit", "-q", "-S", "-F", "message");
	cr_assert_eq(scratch_run(cat, NULL, &commit), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autobuf other = { 0 };
		autobuf id = { 0 };

		replace(&commit, cases[i].what, cases[i].with, &other);
		scratch_put("other", buf_bytes(&other));
		cr_assert_eq(scratch_run(hash, NULL, &id), 0);
		id.data[40] = '\0';
		GIT("verify-commit", id.data);
		expect_refused(&other, s, cases[i].text, cases[i].text);
	}
}
