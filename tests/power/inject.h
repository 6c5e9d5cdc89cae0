/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the crash tester share: the system calls that touch a descriptor or a
 * path, and the filter that makes the kernel stop at these and at no others.  x86-64.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/types.h>

enum call_target {
	TARGET_NONE,
	TARGET_PATH0, /* a path in the first argument */
	TARGET_PATH1, /* a path in the second, below a descriptor */
	TARGET_FD0,
	TARGET_FD4, /* mmap */
};

struct call {
	const char *name;
	int nr;
	enum call_target target;
};

/* The call of that number or name; NULL when it is not one of ours. */
const struct call *call_by_nr(int nr);
const struct call *call_by_name(const char *name);

/*
 * From here on this process and its children stop for a tracer at each of these calls, or
 * at one of them only: every stop costs, and who waits for the 7th write needs no other.
 * Needs CAP_SYS_ADMIN: without no_new_privs, which the programs would otherwise inherit.
 * -1 with errno.
 */
int filter_install(const struct call *only);

/*
 * What the call works on, as text for people: a path, or what /proc says of the
 * descriptor; "-" when there is nothing to tell.  *ret_creates: it may make a file.
 */
void call_describe(pid_t pid, const struct call *call,
	const struct __ptrace_syscall_info *info, char *ret, size_t size, bool *ret_creates);
