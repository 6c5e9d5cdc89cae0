/* SPDX-License-Identifier: MIT */
/* An EFI system partition and a slot with a kernel, as directories in memory. */
#ifndef TESTS_FUZZ_LOADER_ESP_H
#define TESTS_FUZZ_LOADER_ESP_H

#include <ftw.h>

#include "loader.h"

static char place[] = "/dev/shm/osupdate-fuzz.XXXXXX";

static inline void put_file(const char *path, struct bytes contents)
{
	autofd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert(fd >= 0);
	assert(write(fd, contents.data, contents.size) == (ssize_t)contents.size);
}

/* The files of a directory, which stays. */
static inline void empty_directory(const char *path)
{
	autodir d = opendir(path);

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			(void)unlinkat(dirfd(d), e->d_name, 0);
}

static inline int remove_one(
	const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void esp_clean_up(void)
{
	(void)nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void esp_make(void)
{
	assert(mkdtemp(place) && chdir(place) == 0 && atexit(esp_clean_up) == 0);
	assert(mkdir("esp", 0700) == 0 && mkdir("root", 0700) == 0);
	put_file("root/vmlinuz", bytes_of("kernel"));
	put_file("root/initrd.img", bytes_of("initrd"));
	assert(setenv("OSUPDATE_ESP", "esp", 1) == 0);
	assert(setenv("OSUPDATE_ROOT", "root", 1) == 0);
	assert(setenv("OSUPDATE_DEVICE", "/nonexistent", 1) == 0);
}

#endif
