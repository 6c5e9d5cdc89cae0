/* SPDX-License-Identifier: MIT */
/* Programs: clean environment, bounded output, a deadline for the whole group. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include "base/subprocess.h"

static struct buf out;
static struct buf err;
static int status;

static void leave(void)
{
	buf_release(&out);
	buf_release(&err);
}

TestSuite(subprocess, .fini = leave, .timeout = 30);

static int sh(const char *script, size_t max, int timeout_ms, struct error *e)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct subprocess p = {
		.argv = argv, .stdin_fd = -1, .stdout_max = max, .timeout_ms = timeout_ms
	};

	status = -1;
	return subprocess_run(&p, &out, &err, &status, e);
}

Test(subprocess, returns_output_and_exit_code)
{
	struct error e = { 0 };

	cr_assert_eq(
		sh("echo hello; echo oops >&2; exit 7", 100, 5000, &e), 0, "%s", e.text);
	cr_assert_str_eq(out.data, "hello\n");
	cr_assert_str_eq(err.data, "oops\n");
	cr_assert_eq(status, 7);
}

Test(subprocess, tells_a_death_by_signal)
{
	cr_assert_eq(sh("kill -TERM $$", 100, 5000, NULL), 0);
	cr_assert_eq(status, 128 + SIGTERM);
}

Test(subprocess, has_an_environment_and_descriptors_of_its_own)
{
	autofd leak = open("/dev/null", O_RDONLY | O_CLOEXEC);

	cr_assert_geq(leak, 3);
	cr_assert_eq(setenv("SECRET", "x", 1), 0);
	cr_assert_eq(sh("echo \"[$SECRET$HOME]\"; ls /proc/self/fd | wc -l; wc -c", 100,
			     5000, NULL),
		0);
	/* 0, 1, 2 and the one ls itself opened; nothing on standard input. */
	cr_assert_str_eq(out.data, "[]\n4\n0\n");
}

Test(subprocess, too_much_output_is_an_error)
{
	struct error e = { 0 };

	cr_assert_eq(sh("yes", 256, 5000, &e), E_INPUT);
	cr_assert_leq(out.size, 65536);
}

Test(subprocess, endless_standard_error_is_cut)
{
	cr_assert_eq(sh("head -c 100000 /dev/zero | tr '\\0' e >&2", 100, 5000, NULL), 0);
	cr_assert_leq(err.size, 4096);
	cr_assert_gt(err.size, 1000);
}

Test(subprocess, the_deadline_ends_the_whole_group)
{
	struct error e = { 0 };
	struct timespec before;
	struct timespec after;

	(void)clock_gettime(CLOCK_MONOTONIC, &before);
	cr_assert_eq(sh("sleep 20 & echo $!; wait", 100, 200, &e), E_SYSTEM);
	(void)clock_gettime(CLOCK_MONOTONIC, &after);
	cr_assert_eq(e.sys, ETIMEDOUT, "%s", e.text);
	cr_assert_lt(after.tv_sec - before.tv_sec, 10);
}

Test(subprocess, a_missing_program_is_told_by_name)
{
	const char *const argv[] = { "/nowhere/program", NULL };
	struct subprocess p = { .argv = argv, .stdin_fd = -1 };
	struct error e = { 0 };

	cr_assert_eq(subprocess_run(&p, NULL, NULL, &status, &e), E_NOTFOUND);
	cr_assert(strstr(e.text, "/nowhere/program"), "%s", e.text);
}
