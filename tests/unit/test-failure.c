/* SPDX-License-Identifier: MIT */
/* The record of a failed trial and the device's history: written, bounded, read back. */
#include <criterion/criterion.h>
#include <fcntl.h>

#include "base/io.h"
#include "scratch.h"
#include "update/failure.h"
#include "update/history.h"

static struct failure example(void)
{
	struct failure f = { .kind = FAILURE_PANIC, .time = 1700000000, .slot = "B" };

	f.release.serial = 7;
	(void)snprintf(f.release.version, sizeof(f.release.version), "2026.11 \"x\"");
	(void)snprintf(f.text, sizeof(f.text), "kernel panic: no init");
	return f;
}

Test(failure, what_is_saved_is_loaded, .init = scratch_enter, .fini = scratch_leave)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY);
	autofailure in = example();
	autofailure out = { 0 };
	struct error e = { 0 };

	failure_add_log(&in, bytes_of("first\nsecond \x1b[2J\nno newline"));
	failure_save(dir, &in);
	cr_assert_eq(failure_load(dir, &out, &e), 0, "%s", e.text);
	cr_expect_eq(out.kind, FAILURE_PANIC);
	cr_expect_eq(out.time, 1700000000);
	cr_expect_eq(out.release.serial, 7);
	cr_expect_str_eq(out.slot, "B");
	cr_expect_str_eq(out.release.version, "2026.11 \"x\"");
	cr_expect_str_eq(out.text, "kernel panic: no init");
	cr_expect_str_eq(out.log.data, "first\nsecond \\033[2J\nno newline\n");
}

Test(failure, the_end_of_a_long_log_is_what_is_kept, .init = scratch_enter,
	.fini = scratch_leave)
{
	autofailure f = example();
	autobuf text = { 0 };

	for (int i = 0; i < 5000; i++)
		buf_addf(&text, "line %d\n", i);
	failure_add_log(&f, buf_bytes(&text));
	cr_expect_leq(f.log.size, (size_t)FAILURE_LOG_MAX);
	cr_expect(strncmp(f.log.data, "line ", 5) == 0, "it begins with a whole line");
	cr_expect(strstr(f.log.data, "line 4999\n") != NULL);
}

Test(failure, none_or_damaged_is_not_found, .init = scratch_enter, .fini = scratch_leave)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY);
	autofailure out = { 0 };
	struct error e = { 0 };

	cr_expect_eq(failure_load(dir, &out, &e), E_NOTFOUND);
	cr_assert_eq(io_replace_at(dir, "failure", bytes_of("\0\1\2"), 0600, &e), 0);
	cr_expect_eq(failure_load(dir, &out, &e), E_NOTFOUND);
	cr_assert_eq(io_replace_at(dir, "failure",
			     bytes_of("osupdate-failure 1\ntime yesterday\n"), 0600, &e),
		0);
	cr_expect_eq(failure_load(dir, &out, &e), E_NOTFOUND);
}

struct seen {
	unsigned n;
	char last[64];
};

static int count(void *ctx, const struct history_line *line, struct error *e)
{
	struct seen *seen = ctx;

	(void)e;
	seen->n++;
	(void)snprintf(seen->last, sizeof(seen->last), "%.*s %.*s %llu %.*s",
		(int)line->event.size, line->event.data, (int)line->slot.size,
		line->slot.data, (unsigned long long)line->serial, (int)line->text.size,
		line->text.data);
	return 0;
}

Test(history, lines_come_back_and_a_cut_one_does_not, .init = scratch_enter,
	.fini = scratch_leave)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY);
	struct failure f = example();
	struct seen seen = { 0 };
	struct error e = { 0 };
	autofd fd = -1;

	cr_expect_eq(history_read(dir, count, &seen, &e), 0, "none is no error");
	history_add(dir, "armed", "B", &f.release, NULL);
	history_add(dir, "failed", "B", &f.release, "two words\nand a line");
	fd = openat(dir, "history", O_WRONLY | O_APPEND);
	cr_assert_eq(write(fd, "2026-11-03T10:00:00Z conf", 25), 25);
	cr_expect_eq(history_read(dir, count, &seen, &e), 0);
	cr_expect_eq(seen.n, 2);
	cr_expect_str_eq(seen.last, "failed B 7 two words\\012and a line");
}

Test(history, it_does_not_grow_for_ever, .init = scratch_enter, .fini = scratch_leave)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY);
	struct failure f = example();
	struct seen seen = { 0 };
	struct error e = { 0 };
	struct stat st;

	for (unsigned i = 1; i <= 2000; i++) {
		f.release.serial = i;
		history_add(dir, "confirmed", "B", &f.release, NULL);
	}
	cr_assert_eq(fstatat(dir, "history", &st, 0), 0);
	cr_expect_leq(st.st_size, 66 * 1024);
	cr_expect_eq(history_read(dir, count, &seen, &e), 0);
	cr_expect_gt(seen.n, 300);
	cr_expect_str_eq(seen.last, "confirmed B 2000 ");
}
