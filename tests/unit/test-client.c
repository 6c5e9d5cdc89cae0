/* SPDX-License-Identifier: MIT */
/*
 * Root's side of the store protocol against a store process that lies, stalls and dies
 * (fake-store.c): updater/store/client.c, client-contents.c, process.c.
 */
#include <poll.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "store/client.h"
#include "store/frame.h"

static char dir[64];
static int state = -1;
static struct passwd *user;
static struct oid id;

static void setup(void)
{
	struct error e;

	(void)snprintf(dir, sizeof(dir), "/tmp/osupdate-client-XXXXXX");
	cr_assert(mkdtemp(dir));
	state = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(state, 0);
	/* Root becomes somebody else; anybody else stays. */
	user = geteuid() == 0 ? getpwnam("nobody") : getpwuid(geteuid());
	cr_assert(user);
	cr_assert_eq(digest_init_once(&e), 0);
}

static void teardown(void)
{
	(void)unlinkat(state, "store", 0);
	(void)unlinkat(state, "store", AT_REMOVEDIR);
	(void)rmdir(dir);
	close(state);
}

TestSuite(client, .init = setup, .fini = teardown);

static int open_as(
	const char *url, struct store_options o, struct store **ret, struct error *e)
{
	autofree char *option = xasprintf("url=%s", url);
	const char *options[] = { "username=me", option, NULL };

	o.program = FAKE_STORE;
	o.user = user->pw_name;
	o.state_dirfd = state;
	o.options = options;
	return store_open(&o, ret, e);
}

static int open_with(const char *url, int stall_timeout_ms, const struct progress *p,
	struct store **ret, struct error *e)
{
	return open_as(url,
		(struct store_options){
			.stall_timeout_ms = stall_timeout_ms, .progress = p },
		ret, e);
}

static struct store *start(const char *url)
{
	struct store *s = NULL;
	struct error e = { 0 };

	cr_assert_eq(open_with(url, 20000, NULL, &s, &e), 0, "%s", e.text);
	return s;
}

static bool says(const struct error *e, const char *part)
{
	if (strstr(e->text, part))
		return true;
	(void)fprintf(stderr, "expected \"%s\" in \"%s\"\n", part, e->text);
	return false;
}

Test(client, list_and_fetch_give_the_tip)
{
	autostore s = start("fine");
	struct oid tip = { 0 };
	struct error e;

	cr_assert_eq(store_list(s, "stable", &tip, &e), 0);
	cr_assert_eq(tip.b[0], 0xab);
	cr_assert_eq(tip.b[1], 0xcd);
	memset(&tip, 0, sizeof(tip));
	cr_assert_eq(store_fetch(s, "stable", &tip, &e), 0);
	cr_assert_eq(tip.b[0], 0xab);
}

Test(client, absent_channel_is_not_found_and_named)
{
	autostore s = start("tip-absent");
	struct oid tip = { { 1 } };
	struct error e;

	cr_assert_eq(store_fetch(s, "beta", &tip, &e), E_NOTFOUND);
	cr_assert(says(&e, "tip-absent has no channel beta"));
	cr_assert_eq(tip.b[0], 1);
	cr_assert_eq(store_list(s, "beta", &tip, &e), E_NOTFOUND);
}

/* What must end every request, and every later one. */
Test(client, nonsense_ends_the_conversation)
{
	static const struct {
		const char *script;
		const char *text;
	} table[] = {
		{ "huge", "2147483647 bytes" },
		{ "cut", "ended early" },
		{ "gone", "ended early (exit code 3): something br\\033ke" },
		{ "killed", "killed by signal 9" },
		{ "unknown", "frame 200" },
		{ "data", "out of order" },
		{ "empty-error", "out of order" },
		{ "odd-progress", "out of order" },
		{ "tip-short", "out of order" },
		{ "tip-twice", "out of order" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		autostore s = start(table[i].script);
		struct oid tip;
		struct error e = { 0 };

		cr_expect_eq(store_fetch(s, "stable", &tip, &e), E_REMOTE, "%s",
			table[i].script);
		cr_expect(says(&e, table[i].text), "%s", table[i].script);
		cr_expect_eq(store_list(s, "stable", &tip, &e), E_REMOTE, "%s",
			table[i].script);
	}
}

Test(client, silence_ends_after_the_stall_timeout)
{
	autostore s = NULL;
	struct oid tip;
	struct error e = { 0 };

	cr_assert_eq(open_with("silence", 300, NULL, &s, &e), 0);
	cr_assert_eq(store_list(s, "stable", &tip, &e), E_REMOTE);
	cr_assert(says(&e, "no progress for 300 ms from silence"));
}

Test(client, repeated_progress_is_silence)
{
	autostore s = NULL;
	struct oid tip;
	struct error e = { 0 };

	cr_assert_eq(open_with("repeat", 300, NULL, &s, &e), 0);
	cr_assert_eq(store_fetch(s, "stable", &tip, &e), E_REMOTE);
	cr_assert(says(&e, "no progress"));
}

Test(client, slow_progress_is_no_silence)
{
	autostore s = NULL;
	struct oid tip;
	struct error e = { 0 };

	cr_assert_eq(open_with("slow", 300, NULL, &s, &e), 0);
	cr_assert_eq(store_fetch(s, "stable", &tip, &e), 0, "%s", e.text);
}

/* Not silent, and yet without end: a byte in 100 ms; progress that is made up. */
Test(client, what_gets_nowhere_ends)
{
	static const struct {
		const char *script;
		struct store_options how;
		const char *text;
	} table[] = {
		{ "drip", { .stall_timeout_ms = 20000, .pace_window_ms = 1000 },
			"too slow: less than 16 bytes a second for 1 s from drip" },
		{ "forever", { .stall_timeout_ms = 20000, .pace_total_ms = 300 },
			"no end after 0 minutes of waiting for forever" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		autostore s = NULL;
		struct oid tip;
		struct error e = { 0 };

		cr_assert_eq(open_as(table[i].script, table[i].how, &s, &e), 0);
		cr_expect_eq(store_fetch(s, "stable", &tip, &e), E_REMOTE);
		cr_expect(says(&e, table[i].text));
		cr_expect_eq(store_fetch(s, "stable", &tip, &e), E_REMOTE);
		cr_expect(says(&e, "has ended"));
	}
}

static volatile sig_atomic_t stop_now;

static void on_alarm(int sig)
{
	(void)sig;
	stop_now = 1;
}

Test(client, interrupt_works_while_the_store_is_silent, .timeout = 10)
{
	struct progress p = { .stop = &stop_now };
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	autostore s = NULL;
	struct oid tip;
	struct error e = { 0 };

	cr_assert_eq(open_with("silence", 60000, &p, &s, &e), 0);
	cr_assert_eq(sigaction(SIGALRM, &act, NULL), 0);
	(void)alarm(1);
	cr_assert_eq(store_fetch(s, "stable", &tip, &e), E_INTERRUPTED);
}

static void count(void *ctx, const struct progress_event *event)
{
	uint64_t *sum = ctx;

	cr_expect_str_eq(event->step, "fetch");
	cr_expect_str_eq(event->unit, "bytes");
	*sum += event->done;
}

Test(client, progress_of_a_fetch_is_reported)
{
	uint64_t sum = 0;
	struct progress p = { .report = count, .ctx = &sum };
	autostore s = NULL;
	struct oid tip;
	struct error e = { 0 };

	cr_assert_eq(open_with("progress", 20000, &p, &s, &e), 0);
	cr_assert_eq(store_list(s, "stable", &tip, &e), 0);
	cr_assert_eq(sum, 0);
	cr_assert_eq(store_fetch(s, "stable", &tip, &e), 0);
	cr_assert_eq(sum, 3000);
}

Test(client, faults_become_classes_and_keep_the_conversation)
{
	static const struct {
		const char *script;
		int code;
	} table[] = {
		{ "fault-server", E_REMOTE },
		{ "fault-notfound", E_NOTFOUND },
		{ "fault-local", E_SYSTEM },
		{ "fault-usage", E_INPUT },
		{ "fault-space", E_SPACE },
		{ "fault-99", E_REMOTE },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		autostore s = start(table[i].script);
		struct oid tip;
		struct error e = { 0 };

		for (int again = 0; again < 2; again++) {
			cr_expect_eq(store_fetch(s, "stable", &tip, &e), table[i].code);
			cr_expect_str_eq(e.text, "why\\012so");
		}
	}
}

Test(client, refused_option_fails_the_open)
{
	struct store *s = NULL;
	struct error e = { 0 };

	cr_assert_eq(open_with("bad-option", 20000, NULL, &s, &e), E_INPUT);
	cr_assert_null(s);
	cr_assert(says(&e, "no such option"));
}

Test(client, unknown_user_is_told_how_to_be_made)
{
	const char *options[] = { NULL };
	struct store_options o = { .program = FAKE_STORE,
		.user = "no-such-user-1",
		.state_dirfd = state,
		.options = options };
	struct store *s = NULL;
	struct error e = { 0 };

	cr_assert_eq(store_open(&o, &s, &e), E_NOTFOUND);
	cr_assert(says(&e, "useradd --system --user-group --no-create-home --shell "
			   "/usr/sbin/nologin no-such-user-1"));
}

Test(client, missing_program_is_not_found_and_a_useless_one_fails)
{
	const char *options[] = { NULL };
	struct store_options o = { .program = "/nonexistent/osupdate-store",
		.user = user->pw_name,
		.state_dirfd = state,
		.options = options };
	struct store *s = NULL;
	struct error e = { 0 };

	cr_assert_eq(store_open(&o, &s, &e), E_NOTFOUND);
	cr_assert(says(&e, "/nonexistent/osupdate-store"));
	o.program = "/etc/passwd";
	cr_assert_eq(store_open(&o, &s, &e), E_SYSTEM);
	cr_assert(says(&e, "cannot be run"));
}

Test(client, store_directory_is_never_a_link)
{
	struct store *s = NULL;
	struct error e = { 0 };

	cr_assert_eq(symlinkat("/tmp", state, "store"), 0);
	cr_assert_lt(open_with("fine", 20000, NULL, &s, &e), 0);
	cr_assert_eq(unlinkat(state, "store", 0), 0);
}

/* How it is done, and what is left alone, is in tests/integration/privileges. */
Test(client, store_directory_of_another_number_becomes_the_users)
{
	autostore s = NULL;
	struct error e = { 0 };
	struct stat st;

	if (geteuid() != 0)
		return; /* nobody else's directory can be made here */
	cr_assert_eq(mkdirat(state, "store", 0700), 0);
	cr_assert_eq(mkdirat(state, "store/git", 0700), 0);
	cr_assert_eq(symlinkat("/nowhere", state, "store/git/link"), 0);
	for (size_t i = 0; i < 3; i++) {
		static const char *const paths[] = { "store", "store/git",
			"store/git/link" };

		cr_assert_eq(
			fchownat(state, paths[i], 12345, 12345, AT_SYMLINK_NOFOLLOW), 0);
	}
	cr_assert_eq(open_with("fine", 20000, NULL, &s, &e), 0, "%s", e.text);
	cr_assert_eq(fstatat(state, "store", &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_assert_eq(st.st_uid, user->pw_uid);
	cr_assert_eq(fstatat(state, "store/git/link", &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_assert_eq(st.st_uid, user->pw_uid);
	cr_assert_eq(st.st_gid, user->pw_gid);
}

Test(client, store_runs_as_the_user_in_its_directory_with_nothing_else)
{
	autostore s = start("self");
	autoraw r = { 0 };
	struct error e = { 0 };
	struct stat st;
	autofree char *want =
		xasprintf("store uid=%u gid=%u fds=5 sid=1 home=unset umask=77",
			user->pw_uid, user->pw_gid);

	cr_assert_eq(store_release(s, "channel:stable", &r, &e), 0, "%s", e.text);
	cr_assert_str_eq(r.commit.data, want);
	cr_assert_eq(fstatat(state, "store", &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_assert_eq(st.st_uid, user->pw_uid);
	cr_assert_eq(st.st_mode, S_IFDIR | 0700);
}

Test(client, close_reaps_even_a_hanging_store, .timeout = 10)
{
	struct store *s = NULL;
	struct oid tip;
	struct error e = { 0 };

	cr_assert_eq(open_with("silence", 200, NULL, &s, &e), 0);
	cr_assert_eq(store_list(s, "stable", &tip, &e), E_REMOTE);
	store_close(s);
	store_close(NULL);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

Test(client, release_brings_commit_and_tags)
{
	autostore s = start("fine");
	autoraw r = { 0 };
	struct error e = { 0 };

	cr_assert_eq(store_release(s, "serial:1", &r, &e), 0, "%s", e.text);
	cr_assert_str_eq(r.commit.data, "raw commit");
	cr_assert_eq(r.n_tags, 2);
	cr_assert_eq(r.tags[0].size, 3);
	cr_assert_eq(memcmp(r.tags[0].data, "tag", 3), 0);
	cr_assert_eq(r.tags[1].size, 10);
	cr_assert_eq(memcmp(r.tags[1].data, "second tag", 10), 0);
}

Test(client, release_out_of_shape_is_refused)
{
	static const char *const scripts[] = { "tag-first", "no-commit", "big-commit",
		"two-commits", "many-tags" };

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		autostore s = start(scripts[i]);
		autoraw r = { 0 };
		struct error e = { 0 };

		cr_expect_eq(
			store_release(s, "serial:1", &r, &e), E_REMOTE, "%s", scripts[i]);
		cr_expect_null(r.commit.data, "%s", scripts[i]);
	}
}

static int each_commit(void *ctx, struct bytes commit, struct error *e)
{
	int *left = ctx;

	cr_expect_eq(commit.size, 1);
	if (--*left == 0)
		return err_set(e, E_NOTHING, "enough");
	return 0;
}

Test(client, log_is_bounded_and_may_be_left_early)
{
	autostore s = start("fine");
	struct error e = { 0 };
	int left = 100;

	cr_assert_eq(store_log(s, "stable", 5, each_commit, &left, &e), 0);
	cr_assert_eq(left, 95);
	left = 2;
	cr_assert_eq(store_log(s, "stable", 5, each_commit, &left, &e), E_NOTHING);
	cr_assert(says(&e, "enough"));
	left = 100;
	cr_assert_eq(store_log(s, "stable", 3, each_commit, &left, &e), 0);
	store_close(take_ptr(&s));
	s = start("long-log");
	cr_assert_eq(store_log(s, "stable", 3, each_commit, &left, &e), E_REMOTE);
	store_close(take_ptr(&s));
	s = start("long-log");
	left = 2;
	cr_assert_eq(store_log(s, "stable", 3, each_commit, &left, &e), E_NOTHING);
	cr_assert(says(&e, "enough"));
}

static int get_manifest(const char *script, uint64_t size, struct error *e)
{
	autostore s = start(script);
	struct digest d = digest_of(bytes_of("osupdate-manifest 1\n"));
	autofd fd = -1;
	char text[64] = "";
	int r;

	cr_assert_eq(io_spool(state, &fd, e), 0);
	r = store_manifest(s, &id, &d, size, fd, e);
	if (r == 0) {
		cr_assert_eq(pread(fd, text, sizeof(text) - 1, 0), 20);
		cr_assert_str_eq(text, "osupdate-manifest 1\n");
	}
	return r;
}

Test(client, manifest_is_checked_for_size_and_digest)
{
	struct error e = { 0 };

	cr_assert_eq(get_manifest("fine", 20, &e), 0);
	cr_assert_eq(get_manifest("fine", 21, &e), E_REMOTE);
	cr_assert(says(&e, "shorter than the signed 21"));
	cr_assert_eq(get_manifest("manifest-long", 20, &e), E_REMOTE);
	cr_assert(says(&e, "longer than the signed 20"));
	cr_assert_eq(get_manifest("endless", 1000000, &e), E_REMOTE);
	cr_assert(says(&e, "longer"));
	cr_assert_eq(get_manifest("manifest-other", 20, &e), E_REMOTE);
	cr_assert(says(&e, "differs"));
}

Test(client, manifest_that_cannot_be_written_fails)
{
	autostore s = start("fine");
	autofd full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct digest d = digest_of(bytes_of("osupdate-manifest 1\n"));
	struct error e = { 0 };

	cr_assert_eq(store_manifest(s, &id, &d, 20, full, &e), E_SPACE);
}

struct receiver {
	uint32_t n_wants;
	uint32_t asked;
	uint32_t got;
	uint64_t left; /* of the content under way */
	uint32_t id;
	bool open;
	bool fail_idle;
	int idle_ms; /* what is done in a pause takes so long */
	uint32_t pauses_at_five;
	uint32_t fail_at; /* begin of this id fails; 0: never */
	char path[4200];
};

/* 0, 1, 2 … bytes, now and then a whole kilobyte more. */
static uint64_t size_of(uint32_t n)
{
	return n % 50 + (n % 7 == 0 ? 5000 : 0);
}

static int next_want(void *ctx, struct want *ret, struct error *e)
{
	struct receiver *r = ctx;

	(void)e;
	if (r->asked == r->n_wants)
		return 0;
	r->asked++;
	(void)snprintf(r->path, sizeof(r->path), "usr/f\n%u", r->asked);
	if (r->asked % 3 == 0) /* so that bytes fill a batch before its count does */
		memset(r->path + strlen(r->path), 'x', 3000);
	*ret = (struct want){
		.id = r->asked, .size = size_of(r->asked), .path = r->path
	};
	return 1;
}

static int begin_content(void *ctx, uint32_t n, uint64_t size, struct error *e)
{
	struct receiver *r = ctx;

	if (n == r->fail_at)
		return err_set(e, E_SPACE, "no room");
	cr_expect(!r->open);
	cr_expect_eq(size, size_of(n));
	r->open = true;
	r->id = n;
	r->left = size;
	return 0;
}

static int take_data(void *ctx, struct bytes data, struct error *e)
{
	struct receiver *r = ctx;

	(void)e;
	cr_expect(r->open);
	for (size_t i = 0; i < data.size; i++)
		cr_assert(data.data[i] == 'a' + r->id % 26);
	r->left -= data.size;
	return 0;
}

static int end_content(void *ctx, struct error *e)
{
	struct receiver *r = ctx;

	(void)e;
	cr_expect(r->open && r->left == 0);
	r->open = false;
	r->got++;
	return 0;
}

static int note_pause(void *ctx, struct error *e)
{
	struct receiver *r = ctx;

	if (r->fail_idle)
		return err_set(e, E_SPACE, "no room in a pause");
	r->pauses_at_five += r->got == 5;
	(void)poll(NULL, 0, r->idle_ms);
	return 0;
}

static void name_content(void *ctx, uint32_t n, struct buf *ret)
{
	(void)ctx;
	buf_addf(ret, "usr/f\n%u", n);
	if (n % 3 == 0)
		for (int i = 0; i < 3000; i++)
			buf_adds(ret, "x");
}

/* Of digests whose first byte a fifth divides there are none; of 'w' they are slow. */
static int put_base(void *ctx, const struct digest *digest, uint32_t size,
	unsigned char *into, struct error *e)
{
	(void)ctx;
	if (digest->b[0] == 'w' || digest->b[0] == 't')
		(void)poll(NULL, 0, digest->b[0] == 'w' ? 20 : 400);
	if (digest->b[0] == 'f')
		return err_set(e, E_SPACE, "no base");
	if (digest->b[0] % 5 == 0)
		return 0;
	memset(into, digest->b[0], size);
	return 1;
}

static int get_contents_within(
	const char *script, int stall_timeout_ms, struct receiver *r, struct error *e)
{
	autostore s = NULL;
	struct contents c = { .next = next_want,
		.begin = begin_content,
		.data = take_data,
		.end = end_content,
		.idle = note_pause,
		.name = name_content,
		.base = put_base,
		.ctx = r };
	struct oid tip;
	struct error later;
	int result;

	cr_assert_eq(open_with(script, stall_timeout_ms, NULL, &s, e), 0, "%s", e->text);
	result = store_contents(s, &id, &c, e);

	cr_expect_eq(store_list(s, "stable", &tip, &later), result < 0 ? E_REMOTE : 0);
	return result;
}

static int get_contents(const char *script, struct receiver *r, struct error *e)
{
	return get_contents_within(script, 20000, r, e);
}

Test(client, contents_come_in_any_order_over_many_batches)
{
	struct receiver r = { .n_wants = 3000 };
	struct receiver none = { 0 };
	struct error e = { 0 };

	cr_assert_eq(get_contents("fine", &r, &e), 0, "%s", e.text);
	cr_assert_eq(r.got, 3000);
	cr_assert_eq(get_contents("fine", &none, &e), 0);
	cr_assert_eq(none.got, 0);
}

Test(client, contents_that_lie_are_refused)
{
	static const struct {
		const char *script;
		const char *text;
	} table[] = {
		{ "missing", "xxxx: missing from the store: g\\033ne so" },
		{ "content-size", "another size" },
		{ "content-long", "out of order" },
		{ "content-short", "out of order" },
		{ "content-unknown", "out of order" },
		{ "content-twice", "out of order" },
		{ "content-left-out", "out of order" },
		{ "bases-beyond", "out of order" },
		{ "bases-none", "out of order" },
		{ "bases-too-many", "out of order" },
		{ "killed", "ended early" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct receiver r = { .n_wants = 300 };
		struct error e = { 0 };

		cr_expect_eq(get_contents(table[i].script, &r, &e), E_REMOTE, "%s",
			table[i].script);
		cr_expect(says(&e, table[i].text), "%s", table[i].script);
	}
}

Test(client, bases_are_gathered_ahead_and_answered_in_order)
{
	struct receiver r = { .n_wants = 200 };
	struct error e = { 0 };

	cr_assert_eq(get_contents("bases", &r, &e), 0, "%s", e.text);
	cr_assert_eq(r.got, 200);
}

/* A slow disk of our own is no silence of the store's. */
Test(client, a_base_may_take_longer_than_the_stall_timeout)
{
	struct receiver r = { .n_wants = 10 };
	struct error e = { 0 };

	cr_assert_eq(get_contents_within("bases-slow", 250, &r, &e), 0, "%s", e.text);
	cr_assert_eq(r.got, 10);
}

Test(client, a_base_that_fails_ends_it)
{
	struct receiver r = { .n_wants = 10 };
	struct error e = { 0 };

	cr_assert_eq(get_contents("bases-fail", &r, &e), E_SPACE);
	cr_assert(says(&e, "no base"));
}

Test(client, contents_end_when_the_receiver_fails)
{
	struct receiver r = { .n_wants = 3000, .fail_at = 700 };
	struct error e = { 0 };

	cr_assert_eq(get_contents("fine", &r, &e), E_SPACE);
	cr_assert(says(&e, "no room"));
}

/* Five contents, then nothing for half a second. */
Test(client, a_pause_is_told)
{
	struct receiver r = { .n_wants = 10 };
	struct receiver full = { .n_wants = 10, .fail_idle = true };
	struct error e = { 0 };

	cr_assert_eq(get_contents("content-pause", &r, &e), 0, "%s", e.text);
	cr_assert_eq(r.got, 10);
	cr_assert_geq(r.pauses_at_five, 1);
	cr_assert_eq(get_contents("content-pause", &full, &e), E_SPACE);
	cr_assert(says(&e, "in a pause"));
}

/* A slow disk in a pause is no silence of the store's, either: it says more after half a
 * second. */
Test(client, a_pause_may_be_used_for_longer_than_the_stall_timeout)
{
	struct receiver r = { .n_wants = 10, .idle_ms = 1500 };
	struct error e = { 0 };

	cr_assert_eq(get_contents_within("content-pause", 1000, &r, &e), 0, "%s", e.text);
	cr_assert_eq(r.got, 10);
	cr_assert_geq(r.pauses_at_five, 1);
}
