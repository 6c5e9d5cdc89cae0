/* SPDX-License-Identifier: MIT */
/* Files and descriptors: see io.h. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

int io_read(int fd, void *data, size_t size, size_t *ret_n, struct error *e)
{
	for (;;) {
		ssize_t n = read(fd, data, size);

		if (n >= 0) {
			*ret_n = (size_t)n;
			return 0;
		}
		if (errno != EINTR)
			return err_sys(e, "read");
	}
}

int io_read_full(int fd, void *data, size_t size, struct error *e)
{
	unsigned char *p = data;

	while (size > 0) {
		size_t n;
		int r = io_read(fd, p, size, &n, e);

		if (r < 0)
			return r;
		if (n == 0)
			return err_set(e, E_INPUT, "unexpected end of file");
		p += n;
		size -= n;
	}
	return 0;
}

int io_pread_full(int fd, void *data, size_t size, uint64_t offset, struct error *e)
{
	unsigned char *p = data;

	while (size > 0) {
		ssize_t n = pread(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			return err_set(e, E_INPUT, "unexpected end of file");
		p += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int io_write_full(int fd, const void *data, size_t size, struct error *e)
{
	const unsigned char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write");
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int io_pwrite_full(
	int fd, const void *data, size_t size, uint64_t offset, struct error *e)
{
	const unsigned char *p = data;

	while (size > 0) {
		ssize_t n = pwrite(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write");
		p += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int io_read_file(int fd, const char *name, size_t max, struct buf *ret, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s: stat", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, E_INPUT, "%s: not a regular file", name);
	for (size_t left = max;;) {
		char chunk[16384];
		size_t n = 0;
		int r = io_read(fd, chunk, sizeof(chunk), &n, e);

		if (r < 0)
			return err_prefix(e, r, "%s", name);
		if (n == 0)
			return 0;
		if (n > left)
			return err_set(
				e, E_INPUT, "%s: larger than %zu bytes", name, max);
		left -= n;
		buf_add(ret, chunk, n);
	}
}

int io_read_file_at(int dirfd, const char *name, size_t max, struct buf *ret,
	struct error *e)
{
	/* O_NONBLOCK: a fifo planted under the name must not stop us here. */
	autofd fd = openat(dirfd, name,
		O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? err_sys(e, "%s", name) : io_read_file(fd, name, max, ret, e);
}

bool io_is_recent(int dirfd, const char *name, int64_t seconds)
{
	struct stat st;
	int64_t age;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	age = (int64_t)time(NULL) - st.st_mtime;
	return age >= 0 && age < seconds;
}

int io_sync(int fd, struct error *e)
{
	if (fsync(fd) < 0)
		return err_sys(e, "fsync");
	return 0;
}

static int write_new(int dirfd, const char *tmp, const struct bytes *parts, size_t n,
	mode_t mode, struct error *e)
{
	autofd fd = openat(dirfd, tmp,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	int r = 0;

	if (fd < 0)
		return err_sys(e, "create");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = io_write_full(fd, parts[i].data, parts[i].size, e);
	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0)
		return err_sys(e, "chmod");
	return io_sync(fd, e);
}

int io_replace_at(
	int dirfd, const char *name, struct bytes data, mode_t mode, struct error *e)
{
	return io_replace_parts_at(dirfd, name, &data, 1, mode, e);
}

int io_replace_parts_at(int dirfd, const char *name, const struct bytes *parts, size_t n,
	mode_t mode, struct error *e)
{
	char tmp[300];
	int r;

	/* One fixed temporary name per file: leftovers of a crash are replaced, not
	 * collected.  The caller's lock keeps writers apart. */
	if (snprintf(tmp, sizeof(tmp), ".%s.new", name) >= (int)sizeof(tmp))
		return err_set(e, E_INPUT, "%s: name too long", name);
	if (unlinkat(dirfd, tmp, 0) < 0 && errno != ENOENT)
		return err_sys(e, "%s: unlink", tmp);
	r = write_new(dirfd, tmp, parts, n, mode, e);
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = err_sys(e, "rename");
	if (r < 0) {
		(void)unlinkat(dirfd, tmp, 0); /* the first error is the one to tell */
		return err_prefix(e, r, "%s", name);
	}
	return io_sync(dirfd, e);
}

int io_spool(int dirfd, int *ret_fd, struct error *e)
{
	autofd fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		char name[40];

		(void)snprintf(name, sizeof(name), ".spool.%08x", randombytes_random());
		fd = openat(dirfd, name,
			O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0 && unlinkat(dirfd, name, 0) < 0)
			return err_sys(e, "spool: unlink");
	}
	if (fd < 0)
		return err_sys(e, "spool");
	*ret_fd = take_fd(&fd);
	return 0;
}

int io_map(int fd, struct bytes *ret, struct error *e)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (!S_ISREG(st.st_mode))
		return err_set(e, E_INPUT, "not a regular file");
	if (st.st_size == 0) {
		*ret = (struct bytes){ NULL, 0 };
		return 0;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "mmap");
	*ret = (struct bytes){ p, (size_t)st.st_size };
	return 0;
}

void io_unmap(struct bytes *b)
{
	if (b->data)
		(void)munmap((void *)(uintptr_t)b->data, b->size); /* our own mapping */
	*b = (struct bytes){ NULL, 0 };
}

int io_require_root_owned(int fd, const char *what, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s: stat", what);
	if (st.st_uid != 0)
		return err_set(e, E_UNTRUSTED,
			"%s: belongs to uid %u, not to root: chown root it", what,
			st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, E_UNTRUSTED,
			"%s: writable by group or others (mode %04o): chmod go-w it",
			what, st.st_mode & 07777);
	return 0;
}
