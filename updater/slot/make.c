/* SPDX-License-Identifier: MIT */
/* New regular files: see make.h. */
#include "slot/make.h"

#include <sys/stat.h>

#include "slot/compare.h"
#include "slot/part.h"
#include "slot/tree.h"

/* A file made of pieces is one whole only if its own digest says so. */
static int check_whole(const struct maker *m, int dirfd, const char *temp,
	const struct entry *entry, struct error *e)
{
	struct digest digest;
	uint64_t size;
	int r;

	if (entry->n_pieces == 0 || m->in->read_back)
		return 0; /* hashed as it came, or will be by the seal */
	r = compare_digest(dirfd, temp, false, &digest, &size, e);
	if (r == 0 && (size != entry->size || !digest_equal(&digest, &entry->digest)))
		r = err_set(e, E_INPUT,
			"the manifest's pieces are not those of the whole file");
	return r;
}

/* Its item of the stat index, while the file is at hand; a further name changes it. */
static int note_stat(const struct maker *m, int fd, uint64_t index, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	m->plan->items[index] = (struct index_item){
		.inode = st.st_ino,
		.ctime_seconds = st.st_ctim.tv_sec,
		.ctime_nanoseconds = (uint32_t)st.st_ctim.tv_nsec,
	};
	return 0;
}

/* Where it is made: the directory, the temporary name, and the name. */
static int place(const struct maker *m, const struct entry *entry, uint64_t index,
	int *ret_dirfd, char ret_temp[TEMP_NAME_MAX], const char **ret_name,
	struct error *e)
{
	if (entry->n_pieces > 0)
		part_name(entry, ret_temp);
	else
		writer_temp(m->w, index, ret_temp);
	return writer_parent(m->w, entry->path, ret_dirfd, ret_name, e);
}

int make_create(const struct maker *m, const struct entry *entry, uint64_t index,
	int *ret_fd, struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	int dirfd;
	int r = place(m, entry, index, &dirfd, temp, &name, e);

	/* A part from before is of no use where the whole is at hand. */
	if (r == 0 && entry->n_pieces > 0)
		r = tree_remove(dirfd, temp, e);
	return r < 0 ? r : write_create(dirfd, temp, ret_fd, e);
}

int make_finish(const struct maker *m, int fd, uint64_t index, const struct entry *entry,
	struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	int dirfd;
	int r = place(m, entry, index, &dirfd, temp, &name, e);

	if (r == 0)
		r = check_whole(m, dirfd, temp, entry, e);
	if (r == 0)
		r = write_file_meta(fd, entry, e);
	if (r == 0)
		r = write_rename(dirfd, temp, name, e);
	return r < 0 ? r : note_stat(m, fd, index, e);
}

int make_refuse(struct error *e)
{
	return err_unsigned(e,
		err_set(e, E_REMOTE,
			"the server's contents are not what was signed; nothing is "
			"changed for good, try again later or tell who runs the server"));
}

int make_discard(
	const struct maker *m, const struct entry *entry, uint64_t index, struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	int dirfd;
	int r = place(m, entry, index, &dirfd, temp, &name, e);

	if (r == 0 && unlinkat(dirfd, temp, 0) < 0)
		r = err_sys(e, "remove");
	return r;
}
