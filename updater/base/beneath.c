/* SPDX-License-Identifier: MIT */
/* Paths that stay beneath a root: see beneath.h. */
#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"

int beneath_open(int root, const char *path, int flags, mode_t mode, int *ret_fd,
	struct error *e)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | (flags & O_PATH ? 0 : O_NOCTTY)),
		.mode = flags & (O_CREAT | O_TMPFILE) & ~O_DIRECTORY ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			RESOLVE_NO_XDEV,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0)
		return err_sys(e, "open");
	*ret_fd = (int)fd;
	return 0;
}

int beneath_parent(int root, const char *path, int *ret_fd, const char **ret_name,
	struct error *e)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	autofree char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
	int r;

	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(e, E_INPUT, "no usable last component");
	r = beneath_open(root, parent, O_PATH | O_DIRECTORY, 0, ret_fd, e);
	if (r < 0)
		return r;
	*ret_name = name;
	return 0;
}
