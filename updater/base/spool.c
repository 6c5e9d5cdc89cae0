/* SPDX-License-Identifier: MIT */
/* Arrays in unlinked files: see spool.h. */
#include "base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/io.h"

#define FIRST_SIZE ((size_t)64 << 10)

int spool_reserve(struct spool *s, int dirfd, size_t size, struct error *e)
{
	size_t grown = s->size ? s->size : FIRST_SIZE;
	void *p;
	int r = 0;

	if (size <= s->size)
		return 0;
	while (grown < size)
		if (__builtin_mul_overflow(grown, (size_t)2, &grown))
			return err_set(e, E_INPUT, "spool: %zu bytes", size);
	if (!s->data)
		r = io_spool(dirfd, &s->fd, e);
	if (r < 0)
		return r;
	errno = posix_fallocate(s->fd, 0, (off_t)grown);
	if (errno != 0)
		r = err_sys(e, "spool: %zu bytes in the state directory", grown);
	p = r == 0 ? mmap(NULL, grown, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0)
		   : MAP_FAILED;
	if (r == 0 && p == MAP_FAILED)
		r = err_sys(e, "spool: mmap");
	if (r < 0) {
		if (!s->data)
			cleanup_fd(&s->fd);
		return r;
	}
	if (s->data)
		(void)munmap(s->data, s->size); /* our own mapping of the same file */
	s->data = p;
	s->size = grown;
	return 0;
}

int spool_grow(struct spool *s, int dirfd, size_t n, size_t width, struct error *e)
{
	size_t size;

	if (__builtin_add_overflow(n, (size_t)1, &n) ||
		__builtin_mul_overflow(n, width, &size))
		return err_set(e, E_INPUT, "spool: too many elements");
	return size <= s->size ? 0 : spool_reserve(s, dirfd, size, e);
}

void spool_release(struct spool *s)
{
	if (s->data) {
		(void)munmap(s->data, s->size); /* our own mapping */
		cleanup_fd(&s->fd);
	}
	*s = (struct spool){ 0 };
}
