/* SPDX-License-Identifier: MIT */
/*
 * A file that gets its name when it is complete, and leaves nothing behind otherwise:
 * O_TMPFILE, or where the file system has none a "tmp_" name, which `git gc` also
 * sweeps away.
 */
#ifndef BASE_NEWFILE_H
#define BASE_NEWFILE_H

#include "base/error.h"

struct newfile {
	int fd;
	int dir;       /* borrowed */
	char name[40]; /* "" for a nameless one */
};

int newfile_open(int dir, struct newfile *ret, struct error *e);

/* Make it read-only, sync it, give it its name; one that is there already is kept. */
int newfile_publish(struct newfile *f, const char *name, struct error *e);

/* Closes; removes what was not published.  Takes { .fd = -1 }. */
void newfile_release(struct newfile *f);

#endif
