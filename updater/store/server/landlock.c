/* SPDX-License-Identifier: MIT */
/* See landlock.h.  The numbers are the kernel's (linux/landlock.h, also newer ones). */
#include "store/server/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "store/kernel.h"

#define ABI_TRUNCATE 3
#define ABI_TCP	     4
#define ABI_IOCTL    5
#define ABI_SCOPES   6

#define FS_ABI_1       ((1ull << 13) - 1)
#define FS_REFER       (1ull << 13)
#define FS_TRUNCATE    (1ull << 14)
#define FS_IOCTL_DEV   (1ull << 15)
#define TCP_BIND       (1ull << 0)
#define SCOPE_ABSTRACT (1ull << 0)
#define SCOPE_SIGNAL   (1ull << 1)

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* No links, devices, sockets, pipes: a store has none. */
#define FS_OWN                                                                           \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |       \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |           \
		LANDLOCK_ACCESS_FS_MAKE_REG | FS_REFER | FS_TRUNCATE)
#define FS_OF_FILES                                                                      \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

/* struct landlock_ruleset_attr as of ABI 6; older kernels take zeros at its end. */
struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

static struct ruleset known(int abi)
{
	struct ruleset r = { .fs = FS_ABI_1 | FS_REFER };

	if (abi >= ABI_TRUNCATE)
		r.fs |= FS_TRUNCATE;
	if (abi >= ABI_TCP)
		r.net = TCP_BIND;
	if (abi >= ABI_IOCTL)
		r.fs |= FS_IOCTL_DEV;
	if (abi >= ABI_SCOPES)
		r.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return r;
}

static int allow(int ruleset, const char *path, uint64_t access, struct error *e)
{
	autofd fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .parent_fd = fd };
	struct stat st;

	/* What cannot be reached now needs no permission. */
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "sandbox: %s", path);
	rule.allowed_access = S_ISDIR(st.st_mode) ? access : access & FS_OF_FILES;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
		    0) < 0)
		return err_sys(e, "sandbox: Landlock: %s", path);
	return 0;
}

int landlock_confine(const char *own, const char *const *readable, struct error *e)
{
	int abi = kernel_landlock();
	struct ruleset attr = known(abi);
	autofd ruleset = -1;
	int r;

	if (abi == 0)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return err_sys(e, "sandbox: Landlock");
	r = allow(ruleset, own, FS_OWN & attr.fs, e);
	for (size_t i = 0; r == 0 && readable[i]; i++)
		r = allow(ruleset, readable[i], FS_READ, e);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_sys(e, "sandbox: Landlock");
	return 1;
}
