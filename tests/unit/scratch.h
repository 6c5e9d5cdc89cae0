/* SPDX-License-Identifier: MIT */
/* For tests: a scratch directory to work in, and running programs there. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <criterion/criterion.h>
#include <fcntl.h>

#include "base/io.h"
#include "base/subprocess.h"

static char scratch_dir[64];

/* Programs see no configuration of the user who runs the tests. */
static const char *const scratch_env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	"LC_ALL=C", "HOME=.", "GIT_CONFIG_NOSYSTEM=1", NULL };

static inline int scratch_run_env(const char *const argv[], const char *const *env,
	const char *input, struct buf *out)
{
	autofd fd = input ? open(input, O_RDONLY | O_CLOEXEC) : -1;
	struct subprocess p = {
		.argv = argv, .env = env, .stdin_fd = fd, .stdout_max = 1 << 20
	};
	struct error e = { 0 };
	int status = -1;

	cr_assert_eq(subprocess_run(&p, out, NULL, &status, &e), 0, "%s", e.text);
	return status;
}

/* The exit status; stdout is appended to `out`; `input` is a file name or NULL. */
static inline int scratch_run(
	const char *const argv[], const char *input, struct buf *out)
{
	return scratch_run_env(argv, scratch_env, input, out);
}

static inline void scratch_enter(void)
{
	(void)snprintf(scratch_dir, sizeof(scratch_dir), "/tmp/osupdate-test-XXXXXX");
	cr_assert_not_null(mkdtemp(scratch_dir));
	cr_assert_eq(chdir(scratch_dir), 0);
}

static inline void scratch_leave(void)
{
	const char *const argv[] = { "rm", "-rf", scratch_dir, NULL };
	autobuf out = { 0 };

	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(scratch_run(argv, NULL, &out), 0);
}

static inline void scratch_put(const char *name, struct bytes data)
{
	autofd fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(io_write_full(fd, data.data, data.size, NULL), 0);
}

#endif
