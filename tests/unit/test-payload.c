/* SPDX-License-Identifier: MIT */
/* The exact grammar of a release's commit: what is read, and everything refused. */
#include <criterion/criterion.h>

#include "trust/release.h"

#define OID	  "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
#define TREE	  "tree " OID "\n"
#define PARENT	  "parent " OID "\n"
#define AUTHOR	  "author A B <a@b> 1700000000 +0100\n"
#define COMMITTER "committer C <> 1800000000 -0530\n"
#define SIG	  "gpgsig -----BEGIN\n XX\n -----END\n"
#define HEADERS	  TREE AUTHOR COMMITTER

#define PRODUCT	 "Osupdate-Product: kiosk-amd64\n"
#define VERSION	 "Osupdate-Version: 2026.11.3\n"
#define SERIAL	 "Osupdate-Serial: 42\n"
#define MANIFEST "Osupdate-Manifest: blake2b-256:" HEX64 " 1234\n"
#define HEX64	 HEX16 HEX16 HEX16 HEX16
#define HEX16	 "0123456789abcdef"
#define TRAILERS PRODUCT VERSION SERIAL MANIFEST
#define TEXT	 "Subject\n\nA body.\n\n"

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
}
TestSuite(payload, .init = init);

static int read_payload(const char *text, struct release_info *info, struct error *e)
{
	return release_read_payload(bytes_of(text), info, e);
}

/* --- good ------------------------------------------------------------------------- */

Test(payload, every_field_is_read)
{
	static const char text[] = TREE PARENT PARENT AUTHOR COMMITTER
		"\n" TEXT PRODUCT VERSION SERIAL MANIFEST
		"Osupdate-Channel: beta stable/eu\n"
		"Osupdate-Valid-Until: 2027-06-01T00:00:00Z\n"
		"Osupdate-Opt-Colour: blue\n"
		"Osupdate-Opt-Colour: red\n"
		"Signed-off-by: A B <a@b>\n";
	struct digest identity = digest_of(bytes_of(text));
	struct release_info info;
	struct error e = { 0 };
	char hex[DIGEST_HEX_MAX];

	cr_assert_eq(read_payload(text, &info, &e), 0, "%s", e.text);
	cr_assert_str_eq(info.product, "kiosk-amd64");
	cr_assert_str_eq(info.version, "2026.11.3");
	cr_assert_eq(info.serial, 42);
	cr_assert_eq(info.manifest_size, 1234);
	digest_hex(&info.manifest, hex);
	cr_assert_str_eq(hex, HEX64);
	cr_assert_eq(info.n_channels, 2);
	cr_assert_str_eq(info.channels[0], "beta");
	cr_assert_str_eq(info.channels[1], "stable/eu");
	cr_assert_eq(info.valid_until, INT64_C(1811808000));
	cr_assert_eq(info.time, INT64_C(1800000000));
	oid_hex(&info.tree, hex);
	cr_assert_str_eq(hex, OID);
	cr_assert(digest_equal(&info.identity, &identity));
	cr_assert_str_eq(info.subject, "Subject");
}

/* --- bad headers ------------------------------------------------------------------ */

#define MESSAGE "\n" TEXT TRAILERS

static const struct {
	const char *payload;
	const char *text;
} bad_headers[] = {
	{ "", "empty commit" },
	{ "\n", "header \"tree\" is missing" },
	{ TREE, "without a message" },
	{ HEADERS, "without a message" },
	{ "tree " OID, "without a message" },
	{ HEADERS "x" MESSAGE, "header \"x\" is not allowed" },
	{ AUTHOR COMMITTER MESSAGE, "\"tree\" is missing before \"author\"" },
	{ TREE COMMITTER MESSAGE, "\"author\" is missing before \"committer\"" },
	{ TREE PARENT COMMITTER MESSAGE, "\"author\" is missing before \"committer\"" },
	{ TREE AUTHOR MESSAGE, "\"committer\" is missing" },
	{ TREE MESSAGE, "\"author\" is missing" },
	{ TREE COMMITTER AUTHOR MESSAGE, "\"author\" is missing before" },
	{ TREE TREE AUTHOR COMMITTER MESSAGE, "\"tree\" stands twice" },
	{ TREE PARENT TREE AUTHOR COMMITTER MESSAGE, "\"tree\" stands twice" },
	{ TREE AUTHOR AUTHOR COMMITTER MESSAGE, "\"author\" stands twice" },
	{ TREE AUTHOR PARENT COMMITTER MESSAGE, "\"parent\" is out of place" },
	{ PARENT TREE AUTHOR COMMITTER MESSAGE, "\"tree\" is missing before \"parent\"" },
	{ HEADERS COMMITTER MESSAGE, "\"committer\" stands twice" },
	{ HEADERS PARENT MESSAGE, "\"parent\" is out of place" },
	{ HEADERS "encoding UTF-8\n" MESSAGE, "\"encoding\" is not allowed" },
	{ HEADERS "mergetag object " OID "\n type commit\n" MESSAGE,
		"\"mergetag\" is not" },
	{ HEADERS "gpgsig-sha256 x\n" MESSAGE, "\"gpgsig-sha256\" is not allowed" },
	{ HEADERS "\x1b[31m x\n" MESSAGE, "\"\\033[31m\" is not allowed" },
	{ HEADERS "HG:extra x\n" MESSAGE, "\"HG:extra\" is not allowed" },
	{ HEADERS " folded\n" MESSAGE, "folded commit header" },
	{ HEADERS SIG MESSAGE, "a signature where none belongs" },
	{ "tree\n" AUTHOR COMMITTER MESSAGE, "\"tree\" without a value" },
	{ "tree " HEX16 "\n" AUTHOR COMMITTER MESSAGE, "\"" HEX16 "\" is no object id" },
	{ "tree " HEX64 "\n" AUTHOR COMMITTER MESSAGE, "is no object id" },
	{ "tree  " OID "\n" AUTHOR COMMITTER MESSAGE, "is no object id" },
	{ "tree " OID " \n" AUTHOR COMMITTER MESSAGE, "is no object id" },
	{ "tree 4B825DC642CB6EB9A060E54BF8D69288FBEE4904\n" AUTHOR COMMITTER MESSAGE,
		"is no object id" },
	{ TREE "parent x\n" PARENT AUTHOR COMMITTER MESSAGE,
		"\"parent\": \"x\" is no object" },
	{ TREE PARENT "parent \n" AUTHOR COMMITTER MESSAGE,
		"\"parent\": \"\" is no object" },
	{ HEADERS "\r" MESSAGE, "carriage return" },
	{ HEADERS "\nS\r\n\n" TRAILERS, "carriage return" },
	{ HEADERS "\nS\xff\n\n" TRAILERS, "not UTF-8" },
	{ HEADERS "\nS\xc0\xaf\n\n" TRAILERS, "not UTF-8" },
	{ TREE "author \xe9 <a@b> 1 +0000\n" COMMITTER MESSAGE, "not UTF-8" },
};

static void expect_refused(const char *payload, const char *text, size_t i)
{
	struct release_info info = { .serial = 7 };
	struct error e = { 0 };

	cr_expect_eq(read_payload(payload, &info, &e), E_UNTRUSTED, "%zu: %s", i, text);
	cr_expect(
		strstr(e.text, text), "%zu: wanted \"%s\", got \"%s\"", i, text, e.text);
	cr_expect_eq(info.serial, 7);
}

Test(payload, refuses_headers_outside_the_grammar)
{
	for (size_t i = 0; i < sizeof(bad_headers) / sizeof(bad_headers[0]); i++)
		expect_refused(bad_headers[i].payload, bad_headers[i].text, i);
}

Test(payload, refuses_nul_anywhere)
{
	static const char text[] = HEADERS MESSAGE;

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		autobuf copy = { 0 };
		struct release_info info;
		struct error e = { 0 };

		buf_adds(&copy, text);
		copy.data[i] = '\0';
		cr_assert_eq(
			release_read_payload(buf_bytes(&copy), &info, &e), E_UNTRUSTED);
		cr_assert(strstr(e.text, "NUL"), "%s", e.text);
	}
}

Test(payload, refuses_a_commit_over_the_limit)
{
	struct release_info info;
	struct error e = { 0 };
	autobuf text = { 0 };

	buf_adds(&text, HEADERS "\nS\n\n");
	while (text.size + sizeof(TRAILERS) <= RELEASE_COMMIT_MAX)
		buf_adds(&text, "x");
	buf_adds(&text, "\n\n" TRAILERS);
	cr_assert_eq(read_payload(text.data, &info, &e), E_UNTRUSTED);
	cr_assert(strstr(e.text, "over 65536 bytes"), "%s", e.text);
}

static const char *const bad_idents[] = {
	"",
	"A",
	"A <a@b>",
	"A <a@b> ",
	"A <a@b> 1",
	"A <a@b> 1 ",
	"A <a@b> 1 0000",
	"A <a@b> 1 +000",
	"A <a@b> 1 +00000",
	"A <a@b> 1 +0a00",
	"A <a@b> 1 +0060",
	"A <a@b> 1 +2400",
	"A <a@b> 1 +0000 ",
	"A <a@b> 1  +0000",
	"A <a@b>  1 +0000",
	"A <a@b>1 +0000",
	"A <a@b> -1 +0000",
	"A <a@b> +1 +0000",
	"A <a@b> 01 +0000",
	"A <a@b> 1.5 +0000",
	"A <a@b> 253402300800 +0000",
	"A <a@b> 99999999999999999999 +0000",
	"A<a@b> 1 +0000",
	"A  <a@b> 1 +0000",
	" A <a@b> 1 +0000",
	"<a@b> 1 +0000",
	" <a@b> 1 +0000",
	"A a@b> 1 +0000",
	"A <a@b 1 +0000",
	"A <<a@b> 1 +0000",
	"A <a@b>> 1 +0000",
	"A > <a@b> 1 +0000",
	"A <a@b> <c@d> 1 +0000",
	"A <a@b> 1 +0000> 1 +0000",
	"A < a@b> 1 +0000",
	"A <a@b > 1 +0000",
};

Test(payload, refuses_authors_and_committers_git_would_not_write)
{
	for (size_t i = 0; i < sizeof(bad_idents) / sizeof(bad_idents[0]); i++) {
		autofree char *author =
			xasprintf(TREE "author %s\n" COMMITTER MESSAGE, bad_idents[i]);
		autofree char *committer =
			xasprintf(TREE AUTHOR "committer %s\n" MESSAGE, bad_idents[i]);

		expect_refused(author, "commit header \"author\": ", i);
		expect_refused(committer, "commit header \"committer\": ", i);
	}
}

/* --- splitting -------------------------------------------------------------------- */

Test(payload, splits_a_commit_into_payload_and_armor)
{
	static const char commit[] = TREE PARENT AUTHOR COMMITTER SIG MESSAGE;
	struct error e = { 0 };
	autobuf payload = { 0 };
	autobuf armor = { 0 };

	cr_assert_eq(release_split_commit(bytes_of(commit), &payload, &armor, &e), 0,
		"%s", e.text);
	cr_assert_str_eq(payload.data, TREE PARENT AUTHOR COMMITTER MESSAGE);
	cr_assert_str_eq(armor.data, "-----BEGIN\nXX\n-----END");
}

static const struct {
	const char *commit;
	const char *text;
} bad_commits[] = {
	{ "", "empty commit" },
	{ HEADERS MESSAGE, "not signed" },
	{ HEADERS "gpgsig\n" MESSAGE, "\"gpgsig\" without a value" },
	{ HEADERS SIG, "without a message" },
	{ HEADERS "gpgsig x\n y", "ends in its signature" },
	{ HEADERS SIG SIG MESSAGE, "\"gpgsig\" stands twice" },
	{ HEADERS SIG "gpgsig-sha256 x\n" MESSAGE, "\"gpgsig-sha256\" is not allowed" },
	{ HEADERS "gpgsig-sha256 x\n" SIG MESSAGE, "\"gpgsig-sha256\" is not allowed" },
	{ HEADERS SIG " \n" MESSAGE, "empty line in the commit's signature" },
	{ HEADERS "gpgsig x\n \n y\n" MESSAGE, "empty line in the commit's signature" },
	{ HEADERS SIG "encoding UTF-8\n" MESSAGE, "\"encoding\" is not allowed" },
	{ HEADERS "encoding UTF-8\n" SIG MESSAGE, "\"encoding\" is not allowed" },
	{ HEADERS SIG COMMITTER MESSAGE, "\"committer\" stands twice" },
	{ TREE AUTHOR SIG COMMITTER MESSAGE,
		"\"committer\" is missing before \"gpgsig\"" },
	{ SIG HEADERS MESSAGE, "\"tree\" is missing before \"gpgsig\"" },
	{ HEADERS "\n" SIG MESSAGE, "not signed" },
	{ HEADERS SIG "\nS\r\n", "carriage return" },
	{ HEADERS "gpgsig \xff\n" MESSAGE, "not UTF-8" },
};

Test(payload, refuses_to_split_a_commit_outside_the_grammar)
{
	for (size_t i = 0; i < sizeof(bad_commits) / sizeof(bad_commits[0]); i++) {
		struct error e = { 0 };
		autobuf payload = { 0 };
		autobuf armor = { 0 };

		cr_expect_eq(release_split_commit(bytes_of(bad_commits[i].commit),
				     &payload, &armor, &e),
			E_UNTRUSTED, "%zu", i);
		cr_expect(strstr(e.text, bad_commits[i].text), "%zu: %s", i, e.text);
		cr_expect_eq(payload.size + armor.size, 0);
	}
}
