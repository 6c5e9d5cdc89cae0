/* SPDX-License-Identifier: MIT */
/* The text of a commit: what is printed reads back, and what must not be signed. */
#include <criterion/criterion.h>

#include "build/stamp.h"
#include "scratch.h"
#include "trust/release.h"

static struct oid tree;
static struct oid parent;
static struct digest manifest;
static git_repository *repo;

static void init(void)
{
	struct error e = { 0 };

	cr_assert_eq(digest_init_once(NULL), 0);
	tree = oid_of("tree", bytes_of(""));
	parent = oid_of("commit", bytes_of(""));
	manifest = digest_of(bytes_of("m"));
	scratch_enter();
	cr_assert_eq(setenv("HOME", scratch_dir, 1), 0);
	cr_assert_eq(repo_start(&e), 0);
	(void)git_libgit2_opts(
		GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, scratch_dir);
	cr_assert_eq(repo_init("r", false, &repo, &e), 0, "%s", e.text);
	for (const char *const *name = (const char *const[]){ "GIT_AUTHOR_NAME",
		     "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL",
		     "SOURCE_DATE_EPOCH", NULL };
		*name; name++)
		cr_assert_eq(unsetenv(*name), 0);
}

static void fini(void)
{
	git_repository_free(repo);
	(void)git_libgit2_shutdown();
	scratch_leave();
}
TestSuite(stamp, .init = init, .fini = fini);

static struct stamp plain(void)
{
	return (struct stamp){ .product = "kiosk", .version = "1.2", .serial = 7 };
}

static int print(struct stamp s, struct buf *out, struct error *e)
{
	static char who[] = "A <a@b>";

	s.author = s.author ? s.author : who;
	s.committer = s.committer ? s.committer : who;
	s.time = 1700000000;
	return stamp_print(&s, &tree, &parent, &manifest, 99, out, e);
}

Test(stamp, prints_what_a_device_reads)
{
	static const char *const channels[] = { "beta", "stable/eu" };
	struct stamp s = plain();
	struct release_info info;
	struct error e = { 0 };
	autobuf payload = { 0 };
	autobuf commit = { 0 };
	autobuf again = { 0 };
	autobuf armor = { 0 };

	s.channels = channels;
	s.n_channels = 2;
	s.message = "Subject\n\nBody.\n\n\n";
	cr_assert_eq(print(s, &payload, &e), 0, "%s", e.text);
	cr_assert_eq(
		release_read_payload(buf_bytes(&payload), &info, &e), 0, "%s", e.text);
	cr_assert_str_eq(info.subject, "Subject");
	cr_assert_eq(info.serial, 7);
	cr_assert_eq(info.n_channels, 2);
	cr_assert_str_eq(info.channels[1], "stable/eu");
	cr_assert_eq(info.time, 1700000000);
	stamp_sign(buf_bytes(&payload), bytes_of("-----BEGIN\nx\n-----END"), &commit);
	cr_assert_eq(release_split_commit(buf_bytes(&commit), &again, &armor, &e), 0,
		"%s", e.text);
	cr_assert_str_eq(again.data, payload.data);
	cr_assert_str_eq(armor.data, "-----BEGIN\nx\n-----END");
}

static const struct {
	const char *text;
	int64_t until; /* 0: refused */
} limits[] = {
	{ "1d", 1700086400 },
	{ "90d", 1707776000 },
	{ "36525d", 4855760000 },
	{ "2027-06-01T00:00:00Z", 1811808000 },
	{ "0d", 0 },
	{ "d", 0 },
	{ "90", 0 },
	{ "090d", 0 },
	{ "36526d", 0 },
	{ "-1d", 0 },
	{ "", 0 },
	{ "2023-11-14T22:13:20Z", 0 }, /* the commit's own time */
	{ "2023-11-14T22:13:21Z", 1700000001 },
	{ "2027-06-01", 0 },
};

Test(stamp, valid_until_a_time_or_for_days)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct stamp s = plain();
		struct release_info info;
		struct error e = { 0 };
		autobuf payload = { 0 };
		int r;

		s.valid_until = limits[i].text;
		r = print(s, &payload, &e);
		if (!limits[i].until) {
			cr_expect_eq(r, E_USAGE, "%s", limits[i].text);
			cr_expect(strstr(e.text, "--valid-until"), "%s", e.text);
			continue;
		}
		cr_assert_eq(r, 0, "%s", e.text);
		cr_assert_eq(release_read_payload(buf_bytes(&payload), &info, &e), 0);
		cr_expect_eq(info.valid_until, limits[i].until, "%s", limits[i].text);
	}
}

Test(stamp, has_a_subject_of_its_own)
{
	struct release_info info;
	autobuf payload = { 0 };

	cr_assert_eq(print(plain(), &payload, NULL), 0);
	cr_assert_eq(release_read_payload(buf_bytes(&payload), &info, NULL), 0);
	cr_assert_str_eq(info.subject, "kiosk 1.2");
}

Test(stamp, refuses_what_devices_would_refuse)
{
	static char bad_author[] = "A <a@b";
	static char newline_author[] = "A\nparent x <a@b>";
	static const char *const bad_channel[] = { "a b" };
	static const char *const no_channel[] = { "" };
	const struct stamp cases[] = {
		{ .product = "a b", .version = "1", .serial = 1 },
		{ .product = "", .version = "1", .serial = 1 },
		{ .product = "p", .version = "", .serial = 1 },
		{ .product = "p", .version = "1\nOsupdate-Serial: 2", .serial = 1 },
		{ .product = "p", .version = "1\nSigned-off-by: x", .serial = 1 },
		{ .product = "p", .version = "1\xff", .serial = 1 },
		{ .product = "p", .version = "1", .serial = 1, .message = "" },
		{ .product = "p", .version = "1", .serial = 1, .message = "x\r\ny" },
		{ .product = "p",
			.version = "1",
			.serial = 1,
			.message = "x\n\nosupdate-serial: 9" },
		{ .product = "p", .version = "1", .serial = 1, .author = bad_author },
		{ .product = "p", .version = "1", .serial = 1, .author = newline_author },
		{ .product = "p",
			.version = "1",
			.serial = 1,
			.channels = bad_channel,
			.n_channels = 1 },
		{ .product = "p",
			.version = "1",
			.serial = 1,
			.channels = no_channel,
			.n_channels = 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = { 0 };
		autobuf out = { 0 };

		cr_assert_eq(print(cases[i], &out, &e), E_USAGE, "case %zu", i);
		cr_assert_not_null(strstr(e.text, "devices would refuse"), "%s", e.text);
	}
}

Test(stamp, takes_people_from_environment_then_configuration)
{
	autogit(git_config) config = NULL;
	struct stamp s = plain();
	struct error e = { 0 };

	cr_assert_eq(stamp_people(&s, repo, &e), E_USAGE);
	cr_assert_not_null(strstr(e.text, "who commits?"), "%s", e.text);
	stamp_release(&s);
	cr_assert_eq(git_repository_config(&config, repo), 0);
	cr_assert_eq(git_config_set_string(config, "user.name", "Conf"), 0);
	cr_assert_eq(git_config_set_string(config, "user.email", "c@x"), 0);
	cr_assert_eq(setenv("GIT_COMMITTER_NAME", "Env", 1), 0);
	cr_assert_eq(setenv("SOURCE_DATE_EPOCH", "1234", 1), 0);
	cr_assert_eq(stamp_people(&s, repo, &e), 0, "%s", e.text);
	cr_assert_str_eq(s.author, "Conf <c@x>");
	cr_assert_str_eq(s.committer, "Env <c@x>");
	cr_assert_eq(s.time, 1234);
	stamp_release(&s);
}

Test(stamp, refuses_a_date_that_is_none)
{
	struct stamp s = plain();
	struct error e = { 0 };

	cr_assert_eq(setenv("SOURCE_DATE_EPOCH", "-1", 1), 0);
	cr_assert_eq(stamp_people(&s, repo, &e), E_USAGE);
	cr_assert_not_null(strstr(e.text, "SOURCE_DATE_EPOCH=-1"), "%s", e.text);
	stamp_release(&s);
}
