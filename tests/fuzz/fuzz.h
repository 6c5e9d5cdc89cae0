/* SPDX-License-Identifier: MIT */
/* What fuzz targets share. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static inline bool bytes_same(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Cut off what stands before the first NUL (all, when there is none). */
static inline struct bytes take_part(struct bytes *in)
{
	const unsigned char *end = in->size ? memchr(in->data, '\0', in->size) : NULL;
	struct bytes part = { in->data, end ? (size_t)(end - in->data) : in->size };

	in->data += part.size + (end ? 1 : 0);
	in->size -= part.size + (end ? 1 : 0);
	return part;
}

/* One file in memory for all inputs: its path, and new contents. */
static inline const char *memory_file(int *fd)
{
	static char path[64];

	*fd = memfd_create("fuzz", MFD_CLOEXEC);
	assert(*fd >= 0 && fchmod(*fd, 0600) == 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	return path;
}

static inline void memory_put(int fd, struct bytes contents)
{
	assert(ftruncate(fd, 0) == 0);
	assert(pwrite(fd, contents.data, contents.size, 0) == (ssize_t)contents.size);
}

#endif
