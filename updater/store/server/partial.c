/* SPDX-License-Identifier: MIT */
/* See partial.h. */
#include "store/server/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/le.h"
#include "store/server/kept.h"

#define NAME	  128 /* bytes of a path that are kept; no stream's is longer */
#define HAVE_AT	  (NAME + 8)
#define CRC_AT	  (HAVE_AT + 8)
#define HEAD	  (CRC_AT + 4)
#define FILE_NAME KEPT_DIR "/partial"

int partial_open(struct partial *p, size_t largest, struct error *e)
{
	autofd fd = -1;
	void *map;

	if (mkdir(KEPT_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "store/%s", KEPT_DIR);
	fd = open(FILE_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "store/%s", FILE_NAME);
	errno = posix_fallocate(fd, 0, (off_t)(HEAD + largest));
	if (errno != 0)
		return err_sys(e, "store/%s: %zu bytes", FILE_NAME, HEAD + largest);
	map = mmap(NULL, HEAD + largest, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, "store/%s: mmap", FILE_NAME);
	*p = (struct partial){ .map = map, .size = HEAD + largest };
	return 0;
}

void partial_close(struct partial *p)
{
	if (p->map)
		(void)munmap(p->map, p->size); /* our own mapping */
	*p = (struct partial){ 0 };
}

/* What the file says has come, and that is still what came. */
static bool is_whole(const struct partial *p, size_t size)
{
	uint64_t have = le64_get(p->map + HAVE_AT);

	return have <= size && libdeflate_crc32(0, p->map + HEAD, (size_t)have) ==
				       le32_get(p->map + CRC_AT);
}

size_t partial_begin(struct partial *p, const char *path, uint64_t offset, size_t size)
{
	unsigned char whose[HAVE_AT] = { 0 };

	memcpy(whose, path, strnlen(path, NAME));
	le64_put(whose + NAME, offset);
	if (memcmp(p->map, whose, sizeof(whose)) == 0 && is_whole(p, size)) {
		p->have = (size_t)le64_get(p->map + HAVE_AT);
		p->crc = le32_get(p->map + CRC_AT);
		return p->have;
	}
	partial_forget(p);
	memcpy(p->map, whose, sizeof(whose));
	return 0;
}

unsigned char *partial_data(const struct partial *p)
{
	return p->map + HEAD;
}

void partial_came(struct partial *p, size_t n)
{
	p->crc = libdeflate_crc32(p->crc, p->map + HEAD + p->have, n);
	p->have += n;
	/* Whoever is killed here leaves all up to here in the page cache. */
	le64_put(p->map + HAVE_AT, p->have);
	le32_put(p->map + CRC_AT, p->crc);
}

void partial_forget(struct partial *p)
{
	p->have = 0;
	p->crc = libdeflate_crc32(0, NULL, 0);
	partial_came(p, 0);
}

void partial_remove(void)
{
	(void)unlink(FILE_NAME); /* what stays is written over */
}
