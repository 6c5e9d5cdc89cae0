/* SPDX-License-Identifier: MIT */
/* Run a program to its end: see subprocess.h. */
#include "base/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/io.h"

#define STDERR_MAX 4096

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int make_pipe(int *ret_read, int *ret_write, struct error *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	*ret_read = fds[0];
	*ret_write = fds[1];
	return 0;
}

static int spawn(const struct subprocess *p, int in, int out, int err, pid_t *ret_pid,
	struct error *e)
{
	static const char *const clean[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C", NULL
	};
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	if (posix_spawn_file_actions_init(&fa) != 0 || posix_spawnattr_init(&attr) != 0)
		return err_set(e, E_SYSTEM, "posix_spawn: out of memory");
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setpgroup(&attr, 0);
	(void)posix_spawnattr_setflags(&attr,
		POSIX_SPAWN_SETSIGMASK | (p->on_terminal ? 0 : POSIX_SPAWN_SETPGROUP));
	r = posix_spawn_file_actions_adddup2(&fa, in, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&fa, out, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&fa, err, 2);
	/* All our own descriptors are O_CLOEXEC; this catches inherited ones. */
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(&fa, 3);
	if (r == 0)
		r = posix_spawnp(ret_pid, p->argv[0], &fa, &attr,
			(char *const *)(uintptr_t)p->argv,
			(char *const *)(uintptr_t)(p->env ? p->env : clean));
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)posix_spawnattr_destroy(&attr);
	if (r != 0) {
		errno = r;
		return err_sys(e, "%s: cannot be run", p->argv[0]);
	}
	return 0;
}

/* Take what is readable; *open goes false at the end. */
static int drain(
	int fd, struct buf *into, size_t max, bool strict, bool *open, struct error *e)
{
	char chunk[4096];
	size_t n;
	int r = io_read(fd, chunk, sizeof(chunk), &n, e);

	if (r < 0)
		return r;
	if (n == 0) {
		*open = false;
		return 0;
	}
	if (n > max - into->size) {
		if (strict)
			return err_set(e, E_INPUT, "printed more than %zu bytes", max);
		n = max - into->size;
	}
	buf_add(into, chunk, n);
	return 0;
}

static int collect(const struct subprocess *p, int out, int err, struct buf *o,
	struct buf *s, struct error *e)
{
	int64_t deadline = p->timeout_ms ? now_ms() + p->timeout_ms : 0;
	bool out_open = true;
	bool err_open = true;
	int r = 0;

	while (r == 0 && (out_open || err_open)) {
		struct pollfd pfd[2] = {
			{ .fd = out_open ? out : -1, .events = POLLIN },
			{ .fd = err_open ? err : -1, .events = POLLIN },
		};
		int64_t left = deadline ? deadline - now_ms() : -1;

		if (deadline && left <= 0) {
			errno = ETIMEDOUT;
			return err_sys(e, "no answer within %d ms", p->timeout_ms);
		}
		if (poll(pfd, 2, (int)left) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (pfd[0].revents)
			r = drain(out, o, p->stdout_max, p->stdout_max > 0, &out_open, e);
		if (r == 0 && pfd[1].revents)
			r = drain(err, s, STDERR_MAX, false, &err_open, e);
	}
	return r;
}

/* Has the process ended, within `ms` milliseconds?  Not to be known: false, a bit later.
 */
static bool ends_within(pid_t pid, int64_t ms)
{
	autofd fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		ms = ms < 2 ? ms : 2;
	return poll(&pfd, fd < 0 ? 0 : 1, ms > 0 ? (int)ms : 0) > 0;
}

/* A program may close its outputs and hang: the deadline covers that too. */
static int reap(pid_t pid, const struct subprocess *p, bool kill_it, int *ret_status,
	struct error *e)
{
	int64_t deadline = p->timeout_ms ? now_ms() + p->timeout_ms : 0;
	pid_t group = p->on_terminal ? pid : -pid;
	bool timed_out = false;
	bool ended = false;
	int status = 0;

	if (kill_it)
		(void)kill(group, SIGKILL); /* gone already is as good */
	for (;;) {
		bool wait = kill_it || !deadline || timed_out || ended;
		pid_t got = waitpid(pid, &status, wait ? 0 : WNOHANG);

		if (got == pid)
			break;
		if (got < 0 && errno != EINTR)
			return err_sys(e, "waitpid");
		if (got == 0 && now_ms() >= deadline) {
			(void)kill(group, SIGKILL);
			timed_out = true;
		} else if (got == 0) {
			ended = ends_within(pid, deadline - now_ms());
		}
	}
	if (timed_out) {
		errno = ETIMEDOUT;
		return err_sys(e, "did not end within %d ms", p->timeout_ms);
	}
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

int subprocess_run(const struct subprocess *p, struct buf *ret_stdout,
	struct buf *ret_stderr, int *ret_status, struct error *e)
{
	autofd in = -1;
	autofd out_r = -1;
	autofd out_w = -1;
	autofd err_r = -1;
	autofd err_w = -1;
	autobuf out = { 0 };
	autobuf err = { 0 };
	struct error gone;
	pid_t pid = -1;
	int r;

	in = p->stdin_fd >= 0 ? fcntl(p->stdin_fd, F_DUPFD_CLOEXEC, 3)
			      : open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return err_sys(e, "%s: stdin", p->argv[0]);
	r = make_pipe(&out_r, &out_w, e);
	if (r == 0)
		r = make_pipe(&err_r, &err_w, e);
	if (r == 0)
		r = spawn(p, in, out_w, err_w, &pid, e);
	if (r < 0)
		return r;
	close(take_fd(&out_w));
	close(take_fd(&err_w));
	r = collect(p, out_r, err_r, &out, &err, e);
	if (r < 0) {
		(void)reap(pid, p, true, ret_status, &gone); /* r is the error to tell */
		return err_prefix(e, r, "%s", p->argv[0]);
	}
	r = reap(pid, p, false, ret_status, e);
	if (r < 0)
		return err_prefix(e, r, "%s", p->argv[0]);
	if (ret_stdout && out.size)
		buf_add(ret_stdout, out.data, out.size);
	if (ret_stderr && err.size)
		buf_add(ret_stderr, err.data, err.size);
	return 0;
}
