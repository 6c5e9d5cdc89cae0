/* SPDX-License-Identifier: MIT */
/*
 * Stands in for an osupdate-store that has fallen: tries one forbidden act under the
 * limits that are named, which are the shipped ones (process.c, limits.c, landlock.c,
 * syscalls.c).  tests/integration/sandbox shows with it which limit stops what.
 *
 *   sandbox-probe USER STATE-DIRECTORY LAYER[,LAYER]… ACT [ARGUMENT]
 *
 * "started": by process_start, as the real one is.  Otherwise a child of ours puts on
 * what is named: a limit of limits.h, fds, user; then both may have landlock, seccomp,
 * network.  Prints "done" or "refused: …" and ends with 0 or 1; 2: it did not come to it.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "store/limits.h"
#include "store/process.h"
#include "store/protocol.h"
#include "store/server/landlock.h"
#include "store/server/syscalls.h"

#define INHERITED_FD 20 /* nobody means the store process to have it */
#define GIB	     ((size_t)1 << 30)

static bool has(const char *layers, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = layers; *p; p += strcspn(p, ",")) {
		p += *p == ',';
		if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

/* --- acts: 0 or more, or negative with errno -----------------------------------------
 */

static int act_read(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : (int)read(fd, &byte, 1);
}

static int act_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : (int)write(fd, "x", 1);
}

static int act_create(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int act_inherited(const char *arg)
{
	(void)arg;
	return (int)write(INHERITED_FD, "x", 1);
}

static int act_exec(const char *self)
{
	char *const argv[] = { (char *)(uintptr_t)self, NULL };
	char told[] = "PROBE_EXECUTED=1";
	char *const env[] = { told, NULL };

	return execve(self, argv, env);
}

static int act_fork(const char *arg)
{
	pid_t pid = fork();

	(void)arg;
	if (pid == 0)
		_exit(0);
	return pid;
}

/* By itself, without the C library. */
static int act_clone_space(const char *arg)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

	(void)arg;
	if (pid == 0)
		_exit(0);
	return (int)pid;
}

static int act_clone3(const char *arg)
{
	uint64_t args[8] = { [4] = SIGCHLD }; /* struct clone_args: exit_signal */
	long pid = syscall(SYS_clone3, args, sizeof(args));

	(void)arg;
	if (pid == 0)
		_exit(0);
	return (int)pid;
}

static void *wait_here(void *arg)
{
	(void)arg;
	(void)poll(NULL, 0, 10000);
	return NULL;
}

static int threads(int n)
{
	pthread_attr_t small;
	pthread_t t;

	(void)pthread_attr_init(&small);
	(void)pthread_attr_setstacksize(&small, 64 << 10);
	for (int i = 0; i < n; i++) {
		errno = pthread_create(&t, &small, wait_here, NULL);
		if (errno)
			return -1;
	}
	return 0;
}

static int act_thread(const char *arg)
{
	(void)arg;
	return threads(1);
}

static int act_threads(const char *arg)
{
	(void)arg;
	return threads(LIMIT_THREADS + 1);
}

static int act_connect(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof(to));
}

static int act_bind(const char *arg)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&at, sizeof(at));
}

static int act_abstract(const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = strlen(name);

	memcpy(to.sun_path + 1, name, n);
	return fd < 0 ? -1
		      : connect(fd, (struct sockaddr *)&to,
				(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
					    n));
}

static int act_socket(const char *which)
{
	static const struct {
		const char *name;
		int family, type, protocol;
	} table[] = {
		{ "raw", AF_INET, SOCK_RAW, IPPROTO_ICMP },
		{ "packet", AF_PACKET, SOCK_RAW, 0 },
		{ "unix", AF_UNIX, SOCK_STREAM, 0 },
		{ "unix-datagram", AF_UNIX, SOCK_DGRAM, 0 },
		{ "tcp", AF_INET, SOCK_STREAM, 0 },
		{ "udp6", AF_INET6, SOCK_DGRAM, 0 },
		{ "route", AF_NETLINK, SOCK_RAW, 0 },
		{ "audit", AF_NETLINK, SOCK_RAW, 9 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(which, table[i].name) == 0)
			return socket(table[i].family, table[i].type, table[i].protocol);
	errx(2, "no socket %s", which);
}

static int act_memory(const char *arg)
{
	(void)arg;
	return mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0) == MAP_FAILED
		       ? -1
		       : 0;
}

static int act_files(const char *arg)
{
	(void)arg;
	for (int i = 0; i < LIMIT_FILES; i++)
		if (dup(STORE_FD) < 0)
			return -1;
	return 0;
}

static int act_big_file(const char *arg)
{
	int fd = open("big", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int r = fd < 0 ? -1 : ftruncate(fd, (off_t)LIMIT_FILE_SIZE + 1);

	(void)arg;
	(void)unlink("big");
	return r;
}

static int act_own_file(const char *arg)
{
	int fd;

	(void)arg;
	if (mkdir("d", 0700) < 0)
		return -1;
	fd = open("own", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || rename("own", "d/own") < 0 ||
		unlink("d/own") < 0)
		return -1;
	return rmdir("d");
}

static int act_ptrace(const char *pid)
{
	return (int)ptrace(PTRACE_SEIZE, atoi(pid), NULL, NULL);
}

static int act_signal(const char *pid)
{
	return kill(atoi(pid), SIGWINCH); /* which does nothing to it */
}

static int act_unshare(const char *arg)
{
	(void)arg;
	return unshare(CLONE_NEWUSER);
}

static int act_mount(const char *arg)
{
	int r = mount("none", ".", "tmpfs", 0, NULL);

	(void)arg;
	if (r == 0)
		(void)umount2("/proc/self/cwd/.", MNT_DETACH);
	return r;
}

static int act_become_root(const char *arg)
{
	(void)arg;
	return setresuid(0, 0, 0);
}

static int act_leave_group(const char *arg)
{
	(void)arg;
	return setpgid(0, 0);
}

static int act_core(const char *arg)
{
	static const struct rlimit some = { 1 << 20, 1 << 20 };

	(void)arg;
	return setrlimit(RLIMIT_CORE, &some);
}

/* Does the call reach the kernel?  With arguments that nothing can be done with. */
static int act_reach(const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr < 0)
		errx(2, "no call %s", name);
	(void)syscall(nr, -1l, -1l, -1l, -1l, -1l, -1l);
	return 0;
}

/* A process of its own that stays; the driver looks after it (linger()). */
static int act_linger(const char *arg)
{
	pid_t pid = fork();

	(void)arg;
	if (pid == 0) {
		(void)poll(NULL, 0, 10000);
		_exit(0);
	}
	return pid;
}

static const struct {
	const char *name;
	int (*run)(const char *arg);
} acts[] = {
	{ "read", act_read },
	{ "write", act_write },
	{ "create", act_create },
	{ "inherited", act_inherited },
	{ "exec", act_exec },
	{ "fork", act_fork },
	{ "clone-space", act_clone_space },
	{ "clone3", act_clone3 },
	{ "thread", act_thread },
	{ "threads", act_threads },
	{ "connect", act_connect },
	{ "bind", act_bind },
	{ "abstract", act_abstract },
	{ "socket", act_socket },
	{ "memory", act_memory },
	{ "files", act_files },
	{ "big-file", act_big_file },
	{ "own-file", act_own_file },
	{ "ptrace", act_ptrace },
	{ "signal", act_signal },
	{ "unshare", act_unshare },
	{ "mount", act_mount },
	{ "become-root", act_become_root },
	{ "leave-group", act_leave_group },
	{ "core", act_core },
	{ "reach", act_reach },
	{ "linger", act_linger },
};

/* --- the child: limits, act, result ------------------------------------------------- */

static void put_on(const char *layers)
{
	static const char *const nothing[] = { NULL };
	struct error e = { 0 };

	(void)signal(SIGXFSZ, SIG_IGN); /* as main.c does */
	if (has(layers, "landlock") && landlock_confine(".", nothing, &e) <= 0)
		errx(2, "landlock: %s", e.text);
	if (has(layers, "seccomp") && syscalls_confine(&e) <= 0)
		errx(2, "seccomp: %s", e.text);
	if (has(layers, "network") && syscalls_end_network(&e) <= 0)
		errx(2, "network: %s", e.text);
}

struct result {
	int value;
	int sys;
};

static _Noreturn void tell(int value)
{
	struct result r = { value, value < 0 ? errno : 0 };

	(void)!write(STORE_FD, &r, sizeof(r));
	_exit(0);
}

static _Noreturn void run(const char *layers, const char *act, const char *arg)
{
	put_on(layers);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(acts[i].name, act) == 0)
			tell(acts[i].run(arg));
	errx(2, "no act %s", act);
}

/* Started by process_start: three lines say what to do. */
static _Noreturn void run_started(void)
{
	char text[4096] = "";
	char *line[3];
	char *rest = text;

	if (read(STORE_FD, text, sizeof(text) - 1) <= 0)
		errx(2, "nothing to do");
	for (int i = 0; i < 3; i++)
		line[i] = strsep(&rest, "\n");
	run(line[0], line[1], line[2]);
}

static void put_on_limits(const char *layers)
{
	size_t n;
	const struct limit *limits = limits_all(&n);

	for (size_t i = 0; i < n; i++)
		if (has(layers, limits[i].name) && limit_set(&limits[i]) < 0)
			err(2, "%s", limits[i].name);
}

static _Noreturn void run_plain(const char *user, int state, int sock, char **argv)
{
	const struct passwd *pw = getpwnam(user);

	if (fchdir(state) < 0 || chdir("store") < 0 || dup2(sock, STORE_FD) < 0)
		err(2, "store");
	put_on_limits(argv[0]);
	if (has(argv[0], "fds"))
		(void)close_range(STORE_FD + 1, ~0u, 0);
	if (has(argv[0], "user") &&
		(setgroups(0, NULL) < 0 ||
			setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
			setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0))
		err(2, "%s", user);
	run(argv[0], argv[1], argv[2] ? argv[2] : "");
}

/* --- the driver --------------------------------------------------------------------- */

static int say(int fd, const char *layers, const char *act, const char *arg)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "%s\n%s\n%s\n", layers, act, arg ? arg : "");

	return write(fd, text, (size_t)n) == n ? 0 : -1;
}

static struct result hear(int fd)
{
	struct result r = { -1, 0 };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, 20000) <= 0 || read(fd, &r, sizeof(r)) != sizeof(r))
		r = (struct result){ -1, 0 }; /* it has been killed: how, says its end */
	return r;
}

static struct result drive_started(
	const char *self, const char *user, int state, char **argv, struct buf *ret_why)
{
	struct process p = { .fd = -1 };
	struct error e = { 0 };
	int base = memfd_create("base", MFD_CLOEXEC);
	struct result r;

	if (process_start(self, user, state, base, &p, &e) < 0)
		errx(2, "%s", e.text);
	if (say(p.fd, argv[0], argv[1], argv[2]) < 0)
		err(2, "socket");
	r = hear(p.fd);
	process_end(&p, 1000, ret_why);
	return r;
}

static struct result drive_plain(
	const char *user, int state, char **argv, struct buf *ret_why)
{
	int sock[2];
	int status = 0;
	struct result r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
		err(2, "socketpair");
	pid = fork();
	if (pid == 0)
		run_plain(user, state, sock[1], argv);
	(void)close(sock[1]);
	r = hear(sock[0]);
	(void)kill(pid, SIGKILL); /* it alone */
	if (waitpid(pid, &status, 0) < 0)
		err(2, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		exit(2);
	if (WIFSIGNALED(status))
		buf_addf(ret_why, " (killed by signal %d)", WTERMSIG(status));
	return r;
}

/* Does what it started outlive it? */
static int linger(pid_t pid)
{
	struct pollfd pfd = { .fd = (int)syscall(SYS_pidfd_open, pid, 0),
		.events = POLLIN };

	if (pfd.fd < 0 || poll(&pfd, 1, 1000) > 0) {
		errno = ESRCH;
		return -1;
	}
	(void)kill(pid, SIGKILL);
	return 0;
}

/* Run a program where the kernel says that it has no Landlock: `--without-landlock`. */
static void without_landlock(char **argv)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (!ctx ||
		seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS),
			SCMP_SYS(landlock_create_ruleset), 0) < 0 ||
		seccomp_load(ctx) < 0)
		errx(2, "seccomp");
	(void)execvp(argv[0], argv);
	err(2, "%s", argv[0]);
}

static void check_usage(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--landlock") == 0) {
		(void)printf("%ld\n", syscall(SYS_landlock_create_ruleset, NULL, 0,
					      LANDLOCK_CREATE_RULESET_VERSION));
		exit(0);
	}
	if (argc > 2 && strcmp(argv[1], "--without-landlock") == 0)
		without_landlock(argv + 2);
	if (argc < 5)
		errx(2, "usage: sandbox-probe USER DIRECTORY LAYERS ACT [ARGUMENT]");
}

int main(int argc, char **argv)
{
	struct buf why = { 0 };
	struct result r;
	int state;

	if (getenv("PROBE_EXECUTED"))
		tell(0);
	if (argc == 1)
		run_started();
	check_usage(argc, argv);
	state = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state < 0 || dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), INHERITED_FD) < 0)
		err(2, "%s", argv[2]);
	r = has(argv[3], "started")
		    ? drive_started(argv[0], argv[1], state, argv + 3, &why)
		    : drive_plain(argv[1], state, argv + 3, &why);
	if (r.value > 0 && strcmp(argv[4], "linger") == 0) {
		r.value = linger(r.value);
		r.sys = errno;
	}
	if (r.value < 0)
		(void)printf("refused: %s%s\n", r.sys ? strerror(r.sys) : "no answer",
			why.data ? why.data : "");
	else
		(void)printf("done\n");
	buf_release(&why);
	return r.value < 0;
}
