/* SPDX-License-Identifier: MIT */
/* For tests: the manifest of a directory that lies before us. */
#ifndef TESTS_LISTING_H
#define TESTS_LISTING_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "manifest/manifest.h"

static inline void listing_file(const char *path, struct entry *entry)
{
	autobuf data = { 0 };

	cr_assert_eq(io_read_file_at(AT_FDCWD, path, 1 << 24, &data, NULL), 0);
	entry->digest = digest_of(buf_bytes(&data));
	entry->size = data.size;
}

/* One entry; hard links are the tests' own business. */
static inline void listing_entry(const char *root, const char *path, struct buf *out)
{
	autofree char *full = xasprintf("%s/%s", root, path);
	char target[4096] = "";
	struct entry entry = { .path = path };
	struct stat st;

	cr_assert_eq(lstat(full, &st), 0, "%s", full);
	entry.mode = st.st_mode & 07777;
	entry.uid = st.st_uid;
	entry.gid = st.st_gid;
	entry.mtime = st.st_mtim;
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		entry.type = ENTRY_DIR;
		break;
	case S_IFREG:
		entry.type = ENTRY_FILE;
		listing_file(full, &entry);
		break;
	case S_IFLNK:
		entry.type = ENTRY_LINK;
		cr_assert_gt(readlink(full, target, sizeof(target) - 1), 0);
		entry.target = target;
		break;
	case S_IFCHR:
		entry.type = ENTRY_CHAR;
		entry.major = major(st.st_rdev);
		entry.minor = minor(st.st_rdev);
		break;
	default:
		entry.type = ENTRY_FIFO;
		break;
	}
	entry_print(&entry, out);
}

static inline int listing_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Everything below root/dir ("." for all), in manifest order, appended to `out`. */
static inline void listing_walk(const char *root, const char *dir, struct buf *out)
{
	autofree char *full = xasprintf("%s/%s", root, dir);
	struct dirent **names = NULL;
	int n;

	if (out->size == 0)
		buf_adds(out, MANIFEST_HEADER);
	listing_entry(root, dir, out);
	n = scandir(full, &names, NULL, listing_order);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		autofree char *path = strcmp(dir, ".") == 0
					      ? xstrdup(name)
					      : xasprintf("%s/%s", dir, name);
		struct stat st;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			autofree char *child = xasprintf("%s/%s", root, path);

			cr_assert_eq(lstat(child, &st), 0);
			if (S_ISDIR(st.st_mode))
				listing_walk(root, path, out);
			else
				listing_entry(root, path, out);
		}
		free(names[i]);
	}
	free(names);
}

#endif
