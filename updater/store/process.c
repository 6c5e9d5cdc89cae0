/* SPDX-License-Identifier: MIT */
/*
 * Start and end the store process: see process.h.  Root follows no path below the
 * store's directory: it opens that directory itself and hands it over as the working
 * directory.  Everything between fork and exec is async-signal-safe.
 */
#include "store/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/text.h"
#include "store/directory.h"
#include "store/limits.h"
#include "store/protocol.h"

#define STATUS_FD   (BASE_FD + 1)
#define FREE_FD	    10 /* above every descriptor the child is given */
#define SOCKET_SIZE (1 << 20)
#define STDERR_MAX  4096

/* What the child did when it failed; written with errno to the status pipe. */
enum child_step { STEP_FDS, STEP_LIMITS, STEP_USER, STEP_PRIVILEGES, STEP_EXEC };

struct child {
	const char *program;
	int program_fd;
	int dir;
	int null;
	int socket;
	int base;
	int err;
	int status;
	bool switch_user;
	uid_t uid;
	gid_t gid;
	pid_t parent;
};

struct child_failure {
	enum child_step step;
	int sys;
};

static int child_fds(const struct child *c)
{
	/* First out of the way of each other's targets. */
	int null = fcntl(c->null, F_DUPFD, FREE_FD);
	int sock = fcntl(c->socket, F_DUPFD, FREE_FD);
	int base = fcntl(c->base, F_DUPFD, FREE_FD);
	int err = fcntl(c->err, F_DUPFD, FREE_FD);
	int dir = fcntl(c->dir, F_DUPFD, FREE_FD);
	int status = fcntl(c->status, F_DUPFD, FREE_FD);
	int program = fcntl(c->program_fd, F_DUPFD, FREE_FD);

	if (null < 0 || sock < 0 || base < 0 || err < 0 || dir < 0 || status < 0 ||
		program < 0)
		return -1;
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(err, 2) < 0 ||
		dup2(sock, STORE_FD) < 0 || dup2(base, BASE_FD) < 0 ||
		dup3(status, STATUS_FD, O_CLOEXEC) < 0 ||
		dup3(program, STATUS_FD + 1, O_CLOEXEC) < 0 || fchdir(dir) < 0)
		return -1;
	return (int)syscall(SYS_close_range, STATUS_FD + 2, ~0u, 0);
}

static int child_limits(const struct child *c)
{
	size_t n;
	const struct limit *limits = limits_all(&n);
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* KILL and STOP cannot and need not */
	(void)sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return -1;
	umask(077);
	for (size_t i = 0; i < n; i++)
		if ((c->switch_user || !limits[i].of_user) && limit_set(&limits[i]) < 0)
			return -1;
	return setsid() < 0 ? -1 : 0;
}

static int child_user(const struct child *c)
{
	if (!c->switch_user)
		return 0;
	/* The bounding set needs CAP_SETPCAP, so it goes while we are still root. */
	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return -1;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -1;
	if (setgroups(0, NULL) < 0 || setresgid(c->gid, c->gid, c->gid) < 0)
		return -1;
	return setresuid(c->uid, c->uid, c->uid);
}

static int child_privileges(const struct child *c)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	if (c->switch_user && syscall(SYS_capset, &head, none) < 0)
		return -1;
	/* After the change of user, which clears it (prctl(2)). */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -1;
	errno = ESRCH;
	return getppid() == c->parent ? 0 : -1;
}

static _Noreturn void child_run(const struct child *c)
{
	static char path[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C";
	char *const argv[] = { (char *)(uintptr_t)c->program, NULL };
	char *const env[] = { path, locale, NULL };
	struct child_failure f = { STEP_FDS, 0 };
	bool fine = child_fds(c) == 0;

	if (fine) {
		f.step = STEP_LIMITS;
		fine = child_limits(c) == 0;
	}
	if (fine) {
		f.step = STEP_USER;
		fine = child_user(c) == 0;
	}
	if (fine) {
		f.step = STEP_PRIVILEGES;
		fine = child_privileges(c) == 0;
	}
	if (fine) {
		f.step = STEP_EXEC;
		/* By descriptor, so that no directory above it has to be searchable for
		 * the user; a script cannot be run that way, only by its path. */
		(void)syscall(SYS_execveat, STATUS_FD + 1, "", argv, env, AT_EMPTY_PATH);
		if (errno == ENOENT)
			(void)execve(c->program, argv, env);
	}
	f.sys = errno;
	/* Nobody else to tell. */
	(void)!write(f.step == STEP_FDS ? c->status : STATUS_FD, &f, sizeof(f));
	_exit(127);
}

static const char *step_text(enum child_step step)
{
	switch (step) {
	case STEP_FDS:
		return "descriptors";
	case STEP_LIMITS:
		return "limits";
	case STEP_USER:
		return "change of user";
	case STEP_PRIVILEGES:
		return "dropping privileges";
	case STEP_EXEC:
		return "cannot be run";
	}
	return "start";
}

static int find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct error *e)
{
	struct passwd pw;
	struct passwd *found = NULL;
	char text[4096];

	if (getpwnam_r(name, &pw, text, sizeof(text), &found) != 0 || !found)
		return err_set(e, E_NOTFOUND,
			"there is no user %s: create it with `useradd --system "
			"--user-group "
			"--no-create-home --shell /usr/sbin/nologin %s`",
			name, name);
	if (geteuid() != 0 && pw.pw_uid != geteuid())
		return err_set(
			e, E_SYSTEM, "only root can run the store as user %s", name);
	*ret_uid = pw.pw_uid;
	*ret_gid = pw.pw_gid;
	return 0;
}

/* Large buffers let a whole batch of wants wait there while another is answered. */
static void enlarge(int fd)
{
	static const int size = SOCKET_SIZE;

	/* Only speed depends on them, so an unprivileged caller takes what it gets. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int make_channels(int sock[2], int err[2], int status[2], struct error *e)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
		return err_sys(e, "socketpair");
	if (pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(status, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	enlarge(sock[0]);
	enlarge(sock[1]);
	if (fcntl(sock[0], F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "socket: fcntl");
	return 0;
}

static int await_exec(struct process *p, int status, const char *program, struct error *e)
{
	struct child_failure f;
	size_t n = 0;
	int err = io_read(status, &f, sizeof(f), &n, e);

	if (err == 0 && n == 0)
		return 0; /* exec has closed it */
	process_end(p, 0, NULL);
	if (err < 0)
		return err_prefix(e, err, "%s", program);
	errno = n == sizeof(f) ? f.sys : EIO;
	return err_sys(e, "%s: %s", program, step_text(f.step));
}

static int spawn(struct child *c, struct process *ret, struct error *e)
{
	int sock[2] = { -1, -1 };
	int err[2] = { -1, -1 };
	int status[2] = { -1, -1 };
	struct process p = { .fd = -1, .err_fd = -1 };
	int r = make_channels(sock, err, status, e);

	c->socket = sock[1];
	c->err = err[1];
	c->status = status[1];
	c->parent = getpid();
	if (r == 0) {
		p.pid = fork();
		if (p.pid == 0)
			child_run(c);
		if (p.pid < 0)
			r = err_sys(e, "fork");
	}
	cleanup_fd(&sock[1]);
	cleanup_fd(&err[1]);
	cleanup_fd(&status[1]);
	p.fd = sock[0];
	p.err_fd = err[0];
	if (r == 0) {
		r = await_exec(&p, status[0], c->program, e);
	} else {
		p.pid = 0;
		process_end(&p, 0, NULL);
	}
	cleanup_fd(&status[0]);
	if (r == 0)
		*ret = p;
	return r;
}

int process_start(const char *program, const char *user, int state_dirfd, int base_fd,
	struct process *ret, struct error *e)
{
	struct child c = { .program = program, .switch_user = geteuid() == 0 };
	autofd dir = -1;
	autofd null = -1;
	autofd program_fd = -1;
	int r = find_user(user, &c.uid, &c.gid, e);

	if (r < 0)
		return r;
	program_fd = open(program, O_PATH | O_CLOEXEC);
	if (program_fd < 0)
		return err_sys(e, "%s", program);
	r = store_directory(state_dirfd, c.uid, c.gid, &dir, e);
	if (r < 0)
		return r;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return err_sys(e, "/dev/null");
	c.dir = dir;
	c.base = base_fd;
	c.null = null;
	c.program_fd = program_fd;
	return spawn(&c, ret, e);
}

void process_drain(struct process *p)
{
	char chunk[1024];
	ssize_t n;

	while (p->err_fd >= 0) {
		n = read(p->err_fd, chunk, sizeof(chunk));
		if (n < 0)
			return; /* nothing there now; EINTR: there is a next time */
		if (n == 0) {
			cleanup_fd(&p->err_fd);
			p->err_fd = -1;
			return;
		}
		if (p->err.size > STDERR_MAX) {
			size_t half = p->err.size / 2;

			memmove(p->err.data, p->err.data + half, p->err.size - half);
			p->err.size -= half;
		}
		buf_add(&p->err, chunk, (size_t)n);
	}
}

/* True when it has ended within `ms`. */
static bool await_end(pid_t pid, int ms)
{
	autofd pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };

	return pidfd >= 0 && poll(&pfd, 1, ms) > 0;
}

static void describe_end(int status, struct buf *err, struct buf *out)
{
	size_t end = err->size;
	size_t start;

	if (WIFSIGNALED(status))
		buf_addf(out, " (killed by signal %d, %s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		buf_addf(out, " (exit code %d)", WEXITSTATUS(status));
	while (end > 0 && err->data[end - 1] == '\n')
		end--;
	for (start = end; start > 0 && err->data[start - 1] != '\n'; start--)
		;
	if (end > start) {
		size_t size = end - start > 300 ? 300 : end - start;

		buf_adds(out, ": ");
		text_escape(out,
			(struct bytes){ (unsigned char *)err->data + start, size },
			false);
	}
}

void process_end(struct process *p, int grace_ms, struct buf *ret_why)
{
	int status = 0;

	cleanup_fd(&p->fd);
	p->fd = -1;
	if (p->pid > 0) {
		bool ended = await_end(p->pid, grace_ms);
		pid_t got;

		(void)kill(
			-p->pid, SIGKILL); /* the group: also what it may have started */
		(void)kill(p->pid, SIGKILL); /* when it had no group of its own yet */
		do {
			got = waitpid(p->pid, &status, 0);
		} while (got < 0 && errno == EINTR);
		process_drain(p);
		if (ret_why && ended && got == p->pid)
			describe_end(status, &p->err, ret_why);
		p->pid = 0;
	}
	cleanup_fd(&p->err_fd);
	p->err_fd = -1;
	buf_release(&p->err);
}
