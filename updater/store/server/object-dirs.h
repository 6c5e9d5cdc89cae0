/* SPDX-License-Identifier: MIT */
/*
 * Where a repository on this machine keeps its objects: in its own directory, and in
 * those it borrows from (gitrepository-layout(5), info/alternates).  A stick is
 * anybody's: what is not called objects gets nobody anywhere.
 */
#ifndef SERVER_OBJECT_DIRS_H
#define SERVER_OBJECT_DIRS_H

#include <stddef.h>

#include "base/cleanup.h"

#define OBJECT_DIRS_MAX 64

struct object_dirs {
	char *list[OBJECT_DIRS_MAX]; /* the repository's own is the first */
	size_t n;
};

void object_dirs_list(const char *objects, struct object_dirs *ret);
void object_dirs_release(struct object_dirs *d);
#define autoobjectdirs CLEANUP(object_dirs_release) struct object_dirs

#endif
