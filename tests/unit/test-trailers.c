/* SPDX-License-Identifier: MIT */
/* Messages of releases: what is read, and everything that could be read in two ways. */
#include <criterion/criterion.h>

#include "trust/trailers.h"

#define PRODUCT	     "Osupdate-Product: kiosk-amd64\n"
#define VERSION	     "Osupdate-Version: 2026.11.3\n"
#define SERIAL	     "Osupdate-Serial: 42\n"
#define MANIFEST     "Osupdate-Manifest: " DIGEST " 1234\n"
#define HEX16	     "0123456789abcdef"
#define DIGEST	     "blake2b-256:" HEX16 HEX16 HEX16 HEX16
#define TRAILERS     PRODUCT VERSION SERIAL MANIFEST
#define NOT_SERIAL   "S\n\n" PRODUCT VERSION MANIFEST
#define NOT_PRODUCT  "S\n\n" VERSION SERIAL MANIFEST
#define NOT_VERSION  "S\n\n" PRODUCT SERIAL MANIFEST
#define NOT_MANIFEST "S\n\n" PRODUCT VERSION SERIAL

static void init(void)
{
	cr_assert_eq(digest_init_once(NULL), 0);
}
TestSuite(trailers, .init = init);

static int read_message(const char *text, struct release_info *info, struct error *e)
{
	return trailers_read(bytes_of(text), info, e);
}

/* --- good ------------------------------------------------------------------------- */

Test(trailers, optional_ones_may_be_missing)
{
	struct release_info info = { .n_channels = 9, .valid_until = 9 };
	struct error e = { 0 };

	cr_assert_eq(read_message("S\n\n" TRAILERS, &info, &e), 0, "%s", e.text);
	cr_assert_eq(info.n_channels, 0);
	cr_assert_eq(info.valid_until, INT64_MAX);
	cr_assert_eq(info.serial, 42);
}

static void expect_subject(const char *first, size_t size)
{
	struct release_info info = { 0 };
	struct error e = { 0 };
	autobuf text = { 0 };

	buf_adds(&text, first);
	for (size_t i = 0; i < 100; i++)
		buf_adds(&text, "\xe2\x82\xac"); /* three bytes; 255 is 85 of them */
	buf_adds(&text, "\n\n" TRAILERS);
	cr_assert_eq(read_message(text.data, &info, &e), 0, "%s", e.text);
	cr_assert_eq(strlen(info.subject), size);
	cr_assert_eq(memcmp(info.subject, text.data, size), 0);
}

Test(trailers, long_subject_is_cut_between_characters)
{
	expect_subject("", 255);
	expect_subject("x", 253);
	expect_subject("xx", 254);
}

Test(trailers, accepts_what_a_builder_may_write)
{
	static const char *const good[] = {
		NOT_SERIAL "Osupdate-Serial: 18446744073709551615\n",
		NOT_VERSION "Osupdate-Version: 1 \xc3\xa9 (x) \\\n",
		NOT_PRODUCT "Osupdate-Product: a.b_c-d/e\n",
		"S\nT\n\nsays Osupdate-Serial: 1\n Osupdate-x\n\n\n\n" TRAILERS,
		"S\n\n" TRAILERS "Fixes:#3\nX: y  \nAcked-by:\n",
		"S\n\n" TRAILERS "Osupdate-Opt-X: 1\nOsupdate-Opt-X:\n",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct release_info info = { 0 };
		struct error e = { 0 };

		cr_expect_eq(read_message(good[i], &info, &e), 0, "%zu: %s", i, e.text);
	}
}

Test(trailers, as_many_channels_as_the_limit)
{
	for (int n = RELEASE_CHANNELS_MAX; n <= RELEASE_CHANNELS_MAX + 1; n++) {
		struct release_info info = { 0 };
		struct error e = { 0 };
		autobuf text = { 0 };

		buf_adds(&text, "S\n\n" TRAILERS "Osupdate-Channel:");
		for (int i = 0; i < n; i++)
			buf_addf(&text, " c%d", i);
		buf_adds(&text, "\n");
		cr_assert_eq(read_message(text.data, &info, &e),
			n > RELEASE_CHANNELS_MAX ? E_UNTRUSTED : 0, "%d: %s", n, e.text);
	}
}

/* --- bad -------------------------------------------------------------------------- */

#define V32  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define V129 V32 V32 V32 V32 "x"

struct bad {
	const char *message;
	const char *text;
};

static void expect_refused(const struct bad *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct release_info info = { 0 };
		struct error e = { 0 };

		cr_expect_eq(read_message(bad[i].message, &info, &e), E_UNTRUSTED,
			"%zu: %s", i, bad[i].message);
		cr_expect(strstr(e.text, bad[i].text), "%zu: wanted \"%s\", got \"%s\"",
			i, bad[i].text, e.text);
	}
}

#define EXPECT_REFUSED(table) expect_refused((table), sizeof(table) / sizeof((table)[0]))

Test(trailers, refuses_messages_without_the_form)
{
	static const struct bad bad[] = {
		{ "", "no subject" },
		{ "\n", "no subject" },
		{ "\nS\n\n" TRAILERS, "no subject" },
		{ "S", "exactly one newline" },
		{ "S\n\n" TRAILERS "\n", "exactly one newline" },
		{ "S\n\n" TRAILERS "\n\n", "exactly one newline" },
		{ NOT_MANIFEST "Osupdate-Manifest: x", "exactly one newline" },
		{ "S\n", "no paragraph of Osupdate- trailers" },
		{ "S\n" TRAILERS, "no paragraph of Osupdate- trailers" },
		{ TRAILERS, "no paragraph of Osupdate- trailers" },
		{ "S\n\nbody\n", "its last paragraph holds \"body\"" },
		{ "S\n\nbody\n" TRAILERS, "its last paragraph holds \"body\"" },
		{ "S\n\n" TRAILERS "(cherry picked from x)\n", "holds \"(cherry picked" },
		{ "S\n\n" TRAILERS " folded\n",
			"holds \" folded\", which is no trailer" },
		{ "S\n\n" TRAILERS "\tfolded: x\n", "which is no trailer" },
		{ "S\n\n" TRAILERS "# comment\n", "which is no trailer" },
		{ "S\n\n" TRAILERS "---\nX: y\n", "which is no trailer" },
		{ "S\n\n" TRAILERS ": x\n", "which is no trailer" },
		{ "S\n\n" TRAILERS " \nX: y\n", "which is no trailer" },
		{ "S\n\n" TRAILERS "\x1b[31m\n", "\"\\033[31m\"" },
		{ NOT_SERIAL "Osupdate-Serial : 42\n", "which is no trailer" },
		{ NOT_SERIAL "Osupdate-Serial\n", "which is no trailer" },
	};

	EXPECT_REFUSED(bad);
}

Test(trailers, refuses_missing_doubled_unknown_and_misplaced_ones)
{
	static const struct bad bad[] = {
		{ "S\n\nSigned-off-by: x\n", "no trailer Osupdate-Product" },
		{ NOT_PRODUCT, "no trailer Osupdate-Product" },
		{ NOT_VERSION, "no trailer Osupdate-Version" },
		{ NOT_SERIAL, "no trailer Osupdate-Serial" },
		{ NOT_MANIFEST, "no trailer Osupdate-Manifest" },
		{ "S\n\n" TRAILERS PRODUCT, "Osupdate-Product stands twice" },
		{ "S\n\n" TRAILERS VERSION, "Osupdate-Version stands twice" },
		{ "S\n\n" TRAILERS "X: y\n" SERIAL, "Osupdate-Serial stands twice" },
		{ "S\n\n" TRAILERS MANIFEST, "Osupdate-Manifest stands twice" },
		{ "S\n\n" TRAILERS "Osupdate-Channel: a\nOsupdate-Channel: b\n",
			"Osupdate-Channel stands twice" },
		{ "S\n\n" TRAILERS "Osupdate-Rollout: 10\n",
			"Osupdate-Rollout is not known" },
		{ "S\n\n" TRAILERS "Osupdate-: x\n", "Osupdate- is not known" },
		{ "S\n\n" TRAILERS "Osupdate-Opt: x\n", "Osupdate-Opt is not known" },
		{ "S\n\n" TRAILERS "osupdate-opt-x: x\n", "osupdate-opt-x is not known" },
		{ "S\n\n" TRAILERS "osupdate-serial: 43\n",
			"osupdate-serial is not known" },
		{ "S\n\n" TRAILERS "Osupdate-Serials: 43\n", "is not known" },
		{ NOT_SERIAL "OSUPDATE-SERIAL: 42\n", "is not known" },
		{ "S\n\n" TRAILERS "\nX: y\n",
			"\"Osupdate-Product: kiosk-amd64\" stands" },
		{ "S\n\n" SERIAL "\n" TRAILERS,
			"\"Osupdate-Serial: 42\" stands outside" },
		{ "S\n\nb\nosupdate-serial: 43\n\n" TRAILERS, "\"osupdate-serial: 43\"" },
		{ "Osupdate-Serial: 43\n\n" TRAILERS, "stands outside" },
		{ "S\n" SERIAL "\n" TRAILERS, "stands outside" },
		{ "S\n\nOsupdate-Opt-X: 1\n\n" TRAILERS, "stands outside" },
	};

	EXPECT_REFUSED(bad);
}

Test(trailers, refuses_bad_serials_products_and_versions)
{
	static const struct bad bad[] = {
		{ NOT_SERIAL "Osupdate-Serial:42\n",
			"Osupdate-Serial: \"42\" is not a dec" },
		{ NOT_SERIAL "Osupdate-Serial:\n",
			"Osupdate-Serial: \"\" is not a decimal" },
		{ NOT_SERIAL "Osupdate-Serial: \n", "is not a decimal" },
		{ NOT_SERIAL "Osupdate-Serial:  42\n", "is not a decimal" },
		{ NOT_SERIAL "Osupdate-Serial: 42 \n", "is not a decimal" },
		{ NOT_SERIAL "Osupdate-Serial: 042\n", "is not a decimal" },
		{ NOT_SERIAL "Osupdate-Serial: -1\n", "is not a decimal" },
		{ NOT_SERIAL "Osupdate-Serial: 18446744073709551616\n",
			"is not a decimal" },
		{ NOT_PRODUCT "Osupdate-Product: a b\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: \xc3\xa9\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: -a\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: /a\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: a/\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: a//b\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: a/-b\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: a/.b\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: a..b\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: a./b\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: .a\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: a.\n", "is not a name" },
		{ NOT_PRODUCT "Osupdate-Product: " V129 "\n", "is not a name" },
		{ NOT_VERSION "Osupdate-Version: " V129 "\n", "at most 128" },
		{ NOT_VERSION "Osupdate-Version: 1\x1b[31m\n", "printable" },
		{ NOT_VERSION "Osupdate-Version: 1\t2\n", "printable" },
		{ NOT_VERSION "Osupdate-Version: 1\x7f\n", "printable" },
		{ NOT_VERSION "Osupdate-Version: 1 \n", "\" 1 \" is not" },
		{ NOT_VERSION "Osupdate-Version:  1\n", "\"  1\" is not" },
		{ NOT_VERSION "Osupdate-Version: 1\xc2\x9b\n", "printable" },
	};

	EXPECT_REFUSED(bad);
}

Test(trailers, refuses_bad_manifests_channels_and_times)
{
	static const struct bad bad[] = {
		{ NOT_MANIFEST "Osupdate-Manifest: " HEX16 " 1\n",
			"blake2b-256:<64 hex>" },
		{ NOT_MANIFEST "Osupdate-Manifest: sha256:" HEX16 HEX16 HEX16 HEX16
			       " 1\n",
			"<64 hex>" },
		{ NOT_MANIFEST "Osupdate-Manifest: " DIGEST "\n", "<64 hex>" },
		{ NOT_MANIFEST "Osupdate-Manifest: " DIGEST " \n", "<64 hex>" },
		{ NOT_MANIFEST "Osupdate-Manifest: " DIGEST "  1\n", "<64 hex>" },
		{ NOT_MANIFEST "Osupdate-Manifest: " DIGEST " 1 2\n", "<64 hex>" },
		{ NOT_MANIFEST "Osupdate-Manifest: " DIGEST " 01\n", "<64 hex>" },
		{ NOT_MANIFEST "Osupdate-Manifest: " DIGEST "0 1\n", "<64 hex>" },
		{ NOT_MANIFEST "Osupdate-Manifest: blake2b-256:" HEX16 " 1\n",
			"<64 hex>" },
		{ NOT_MANIFEST "Osupdate-Manifest: blake2b-256:" HEX16 HEX16 HEX16
			       "0123456789ABCDEF 1\n",
			"<64 hex>" },
		{ "S\n\n" TRAILERS "Osupdate-Channel: a  b\n",
			"different channel names" },
		{ "S\n\n" TRAILERS "Osupdate-Channel: a,b\n", "different channel names" },
		{ "S\n\n" TRAILERS "Osupdate-Channel: a b a\n",
			"different channel names" },
		{ "S\n\n" TRAILERS "Osupdate-Channel: a " V129 "\n",
			"different channel" },
		{ "S\n\n" TRAILERS "Osupdate-Channel: --x\n", "different channel names" },
		{ "S\n\n" TRAILERS "Osupdate-Valid-Until: tomorrow\n",
			"is not a time like" },
		{ "S\n\n" TRAILERS "Osupdate-Valid-Until: 2027-02-29T00:00:00Z\n",
			"is not a time like" },
		{ "S\n\n" TRAILERS "Osupdate-Valid-Until: 2027-06-01T00:00:00+00:00\n",
			"is not a time like" },
	};

	EXPECT_REFUSED(bad);
}
