/* SPDX-License-Identifier: MIT */
/*
 * The system calls that touch a descriptor or a path: see inject.h.  A list, not "all but":
 * what is missing here is run without a stop, and shows up in no campaign.
 */
#include "inject.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define N(name)	 { #name, SYS_##name, TARGET_NONE }
#define P0(name) { #name, SYS_##name, TARGET_PATH0 }
#define P1(name) { #name, SYS_##name, TARGET_PATH1 }
#define F(name)	 { #name, SYS_##name, TARGET_FD0 }

static const struct call calls[] = {
	/* contents */
	F(read), F(write), F(pread64), F(pwrite64), F(readv), F(writev), F(preadv), F(pwritev),
	F(preadv2), F(pwritev2), F(lseek), F(sendfile), F(copy_file_range), F(splice),
	F(ftruncate), F(fallocate), F(fadvise64), F(readahead), F(fsync), F(fdatasync),
	F(syncfs), F(sync_file_range), { "mmap", SYS_mmap, TARGET_FD4 },
	/* names */
	P0(open), P1(openat), P1(openat2), P0(creat), P0(truncate), P0(rename), P1(renameat),
	P1(renameat2), P0(mkdir), P1(mkdirat), P0(rmdir), P0(link), P1(linkat), P0(symlink),
	P0(symlinkat), P0(unlink), P1(unlinkat), P0(mknod), P1(mknodat), P0(readlink),
	P1(readlinkat), P0(chdir), F(fchdir), N(getcwd), F(getdents64),
	/* attributes */
	P0(stat), P0(lstat), F(fstat), P1(newfstatat), P1(statx), P0(access), P1(faccessat),
	P1(faccessat2), P0(chmod), F(fchmod), P1(fchmodat), P0(chown), P0(lchown), F(fchown),
	P1(fchownat), P1(utimensat), P0(setxattr), P0(lsetxattr), F(fsetxattr), P0(getxattr),
	P0(lgetxattr), F(fgetxattr), P0(listxattr), P0(llistxattr), F(flistxattr),
	P0(removexattr), P0(lremovexattr), F(fremovexattr), P0(statfs), F(fstatfs),
	/* descriptors */
	F(close), F(dup), F(dup2), F(dup3), F(fcntl), F(ioctl), F(flock), N(pipe), N(pipe2),
	N(close_range), N(memfd_create), N(eventfd2), N(timerfd_create), N(signalfd4),
	/* others, and waiting for them */
	N(socket), N(socketpair), F(connect), F(sendto), F(recvfrom), F(sendmsg), F(recvmsg),
	F(shutdown), F(setsockopt), F(getsockopt), N(poll), N(ppoll), N(select), N(pselect6),
	N(epoll_create1), F(epoll_ctl), F(epoll_wait), F(epoll_pwait), N(wait4), N(waitid),
	N(pidfd_open), F(pidfd_send_signal), P0(execve), P1(execveat),
	/* mounts */
	P0(mount), P0(umount2), P0(fsopen), F(fsconfig), F(fsmount), P1(fspick), P1(open_tree),
	P1(move_mount), P1(mount_setattr), N(io_uring_setup), F(io_uring_enter),
};

#define COUNT (sizeof(calls) / sizeof(calls[0]))

const struct call *call_by_nr(int nr)
{
	for (size_t i = 0; i < COUNT; i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

const struct call *call_by_name(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	return NULL;
}

/* --- the filter ------------------------------------------------------------------- */

static const struct sock_filter head[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
};

/* Memory without a file is mapped with the descriptor -1, and often. */
static const struct sock_filter mapping[] = {
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffffu, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static unsigned short add_call(struct sock_filter *code, const struct call *call)
{
	if (call->nr == SYS_mmap) {
		memcpy(code, mapping, sizeof(mapping));
		return LENGTH(mapping);
	}
	code[0] = (struct sock_filter)BPF_JUMP(
		BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call->nr, 0, 1);
	code[1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	return 2;
}

int filter_install(const struct call *only)
{
	struct sock_filter code[LENGTH(head) + LENGTH(mapping) + 2 * COUNT + 1];
	struct sock_fprog program = { .filter = code };
	unsigned short n = LENGTH(head);

	memcpy(code, head, sizeof(head));
	for (size_t i = 0; i < COUNT; i++)
		if (!only || only == &calls[i])
			n += add_call(&code[n], &calls[i]);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* --- what a call works on ----------------------------------------------------------- */

static bool peek(pid_t pid, unsigned long long at, void *data, size_t size)
{
	struct iovec here = { data, size };
	struct iovec there = { (void *)(unsigned long)at, size };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* Byte by byte: the page after the end of the string may not be there. */
static void peek_path(pid_t pid, unsigned long long at, char *ret, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && peek(pid, at + n, &ret[n], 1) && ret[n] != '\0') {
		if (ret[n] < ' ')
			ret[n] = '?';
		n++;
	}
	ret[n] = '\0';
}

static void describe_fd(pid_t pid, int fd, char *ret, size_t size)
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, fd);
	n = readlink(link, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
}

void call_describe(pid_t pid, const struct call *call,
	const struct __ptrace_syscall_info *info, char *ret, size_t size,
	bool *ret_creates)
{
	const __uint64_t *args = info->seccomp.args;
	struct open_how how = { 0 };

	ret[0] = '\0';
	*ret_creates = false;
	switch (call->target) {
	case TARGET_PATH0:
		peek_path(pid, args[0], ret, size);
		break;
	case TARGET_PATH1:
		peek_path(pid, args[1], ret, size);
		if (ret[0] == '\0')
			describe_fd(pid, (int)args[0], ret, size);
		break;
	case TARGET_FD0:
		describe_fd(pid, (int)args[0], ret, size);
		break;
	case TARGET_FD4:
		describe_fd(pid, (int)args[4], ret, size);
		break;
	case TARGET_NONE:
		break;
	}
	if (ret[0] == '\0')
		(void)snprintf(ret, size, "-");
	if (call->nr == SYS_openat)
		*ret_creates = args[2] & O_CREAT;
	else if (call->nr == SYS_open)
		*ret_creates = args[1] & O_CREAT;
	else if (call->nr == SYS_openat2)
		*ret_creates =
			peek(pid, args[2], &how, sizeof(how)) && (how.flags & O_CREAT);
}
