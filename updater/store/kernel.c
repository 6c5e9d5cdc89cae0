/* SPDX-License-Identifier: MIT */
/* See kernel.h. */
#include "store/kernel.h"

#include <errno.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LANDLOCK_REFER 2 /* the version */

int kernel_landlock(void)
{
	long version = syscall(
		SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < LANDLOCK_REFER ? 0 : (int)version;
}

bool kernel_seccomp(void)
{
	/* EFAULT: it would take one (seccomp(2)). */
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == 0 ||
	       errno == EFAULT;
}

const char *kernel_unconfined(void)
{
	bool files = kernel_landlock() > 0;
	bool calls = kernel_seccomp();

	if (files && calls)
		return NULL;
	if (files)
		return "system calls (the kernel has no seccomp filters)";
	if (calls)
		return "files that every user can read (the kernel has no Landlock, or "
		       "one older than 5.19)";
	return "system calls and files that every user can read (the kernel has neither "
	       "seccomp filters nor Landlock)";
}
