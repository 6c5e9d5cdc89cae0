/* SPDX-License-Identifier: MIT */
/* Loose objects: see loose.h. */
#include "store/server/loose.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/server/session.h"

#define OBJECTS GIT_DIR "/objects"

static void list_below(int at, const char *two, struct loose *l)
{
	autofd fd = openat(at, two, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	autodir d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (d)
		(void)take_fd(&fd); /* belongs to the stream now */
	while (d && (entry = readdir(d))) {
		char hex[OID_HEX_MAX];
		struct stat st;
		struct oid id;

		if (snprintf(hex, sizeof(hex), "%s%s", two, entry->d_name) !=
				OID_HEX_MAX - 1 ||
			!oid_parse(hex, strlen(hex), &id) ||
			fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		ARRAY_GROW(l->ids, l->n, l->cap);
		l->ids[l->n++] = id;
		l->bytes += (uint64_t)st.st_size;
	}
}

void loose_list(struct loose *ret)
{
	autodir d = opendir(OBJECTS);
	struct dirent *entry;

	*ret = (struct loose){ 0 };
	while (d && (entry = readdir(d)))
		if (strlen(entry->d_name) == 2 && entry->d_name[0] != '.')
			list_below(dirfd(d), entry->d_name, ret);
}

void loose_release(struct loose *l)
{
	free(l->ids);
	*l = (struct loose){ 0 };
}

void loose_remove(const struct loose *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char path[sizeof(OBJECTS) + 2 + OID_HEX_MAX];
		char hex[OID_HEX_MAX];

		oid_hex(&l->ids[i], hex);
		(void)snprintf(path, sizeof(path), OBJECTS "/%.2s/%s", hex, hex + 2);
		(void)unlink(path); /* the next look counts it again */
	}
}
