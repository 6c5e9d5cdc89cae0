/* SPDX-License-Identifier: MIT */
/*
 * Scope-bound ownership.  `autofd`, `autofree`, `autofile` and `autodir` release what
 * they hold when the variable goes out of scope; `take_fd` and `take_ptr` give it to
 * the caller and leave the variable empty.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* an error of close says nothing we could mend here */
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		(void)fclose(*f); /* writers that care call fclose themselves */
}

static inline void cleanup_dir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define autofree    CLEANUP(cleanup_free)
#define autofd      CLEANUP(cleanup_fd) int
#define autofile    CLEANUP(cleanup_file) FILE *
#define autodir     CLEANUP(cleanup_dir) DIR *

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(pp)                                                                     \
	({                                                                               \
		__typeof__(pp) pp_ = (pp);                                               \
		__typeof__(*pp_) taken_ = *pp_;                                          \
		*pp_ = NULL;                                                             \
		taken_;                                                                  \
	})

#endif
