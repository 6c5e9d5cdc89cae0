/* SPDX-License-Identifier: MIT */
/* See syscalls.h. */
#include "store/server/syscalls.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>

#include "base/cleanup.h"
#include "base/sanitizers.h"
#include "store/kernel.h"

#define TYPE_MASK 0xfu /* SOCK_TYPE_MASK of linux/net.h: without SOCK_CLOEXEC, … */
#define NEW_SPACES                                                                       \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |   \
		CLONE_NEWPID | CLONE_NEWNET)

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* 5.17: the C library names its memory */
#endif

#define CALL(name) SCMP_SYS(name)

/* clang-format off */
static const int allowed[] = {
	/* descriptors */
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64), CALL(pwrite64),
	CALL(preadv), CALL(pwritev), CALL(preadv2), CALL(pwritev2), CALL(lseek),
	CALL(_llseek), CALL(close), CALL(close_range), CALL(dup), CALL(dup2), CALL(dup3),
	CALL(fcntl), CALL(fcntl64), CALL(flock), CALL(fsync), CALL(fdatasync),
	CALL(sync_file_range), CALL(sync_file_range2), CALL(syncfs), CALL(fallocate),
	CALL(ftruncate), CALL(ftruncate64), CALL(fadvise64), CALL(fadvise64_64),
	CALL(arm_fadvise64_64), CALL(readahead), CALL(copy_file_range), CALL(sendfile),
	CALL(sendfile64), CALL(pipe), CALL(pipe2), CALL(eventfd), CALL(eventfd2),
	CALL(poll), CALL(ppoll), CALL(ppoll_time64), CALL(select), CALL(_newselect),
	CALL(pselect6), CALL(pselect6_time64), CALL(epoll_create), CALL(epoll_create1),
	CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2),
	/* files: which ones is Landlock's business */
	CALL(open), CALL(openat), CALL(openat2), CALL(creat), CALL(mkdir), CALL(mkdirat),
	CALL(rmdir), CALL(unlink), CALL(unlinkat), CALL(rename), CALL(renameat),
	CALL(renameat2), CALL(link), CALL(linkat), CALL(readlink), CALL(readlinkat),
	CALL(truncate), CALL(truncate64), CALL(stat), CALL(stat64), CALL(fstat),
	CALL(fstat64), CALL(lstat), CALL(lstat64), CALL(newfstatat), CALL(fstatat64),
	CALL(statx), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(statfs),
	CALL(statfs64), CALL(fstatfs), CALL(fstatfs64), CALL(getdents), CALL(getdents64),
	CALL(getcwd), CALL(chdir), CALL(fchdir), CALL(chmod), CALL(fchmod), CALL(fchmodat),
	CALL(utime), CALL(utimes), CALL(futimesat), CALL(utimensat),
	CALL(utimensat_time64), CALL(umask),
	/* memory, threads, signals of its own, time */
	CALL(brk), CALL(mmap), CALL(mmap2), CALL(munmap), CALL(mremap), CALL(mprotect),
	CALL(madvise), CALL(msync), CALL(mincore), CALL(mlock), CALL(mlock2),
	CALL(munlock), CALL(membarrier), CALL(pkey_alloc), CALL(pkey_free),
	CALL(pkey_mprotect), CALL(futex), CALL(futex_time64), CALL(set_robust_list),
	CALL(get_robust_list), CALL(set_tid_address), CALL(set_thread_area),
	CALL(get_thread_area), CALL(set_tls), CALL(rseq), CALL(arch_prctl),
	CALL(cacheflush), CALL(exit), CALL(exit_group), CALL(sched_yield),
	CALL(sched_getaffinity), CALL(sched_getparam), CALL(sched_getscheduler),
	CALL(sched_get_priority_min), CALL(sched_get_priority_max), CALL(getcpu),
	CALL(rt_sigaction), CALL(sigaction), CALL(rt_sigprocmask), CALL(sigprocmask),
	CALL(rt_sigreturn), CALL(sigreturn), CALL(rt_sigpending), CALL(rt_sigtimedwait),
	CALL(rt_sigtimedwait_time64), CALL(rt_sigsuspend), CALL(sigaltstack),
	CALL(restart_syscall), CALL(nanosleep), CALL(clock_nanosleep),
	CALL(clock_nanosleep_time64), CALL(clock_gettime), CALL(clock_gettime64),
	CALL(clock_getres), CALL(clock_getres_time64), CALL(gettimeofday), CALL(time),
	CALL(times),
	/* questions about itself and the machine */
	CALL(getpid), CALL(gettid), CALL(getppid), CALL(getpgrp), CALL(getpgid),
	CALL(getsid), CALL(getuid), CALL(getuid32), CALL(geteuid), CALL(geteuid32),
	CALL(getgid), CALL(getgid32), CALL(getegid), CALL(getegid32), CALL(getresuid),
	CALL(getresuid32), CALL(getresgid), CALL(getresgid32), CALL(getgroups),
	CALL(getgroups32), CALL(uname), CALL(sysinfo), CALL(getrusage), CALL(getrlimit),
	CALL(ugetrlimit), CALL(setrlimit), CALL(getrandom),
	/* sockets; which ones may be made stands below */
	CALL(socketpair), CALL(connect), CALL(bind), CALL(getsockname), CALL(getpeername),
	CALL(setsockopt), CALL(getsockopt), CALL(send), CALL(sendto), CALL(sendmsg),
	CALL(sendmmsg), CALL(recv), CALL(recvfrom), CALL(recvmsg), CALL(recvmmsg),
	CALL(recvmmsg_time64), CALL(shutdown),
};

static const int refused[] = {
	CALL(execve), CALL(execveat), CALL(fork), CALL(vfork), CALL(kill), CALL(tkill),
	CALL(setsid), CALL(setpgid), CALL(mknod), CALL(mknodat), CALL(chown), CALL(fchown),
	CALL(lchown), CALL(fchownat), CALL(chown32), CALL(fchown32), CALL(lchown32),
	CALL(add_key), CALL(request_key), CALL(keyctl), CALL(listen), CALL(accept),
	CALL(accept4),
};

static const int fatal[] = {
#if !SANITIZERS /* their search for leaks is done by a process that traces this one */
	CALL(ptrace),
#endif
	CALL(process_vm_readv), CALL(process_vm_writev), CALL(process_madvise), CALL(kcmp),
	CALL(pidfd_open), CALL(pidfd_getfd), CALL(pidfd_send_signal),
	CALL(rt_sigqueueinfo), CALL(rt_tgsigqueueinfo), CALL(mount), CALL(umount),
	CALL(umount2), CALL(move_mount), CALL(open_tree), CALL(fsopen), CALL(fsconfig),
	CALL(fsmount), CALL(fspick), CALL(mount_setattr), CALL(pivot_root), CALL(chroot),
	CALL(unshare), CALL(setns), CALL(open_by_handle_at), CALL(bpf),
	CALL(perf_event_open), CALL(userfaultfd), CALL(io_uring_setup),
	CALL(io_uring_enter), CALL(io_uring_register), CALL(kexec_load),
	CALL(kexec_file_load), CALL(init_module), CALL(finit_module), CALL(delete_module),
	CALL(setuid), CALL(setuid32), CALL(setreuid), CALL(setreuid32), CALL(setresuid),
	CALL(setresuid32), CALL(setfsuid), CALL(setfsuid32), CALL(setgid), CALL(setgid32),
	CALL(setregid), CALL(setregid32), CALL(setresgid), CALL(setresgid32),
	CALL(setfsgid), CALL(setfsgid32), CALL(setgroups), CALL(setgroups32), CALL(capset),
	CALL(personality), CALL(modify_ldt), CALL(iopl), CALL(ioperm), CALL(reboot),
	CALL(swapon), CALL(swapoff), CALL(acct), CALL(quotactl), CALL(quotactl_fd),
	CALL(settimeofday), CALL(clock_settime), CALL(clock_settime64),
	CALL(clock_adjtime), CALL(clock_adjtime64), CALL(adjtimex), CALL(stime),
	CALL(sethostname), CALL(setdomainname), CALL(syslog), CALL(vhangup),
};
/* clang-format on */

struct filter {
	scmp_filter_ctx ctx;
	int result; /* the first failure: negative errno */
};

static void add(struct filter *f, uint32_t action, int call, unsigned n,
	const struct scmp_arg_cmp *args)
{
	if (f->result == 0)
		f->result = seccomp_rule_add_array(f->ctx, action, call, n, args);
}

static void add_all(struct filter *f, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(f, action, calls[i], 0, NULL);
}
#define ADD_ALL(f, action, list)                                                         \
	add_all(f, action, list, sizeof(list) / sizeof((list)[0]))

/* `call` where argument `arg`, under `mask`, is `value`. */
static void add_where(struct filter *f, uint32_t action, int call, unsigned arg,
	uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp where = { arg, SCMP_CMP_MASKED_EQ, mask, value };

	add(f, action, call, 1, &where);
}

static void add_socket(struct filter *f, int family, int type, int protocol)
{
	struct scmp_arg_cmp where[] = {
		{ 0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)family },
		{ 1, SCMP_CMP_MASKED_EQ, TYPE_MASK, (scmp_datum_t)type },
		{ 2, SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)protocol },
	};

	add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3, where);
}

/* The network, and what finding a name's addresses takes: DNS, the list of interfaces,
 * and a service of the machine that resolves names (nss-resolve, nscd). */
static void add_sockets(struct filter *f)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		add_socket(f, families[i], SOCK_STREAM, 0);
		add_socket(f, families[i], SOCK_STREAM, IPPROTO_TCP);
		add_socket(f, families[i], SOCK_DGRAM, 0);
		add_socket(f, families[i], SOCK_DGRAM, IPPROTO_UDP);
	}
	add_socket(f, AF_UNIX, SOCK_STREAM, 0);
	add_socket(f, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static void add_careful(struct filter *f)
{
	static const int ioctls[] = { FIONBIO, FIONREAD, FIOCLEX, TCGETS };
	static const int prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_VMA,
		PR_SET_NO_NEW_PRIVS };

	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		add_where(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, UINT32_MAX,
			(uint32_t)ioctls[i]);
	for (size_t i = 0; i < sizeof(prctls) / sizeof(prctls[0]); i++)
		add_where(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 0, UINT32_MAX,
			(uint32_t)prctls[i]);
	/* Threads, not processes; in the same spaces. */
	add_where(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 0, CLONE_THREAD | NEW_SPACES,
		CLONE_THREAD);
	add_where(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 0, CLONE_THREAD, 0);
	/* abort(); its own limits. */
	add_where(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 0, UINT32_MAX, (uint32_t)getpid());
	add_where(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 0, UINT32_MAX, 0);
	/* A further filter only takes away more. */
	add_where(f, SCMP_ACT_ALLOW, SCMP_SYS(seccomp), 0, UINT32_MAX,
		SECCOMP_SET_MODE_FILTER);
	add_where(f, SCMP_ACT_ALLOW, SCMP_SYS(seccomp), 0, UINT32_MAX,
		SECCOMP_GET_ACTION_AVAIL);
	add_sockets(f);
}

static int load(struct filter *f, struct error *e)
{
	if (f->result == 0)
		f->result = seccomp_attr_set(
			f->ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (f->result == 0)
		f->result = seccomp_attr_set(f->ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (f->result == 0)
		f->result = seccomp_load(f->ctx);
	seccomp_release(f->ctx);
	if (f->result == 0)
		return 1;
	errno = -f->result;
	return err_sys(e, "sandbox: seccomp");
}

int syscalls_confine(struct error *e)
{
	/* A sanitizer's own calls are many, and its search for leaks makes a process. */
	struct filter f = { .ctx = seccomp_init(SANITIZERS ? SCMP_ACT_ALLOW
							   : SCMP_ACT_ERRNO(ENOSYS)) };

	if (!f.ctx)
		return err_set(e, E_SYSTEM, "sandbox: libseccomp cannot be used");
	if (!kernel_seccomp()) {
		seccomp_release(f.ctx);
		return 0;
	}
	/* A binary tree: a dozen comparisons for a call, not a hundred. */
	f.result = seccomp_attr_set(f.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	ADD_ALL(&f, SCMP_ACT_KILL_PROCESS, fatal);
	if (!SANITIZERS) {
		ADD_ALL(&f, SCMP_ACT_ERRNO(EPERM), refused);
		ADD_ALL(&f, SCMP_ACT_ALLOW, allowed);
		add_careful(&f);
	}
	return load(&f, e);
}

int syscalls_end_network(struct error *e)
{
	/* Calls that could name an address; frames to root go by writev. */
	static const int network[] = { CALL(socket), CALL(connect), CALL(bind),
		CALL(sendmsg), CALL(sendmmsg) };
	struct filter f = { .ctx = seccomp_init(SCMP_ACT_ALLOW) };
	struct scmp_arg_cmp named = { 4, SCMP_CMP_NE, 0, 0 };

	if (!f.ctx)
		return err_set(e, E_SYSTEM, "sandbox: libseccomp cannot be used");
	ADD_ALL(&f, SCMP_ACT_ERRNO(EPERM), network);
	add(&f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(sendto), 1, &named);
	return load(&f, e);
}
