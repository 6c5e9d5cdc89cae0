/* SPDX-License-Identifier: MIT */
/*
 * Run a program and its children, count their system calls by role, and at one of them
 * let something go wrong: everything is killed, one process is, the call fails, or it does
 * only half.  With --record it tells what there is to hit.  Calls of the dynamic loader
 * are not counted: nothing of the program has begun.
 *
 *   inject [--record FILE | --at ROLE:CALL:N --do ACTION] --report FILE PROGRAM ARG…
 *
 * ROLE: root is PROGRAM, store the store process, tool all else root starts, fork a child
 * of root before it executes anything.  The N-th CALL of that role is hit.  ACTION: kill,
 * alone, short, error=NUMBER.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject.h"

#define TASKS_MAX 256
#define SECONDS	  30 /* longer than that is a hang */

enum role { ROLE_ROOT, ROLE_STORE, ROLE_TOOL, ROLE_FORK, ROLE_COUNT };

static const char *const role_names[ROLE_COUNT] = { "root", "store", "tool", "fork" };

enum action { ACTION_NONE, ACTION_KILL, ACTION_ALONE, ACTION_SHORT, ACTION_ERROR };

struct task {
	pid_t pid;
	bool known; /* its parent's stop told us whose it is */
	bool held;  /* stopped until then */
	enum role role;
	unsigned long loader_start; /* ld.so's code */
	unsigned long loader_end;
};

struct tracer {
	struct task tasks[TASKS_MAX];
	size_t n_tasks;
	unsigned counts[ROLE_COUNT];
	FILE *record;
	/* what to do, and where */
	enum action action;
	enum role role;
	const struct call *call;
	unsigned at;
	int error;
	/* what happened */
	const char *reached;
	pid_t root;
	int status;
	bool hung;
	char crashed[64];
};

static volatile sig_atomic_t out_of_time;

static void on_alarm(int sig)
{
	(void)sig;
	out_of_time = 1;
}

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(125);
}

/* --- tasks -------------------------------------------------------------------------- */

static struct task *task_find(struct tracer *t, pid_t pid)
{
	for (size_t i = 0; i < t->n_tasks; i++)
		if (t->tasks[i].pid == pid)
			return &t->tasks[i];
	return NULL;
}

static struct task *task_get(struct tracer *t, pid_t pid)
{
	struct task *task = task_find(t, pid);

	if (task)
		return task;
	if (t->n_tasks == TASKS_MAX) {
		errno = E2BIG;
		die("inject: processes");
	}
	task = &t->tasks[t->n_tasks++];
	*task = (struct task){ .pid = pid };
	return task;
}

static void task_drop(struct tracer *t, struct task *task)
{
	*task = t->tasks[--t->n_tasks];
}

static void go_on(pid_t pid, int sig)
{
	/* ESRCH: it was killed meanwhile */
	if (ptrace(PTRACE_CONT, pid, 0, (long)sig) < 0 && errno != ESRCH)
		die("inject: PTRACE_CONT");
}

static void find_loader(struct task *task)
{
	char line[PATH_MAX + 128];
	char path[64];
	FILE *f;

	task->loader_start = 0;
	task->loader_end = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", task->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long start;
		unsigned long end;

		if (!strstr(line, "/ld-linux") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		if (task->loader_start == 0)
			task->loader_start = start;
		task->loader_end = end;
	}
	if (f)
		(void)fclose(f);
}

static void on_exec(struct tracer *t, struct task *task)
{
	char path[64];
	char exe[PATH_MAX] = "";
	const char *name;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", task->pid);
	(void)!readlink(path, exe, sizeof(exe) - 1);
	name = strrchr(exe, '/');
	if (task->pid != t->root && task->role != ROLE_STORE)
		task->role = name && strcmp(name, "/osupdate-store") == 0 ? ROLE_STORE : ROLE_TOOL;
	find_loader(task);
}

static void on_child(struct tracer *t, const struct task *parent, int event)
{
	struct task copy = *parent;
	unsigned long pid;
	struct task *child;

	if (ptrace(PTRACE_GETEVENTMSG, copy.pid, 0, &pid) < 0)
		return; /* killed; so is the child, by us or with its parent */
	child = task_get(t, (pid_t)pid);
	child->known = true;
	child->role = copy.role;
	child->loader_start = copy.loader_start;
	child->loader_end = copy.loader_end;
	if (copy.role == ROLE_ROOT && event != PTRACE_EVENT_CLONE)
		child->role = ROLE_FORK;
	if (child->held)
		go_on(child->pid, 0);
	child->held = false;
}

/* --- at a call ---------------------------------------------------------------------- */

static void fail_call(pid_t pid, int error)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		return;
	/* No such call is none, and leaves the result alone (seccomp(2)). */
	regs.orig_rax = ~0ULL;
	regs.rax = (unsigned long long)-(long long)error;
	(void)ptrace(PTRACE_SETREGS, pid, 0, &regs); /* ESRCH as above */
}

static void halve_call(pid_t pid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		return;
	if (regs.rdx > 1)
		regs.rdx /= 2;
	(void)ptrace(PTRACE_SETREGS, pid, 0, &regs); /* ESRCH as above */
}

static void act(struct tracer *t, const struct task *task)
{
	switch (t->action) {
	case ACTION_KILL:
		(void)kill(t->root, SIGKILL);
		if (task->pid != t->root)
			(void)kill(task->pid, SIGKILL);
		break;
	case ACTION_ALONE:
		(void)kill(task->pid, SIGKILL);
		break;
	case ACTION_SHORT:
		halve_call(task->pid);
		break;
	case ACTION_ERROR:
		fail_call(task->pid, t->error);
		break;
	case ACTION_NONE:
		break;
	}
}

static void record_call(struct tracer *t, const struct task *task, const struct call *call,
	const struct __ptrace_syscall_info *info)
{
	char target[PATH_MAX];
	bool creates;

	call_describe(task->pid, call, info, target, sizeof(target), &creates);
	(void)fprintf(t->record, "%s\t%u\t%s\t%llu\t%d\t%s\n", role_names[task->role],
		t->counts[task->role], call->name, (unsigned long long)info->seccomp.args[2],
		creates, target);
}

static void on_call(struct tracer *t, struct task *task)
{
	struct __ptrace_syscall_info info;
	const struct call *call;
	unsigned n;

	if (!t->record && (t->reached || task->role != t->role))
		return; /* nothing to count for */
	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->pid, sizeof(info), &info) < 0 ||
		info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return;
	if (info.instruction_pointer >= task->loader_start &&
		info.instruction_pointer < task->loader_end)
		return;
	call = call_by_nr((int)info.seccomp.nr);
	if (!call)
		return;
	n = ++t->counts[task->role];
	if (t->record)
		record_call(t, task, call, &info);
	if (t->action == ACTION_NONE || t->reached || task->role != t->role || n < t->at)
		return;
	t->reached = call->name;
	act(t, task);
}

/* --- the loop ----------------------------------------------------------------------- */

static void on_end(struct tracer *t, struct task *task, int status)
{
	if (task->pid == t->root)
		t->status = status;
	/* SIGKILL is ours, SIGPIPE and the like what a parent's death does. */
	if (WIFSIGNALED(status) && !strchr("\x9\xd\xf\x1", WTERMSIG(status)))
		(void)snprintf(t->crashed, sizeof(t->crashed), "%s:%s",
			role_names[task->role], strsignal(WTERMSIG(status)));
	task_drop(t, task);
}

static void on_stop(struct tracer *t, struct task *task, int status)
{
	int event = status >> 16;
	int sig = 0;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		on_call(t, task);
		break;
	case PTRACE_EVENT_EXEC:
		on_exec(t, task);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		on_child(t, task, event);
		break;
	case 0:
		sig = WSTOPSIG(status);
		break;
	default: /* PTRACE_EVENT_STOP: a new task, or job control */
		if (!task->known) {
			task->held = true;
			return;
		}
		break;
	}
	go_on(task->pid, sig);
}

static void give_up(struct tracer *t)
{
	t->hung = true;
	for (size_t i = 0; i < t->n_tasks; i++)
		(void)kill(t->tasks[i].pid, SIGKILL);
}

static void run(struct tracer *t)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);
		struct task *task;

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid < 0 && errno != EINTR)
			die("inject: waitpid");
		if (out_of_time && !t->hung)
			give_up(t);
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status)) {
			on_stop(t, task_get(t, pid), status);
			continue;
		}
		task = task_find(t, pid); /* an orphan ends twice: for us and as our child */
		if (task)
			on_end(t, task, status);
	}
}

static pid_t start(char **argv, const struct call *only)
{
	const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int ready[2];
	pid_t pid;
	char c;

	if (pipe2(ready, O_CLOEXEC) < 0)
		die("inject: pipe");
	pid = fork();
	if (pid < 0)
		die("inject: fork");
	if (pid == 0) {
		(void)close(ready[1]);
		(void)!read(ready[0], &c, 1); /* the end of file: we are traced */
		if (filter_install(only) < 0)
			die("inject: seccomp");
		(void)syscall(SYS_execve, argv[0], argv, environ);
		die(argv[0]);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0)
		die("inject: PTRACE_SEIZE");
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

/* --- main --------------------------------------------------------------------------- */

static _Noreturn void usage(void)
{
	(void)fprintf(stderr, "usage: inject [--record FILE | --at ROLE:CALL:N --do "
			      "kill|alone|short|error=NUMBER] --report FILE PROGRAM ARG...\n");
	exit(125);
}

static void parse_at(struct tracer *t, char *text)
{
	char *role = strtok(text, ":");
	char *call = strtok(NULL, ":");
	char *n = strtok(NULL, ":");

	if (!role || !call || !n)
		usage();
	while (t->role < ROLE_COUNT && strcmp(role, role_names[t->role]) != 0)
		t->role++;
	t->at = (unsigned)strtoul(n, NULL, 10);
	t->call = call_by_name(call);
	if (t->role == ROLE_COUNT || t->at == 0 || !t->call)
		usage();
}

static void parse_do(struct tracer *t, const char *text)
{
	if (strcmp(text, "kill") == 0)
		t->action = ACTION_KILL;
	else if (strcmp(text, "alone") == 0)
		t->action = ACTION_ALONE;
	else if (strcmp(text, "short") == 0)
		t->action = ACTION_SHORT;
	else if (sscanf(text, "error=%d", &t->error) == 1)
		t->action = ACTION_ERROR;
	else
		usage();
}

static void report(const struct tracer *t, const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die(path);
	(void)fprintf(f,
		"{\"reached\": \"%s\", \"exit\": %d, \"signal\": %d, \"hung\": %s, "
		"\"crashed\": \"%s\"}\n",
		t->reached ? t->reached : "",
		WIFEXITED(t->status) ? WEXITSTATUS(t->status) : -1,
		WIFSIGNALED(t->status) ? WTERMSIG(t->status) : 0, t->hung ? "true" : "false",
		t->crashed);
	if (fclose(f) != 0)
		die(path);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "record", required_argument, NULL, 'r' },
		{ "at", required_argument, NULL, 'a' },
		{ "do", required_argument, NULL, 'd' },
		{ "report", required_argument, NULL, 'o' },
		{ 0 },
	};
	static struct tracer t;
	const struct sigaction alarmed = { .sa_handler = on_alarm };
	const char *out = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 'r')
			t.record = fopen(optarg, "we");
		else if (c == 'a')
			parse_at(&t, optarg);
		else if (c == 'd')
			parse_do(&t, optarg);
		else if (c == 'o')
			out = optarg;
		else
			usage();
	}
	if (optind == argc || !out || !t.action != !t.at || (t.action && t.record))
		usage();
	/* A hook whose osupdate was killed runs on: wait for it, too. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		die("inject: prctl");
	(void)sigaction(SIGALRM, &alarmed, NULL);
	t.root = start(&argv[optind], t.call);
	*task_get(&t, t.root) = (struct task){ .pid = t.root, .known = true };
	(void)alarm(SECONDS);
	run(&t);
	if (t.record && fclose(t.record) != 0)
		die("inject: record");
	report(&t, out);
	return 0;
}
