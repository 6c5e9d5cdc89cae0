/* SPDX-License-Identifier: MIT */
/* The state record: two twins, one of which is always whole. */
#include <inttypes.h>

#include "base/text.h"
#include "scratch.h"
#include "update/state.h"

static int dir = -1;

static void enter(void)
{
	scratch_enter();
	cr_assert_eq(digest_init_once(NULL), 0);
	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void leave(void)
{
	cleanup_fd(&dir);
	scratch_leave();
}

TestSuite(state, .init = enter, .fini = leave);

#define autostate CLEANUP(state_release) struct state

static struct release_ref ref(uint64_t serial)
{
	struct release_ref r = { .serial = serial, .time = -7 };

	memset(&r.identity, (int)serial, sizeof(r.identity));
	memset(&r.commit, (int)serial + 1, sizeof(r.commit));
	(void)snprintf(r.version, sizeof(r.version), "v %" PRIu64 "\\", serial);
	return r;
}

static struct state example(void)
{
	struct state s = {
		.phase = PHASE_ARMED,
		.boot_id = "0f6c7a4e-0000-4000-8000-00000000abcd",
		.target = "B",
		.arm_calls = 1,
		.floor = UINT64_MAX,
		.floor_time = -1,
		.valid_until = 1,
		.floor_signer = "SHA256:f/loor+",
		.has_candidate = true,
	};

	s.release = ref(3);
	(void)snprintf(s.release.signer, sizeof(s.release.signer), "SHA256:release");
	s.candidate = ref(4);
	state_deny(&s,
		&(struct release_ref){
			.serial = 9, .version = "bad", .signer = "SHA256:denied" },
		"it hung\nfor ever");
	state_set_error(&s, 1793786400, "fetch", "no \033[31mroute");
	return s;
}

static enum state_found load(struct state *s)
{
	enum state_found found;
	struct error e = { 0 };

	cr_assert_eq(state_load(dir, s, &found, &e), 0, "%s", e.text);
	return found;
}

Test(state, is_read_as_it_was_written)
{
	struct state s = example();
	autostate back = { 0 };

	cr_assert_eq(state_save(dir, &s, NULL), 0);
	cr_assert_eq(load(&back), STATE_FOUND);
	cr_assert_eq(back.phase, PHASE_ARMED);
	cr_assert_str_eq(back.boot_id, s.boot_id);
	cr_assert_str_eq(back.target, "B");
	cr_assert_eq(back.arm_calls, 1);
	cr_assert_eq(back.floor, UINT64_MAX);
	cr_assert_eq(back.floor_time, -1);
	cr_assert_eq(back.valid_until, 1);
	cr_assert_str_eq(back.floor_signer, s.floor_signer);
	cr_assert_str_eq(back.release.signer, "SHA256:release");
	cr_assert_str_eq(back.candidate.signer, "");
	cr_assert_str_eq(back.denied[0].release.signer, "SHA256:denied");
	cr_assert(back.has_candidate);
	cr_assert_str_eq(back.candidate.version, "v 4\\");
	cr_assert_eq(back.release.time, -7);
	cr_assert(digest_equal(&back.release.identity, &s.release.identity));
	cr_assert_eq(back.n_denied, 1);
	cr_assert_str_eq(back.denied[0].reason, "it hung\\012for ever");
	cr_assert_str_eq(back.error_text, "no \\033[31mroute");
	cr_assert_str_eq(back.error_step, "fetch");
}

Test(state, only_a_newer_release_moves_the_floor)
{
	autostate s = { 0 };
	struct release_ref newest = ref(5);
	struct release_ref older = ref(4);
	struct release_ref earlier = ref(6);

	newest.time = 1000;
	older.time = 2000;
	earlier.time = 500;
	state_raise_floor(&s, &newest);
	state_raise_floor(&s, &older);
	cr_assert_eq(s.floor, 5);
	cr_assert_eq(s.floor_time, 1000);
	state_raise_floor(&s, &earlier); /* that a person asked for */
	cr_assert_eq(s.floor, 6);
	cr_assert_eq(s.floor_time, 500);
}

Test(state, news_without_a_limit_are_none_that_end)
{
	static const int64_t limits[][2] = { { INT64_MAX, 0 }, { 0, 1 }, { 7, 7 } };
	autostate s = { 0 };

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct release_info info = { .valid_until = limits[i][0] };

		state_set_news(&s, &info);
		cr_assert_eq(s.valid_until, limits[i][1]);
	}
}

Test(state, is_idle_when_there_is_none)
{
	autostate s = { 0 };

	cr_assert_eq(load(&s), STATE_ABSENT);
	cr_assert_eq(s.phase, PHASE_IDLE);
	cr_assert_eq(s.floor, 0);
}

static struct stat stat_of(const char *name)
{
	struct stat st;

	cr_assert_eq(stat(name, &st), 0);
	return st;
}

Test(state, saving_needs_no_space_after_the_first_time)
{
	struct state s = example();
	struct stat a;
	struct stat b;

	cr_assert_eq(state_save(dir, &s, NULL), 0);
	a = stat_of("state");
	b = stat_of("state.new");
	cr_assert_eq(a.st_size, STATE_SIZE);
	cr_assert_eq(b.st_size, STATE_SIZE);
	cr_assert_geq(a.st_blocks * 512, STATE_SIZE);
	s.floor = 1;
	cr_assert_eq(state_save(dir, &s, NULL), 0);
	cr_assert_eq(stat_of("state").st_ino, b.st_ino);
	cr_assert_eq(stat_of("state.new").st_ino, a.st_ino);
}

/* Overwrite one byte of a file. */
static void damage(const char *name, off_t at)
{
	autofd fd = open(name, O_RDWR | O_CLOEXEC);
	char c;

	cr_assert_eq(pread(fd, &c, 1, at), 1);
	c ^= 1;
	cr_assert_eq(pwrite(fd, &c, 1, at), 1);
}

Test(state, a_damaged_record_gives_way_to_its_twin)
{
	struct state s = example();

	for (off_t at = 0; at < 700; at += 13) {
		autostate back = { 0 };

		s.floor = 5;
		cr_assert_eq(state_save(dir, &s, NULL), 0);
		s.floor = 6;
		cr_assert_eq(state_save(dir, &s, NULL), 0);
		damage("state", at);
		cr_expect_eq(load(&back), STATE_FOUND);
		cr_expect_eq(back.floor, 5, "byte %ld", (long)at);
	}
}

Test(state, a_half_written_twin_does_no_harm)
{
	struct state s = example();
	autostate back = { 0 };

	cr_assert_eq(state_save(dir, &s, NULL), 0);
	scratch_put("state.new", bytes_of("osupdate-state 1\nphase id"));
	cr_assert_eq(load(&back), STATE_FOUND);
	cr_assert_eq(back.phase, PHASE_ARMED);
	cr_assert_eq(state_save(dir, &s, NULL), 0);
	cr_assert_eq(stat_of("state").st_size, STATE_SIZE);
}

Test(state, two_damaged_records_are_an_idle_one_and_no_error)
{
	struct state s = example();
	autostate back = { 0 };

	cr_assert_eq(state_save(dir, &s, NULL), 0);
	cr_assert_eq(state_save(dir, &s, NULL), 0);
	damage("state", 20);
	damage("state.new", 20);
	cr_assert_eq(load(&back), STATE_DAMAGED);
	cr_assert_eq(back.phase, PHASE_IDLE);
	cr_assert_eq(back.n_denied, 0);
	cr_assert_eq(back.floor, 0);
}

/* A record as another version, or nobody, would write it. */
static void put(const char *lines)
{
	autobuf text = { 0 };
	char hex[DIGEST_HEX_MAX];
	struct digest d;

	buf_adds(&text, lines);
	d = digest_of(buf_bytes(&text));
	digest_hex(&d, hex);
	buf_addf(&text, "digest %s\n\n\n", hex);
	scratch_put("state", buf_bytes(&text));
}

Test(state, keys_of_a_later_version_are_kept)
{
	autostate s = { 0 };
	autostate back = { 0 };

	put("osupdate-state 1\nphase idle\nrollout 7 of 9\nfloor 3\n");
	cr_assert_eq(load(&s), STATE_FOUND);
	cr_assert_eq(s.floor, 3);
	cr_assert_eq(state_save(dir, &s, NULL), 0);
	cr_assert_eq(load(&back), STATE_FOUND);
	cr_assert_not_null(back.unknown);
	cr_assert(strstr(back.unknown, "rollout 7 of 9\n"));
}

Test(state, who_set_the_floor_is_unknown_when_an_older_program_moved_it)
{
	autostate moved = { 0 };
	autostate same = { 0 };

	put("osupdate-state 1\nphase idle\nfloor 4\nfloor-signed-by 3 SHA256:x\n");
	cr_assert_eq(load(&moved), STATE_FOUND);
	cr_assert_str_eq(moved.floor_signer, "");
	put("osupdate-state 1\nphase idle\nfloor 3\nfloor-signed-by 3 SHA256:x\n");
	cr_assert_eq(load(&same), STATE_FOUND);
	cr_assert_str_eq(same.floor_signer, "SHA256:x");
}

Test(state, what_cannot_be_is_damage)
{
	static const char *const cases[] = {
		"osupdate-state 2\nphase idle\n",
		"osupdate-state 1\n",
		"osupdate-state 1\nphase dreaming\n",
		"osupdate-state 1\nphase idle\nphase idle\n",
		"osupdate-state 1\nphase armed\n",
		"osupdate-state 1\nphase idle\nfloor 01\n",
		"osupdate-state 1\nphase idle\nfloor 1 2\n",
		"osupdate-state 1\nphase idle\nvalid-until soon\n",
		"osupdate-state 1\nphase idle\nfloor-signed-by SHA256:x\n",
		"osupdate-state 1\nphase idle\nsigned-by 12 SHA256:x\n",
		"osupdate-state 1\nphase idle\ntarget ../B\n",
		"osupdate-state 1\nphase idle\ndenied x y 1 0 v reason\n",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autostate s = { 0 };

		put(cases[i]);
		cr_expect_eq(load(&s), STATE_DAMAGED, "%s", cases[i]);
	}
}

Test(state, the_oldest_denial_is_forgotten_first)
{
	autostate s = { 0 };
	autostate back = { 0 };

	for (uint64_t i = 1; i <= STATE_DENIED_MAX + 2; i++) {
		struct release_ref r = ref(i);

		state_deny(&s, &r, "no");
	}
	cr_assert_eq(s.n_denied, STATE_DENIED_MAX);
	cr_assert_eq(s.denied[0].release.serial, 3);
	cr_assert_eq(state_save(dir, &s, NULL), 0);
	cr_assert_eq(load(&back), STATE_FOUND);
	cr_assert_eq(back.n_denied, STATE_DENIED_MAX);
}

Test(state, a_release_is_denied_once_and_allowed_again)
{
	autostate s = { 0 };
	struct release_ref r = ref(5);

	state_deny(&s, &r, "one");
	state_deny(&s, &r, "two");
	cr_assert_eq(s.n_denied, 1);
	cr_assert_str_eq(state_denied(&s, &r.identity)->reason, "two");
	state_allow(&s, &r.identity);
	cr_assert_null(state_denied(&s, &r.identity));
	state_allow(&s, &r.identity);
}

Test(state, texts_of_any_length_fit)
{
	static char text[4000];
	autostate s = { 0 };
	autostate back = { 0 };

	memset(text, '\001', sizeof(text) - 1);
	for (uint64_t i = 1; i <= STATE_DENIED_MAX; i++) {
		struct release_ref r = ref(i);

		memset(r.version, 'v', sizeof(r.version) - 1);
		state_deny(&s, &r, text);
	}
	state_set_error(&s, 1, "update", text);
	cr_assert_eq(state_save(dir, &s, NULL), 0);
	cr_assert_eq(load(&back), STATE_FOUND);
	cr_assert_gt(back.n_denied, 10);
	cr_assert_leq(strlen(back.error_text), STATE_TEXT_MAX);
}
