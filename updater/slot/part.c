/* SPDX-License-Identifier: MIT */
/* See part.h. */
#include "slot/part.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "base/beneath.h"
#include "base/io.h"
#include "slot/tree.h"

#define PART	   ".osupdate-part."
#define CHUNK_SIZE (256 * 1024)

void part_name(const struct entry *entry, char ret[TEMP_NAME_MAX])
{
	struct digest_state st;
	char hex[DIGEST_HEX_MAX];
	struct digest d;

	/* The path, too: the same file may stand there under two names. */
	digest_start(&st);
	digest_update(&st, entry->digest.b, DIGEST_SIZE);
	digest_update(&st, entry->path, strlen(entry->path));
	digest_finish(&st, &d);
	digest_hex(&d, hex);
	(void)snprintf(ret, TEMP_NAME_MAX, PART "%.32s", hex);
}

bool part_is(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strncmp(slash ? slash + 1 : path, PART, strlen(PART)) == 0;
}

/* As write_create leaves a file, and nothing else: slots may hold what others prepared.
 */
static bool is_own(int fd, const struct entry *entry)
{
	static const char selinux[] = "security.selinux";
	char names[64];
	struct stat st;
	ssize_t n = flistxattr(fd, names, sizeof(names));

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	       st.st_uid == geteuid() && (st.st_mode & 07777) == 0600 &&
	       (uint64_t)st.st_size <= entry->size &&
	       (n == 0 ||
		       (n == sizeof(selinux) && memcmp(names, selinux, (size_t)n) == 0));
}

int part_open(struct writer *w, const struct entry *entry, int *ret_fd, bool *ret_old,
	struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	autofd fd = -1;
	int dirfd;
	int r = writer_parent(w, entry->path, &dirfd, &name, e);

	if (r < 0)
		return r;
	part_name(entry, temp);
	*ret_old = beneath_open(dirfd, temp, O_RDWR | O_NONBLOCK, 0, &fd, NULL) == 0 &&
		   is_own(fd, entry);
	if (*ret_old) {
		*ret_fd = take_fd(&fd);
		return 0;
	}
	r = tree_remove(dirfd, temp, e);
	return r < 0 ? r : write_create(dirfd, temp, ret_fd, e);
}

bool part_has(int fd, const struct piece *piece, uint64_t offset)
{
	autofree unsigned char *chunk = xmalloc(CHUNK_SIZE);
	struct digest_state state;
	struct digest found;
	uint64_t left = piece->size;

	digest_start(&state);
	while (left > 0) {
		size_t n = left < CHUNK_SIZE ? (size_t)left : CHUNK_SIZE;

		if (io_pread_full(fd, chunk, n, offset, NULL) < 0)
			return false;
		digest_update(&state, chunk, n);
		offset += n;
		left -= n;
	}
	digest_finish(&state, &found);
	return digest_equal(&found, &piece->digest);
}
