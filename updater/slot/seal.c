/* SPDX-License-Identifier: MIT */
/*
 * The seal: see apply.h.  After it the slot proves itself: it carries its manifest and
 * the signed commit that names it, and everything made was read back from the disk.
 */
#include <fcntl.h>
#include <string.h>

#include "base/beneath.h"
#include "base/io.h"
#include "base/pool.h"
#include "slot/apply.h"
#include "slot/compare.h"
#include "slot/write.h"

#define CHECKERS   4		      /* threads that read back */
#define READ_BYTES ((size_t)64 << 20) /* of files queued for them */

static int report(
	const struct install *in, uint64_t done, uint64_t total, struct error *e)
{
	const struct progress_event event = { "seal", "bytes", done, total };

	return progress_report(in->progress, &event, e);
}

/* --- reading back ----------------------------------------------------------------- */

/* What one thread reads with. */
struct checker {
	struct manifest_reader *reader;
	struct writer w; /* for the directories */
};

struct readback {
	struct checker checkers[CHECKERS];
};

static int read_back(struct writer *w, const struct entry *entry, struct error *e)
{
	struct digest digest;
	uint64_t size = 0;
	const char *name;
	int dirfd;
	int r = writer_parent(w, entry->path, &dirfd, &name, e);

	if (r == 0)
		r = compare_digest(dirfd, name, true, &digest, &size, e);
	if (r == 0 && (size != entry->size || !digest_equal(&digest, &entry->digest)))
		r = err_set(e, E_SYSTEM,
			"reads back from the disk as something else: the storage is "
			"failing (see "
			"dmesg); replace it");
	return r < 0 ? err_prefix(e, r, "%s", entry->path) : 0;
}

static int run_check(void *ctx, unsigned worker, void *job, struct error *e)
{
	struct readback *b = ctx;
	struct checker *c = &b->checkers[worker];
	const uint64_t *offset = job;
	struct entry entry;
	int r = manifest_at(c->reader, *offset, &entry, e);

	return r < 0 ? r : read_back(&c->w, &entry, e);
}

static void drop_check(void *job)
{
	(void)job; /* points into the plan */
}

/* Give every file that was made to some thread, at most READ_BYTES of them at a time. */
static int check_all(const struct install *in, const struct plan *plan, struct pool *pool,
	struct error *e)
{
	autoreader reader = manifest_reader_new(in->manifest);
	uint64_t done = 0;
	int ended;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < plan->count; i++) {
		struct entry entry;

		if (!(plan->entries[i] & PLAN_MAKE))
			continue;
		r = manifest_at(reader, plan->offsets[i], &entry, e);
		if (r < 0 || entry.type != ENTRY_FILE)
			continue;
		r = pool_put(pool, &plan->offsets[i], entry.size, e);
		if (r == 0)
			r = report(in, done += entry.size, plan->make_bytes, e);
	}
	ended = pool_wait(pool, r < 0 ? NULL : e);
	return r < 0 ? r : ended;
}

/* Several files at a time: hashing wants all processors, and a disk has a queue. */
static int read_all_back(
	const struct install *in, int root, const struct plan *plan, struct error *e)
{
	struct readback b = { 0 };
	const struct pool_work work = { .run = run_check, .drop = drop_check, .ctx = &b };
	struct pool *pool = NULL;
	int r;

	for (size_t i = 0; i < CHECKERS; i++) {
		b.checkers[i].reader = manifest_reader_new(in->manifest);
		writer_init(&b.checkers[i].w, root);
	}
	r = pool_new(CHECKERS, READ_BYTES, &work, &pool, e);
	if (r == 0)
		r = check_all(in, plan, pool, e);
	pool_free(pool);
	for (size_t i = 0; i < CHECKERS; i++) {
		manifest_reader_free(b.checkers[i].reader);
		writer_release(&b.checkers[i].w);
	}
	return r;
}

/* --- the slot's own files --------------------------------------------------------- */

/* `path` under a name for now, its `number`; rename_own makes it what it is. */
static int write_own(const struct install *in, struct writer *w, const char *path,
	unsigned number, struct bytes contents, struct error *e)
{
	const struct entry entry = {
		.type = ENTRY_FILE,
		.mode = 0644,
		.mtime.tv_sec = release_info(in->release)->time,
	};
	char temp[TEMP_NAME_MAX];
	const char *name;
	autofd fd = -1;
	int dirfd;
	int r = writer_parent(w, path, &dirfd, &name, e);

	writer_temp(w, number, temp);
	if (r == 0)
		r = write_create(dirfd, temp, &fd, e);
	if (r == 0)
		r = io_write_full(fd, contents.data, contents.size, e);
	if (r == 0)
		r = write_file_meta(fd, &entry, e);
	return r < 0 ? err_prefix(e, r, "%s", path) : 0;
}

static int rename_own(struct writer *w, const char *path, unsigned number, struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	int dirfd;
	int r = writer_parent(w, path, &dirfd, &name, e);

	writer_temp(w, number, temp);
	if (r == 0)
		r = write_rename(dirfd, temp, name, e);
	return r < 0 ? err_prefix(e, r, "%s", path) : 0;
}

/* Directories' times as the manifest has them, after names in them were changed. */
static int settle_own(const struct install *in, struct writer *w, struct error *e)
{
	autoreader reader = manifest_reader_new(in->manifest);
	struct entry entry;
	const char *name;
	int dirfd;
	int r = manifest_find(reader, PATH_OWN, &entry, e);

	if (r == 0)
		r = err_set(e, E_INPUT, "the manifest has no " PATH_OWN);
	if (r < 0)
		return r;
	r = writer_parent(w, PATH_OWN, &dirfd, &name, e);
	return r < 0 ? r : write_times(dirfd, name, &entry, e);
}

/* Both on the disk with all that was made, ... */
static int write_proof(const struct install *in, struct writer *w, struct error *e)
{
	autobuf proof = { 0 };
	int r = write_own(in, w, PATH_MANIFEST, 0, in->manifest, e);

	release_print_proof(in->release, &proof);
	return r < 0 ? r : write_own(in, w, PATH_RELEASE, 1, buf_bytes(&proof), e);
}

/* ... and then what they are, the proof last. */
static int show_proof(const struct install *in, struct writer *w, struct error *e)
{
	int r = rename_own(w, PATH_MANIFEST, 0, e);

	if (r == 0)
		r = rename_own(w, PATH_RELEASE, 1, e);
	return r < 0 ? r : settle_own(in, w, e);
}

/* --- the index -------------------------------------------------------------------- */

static int look_up(struct writer *w, const struct entry *entry, struct index_item *ret,
	struct error *e)
{
	struct stat st;
	const char *name = NULL;
	int dirfd = -1;
	int r = writer_parent(w, entry->path, &dirfd, &name, e);

	if (r < 0)
		return r;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "%s: stat", entry->path);
	*ret = (struct index_item){
		.inode = st.st_ino,
		.ctime_seconds = st.st_ctim.tv_sec,
		.ctime_nanoseconds = (uint32_t)st.st_ctim.tv_nsec,
	};
	return 0;
}

/* A file that got one more name has another ctime. */
static int look_up_first(const struct plan *plan, struct manifest_reader *reader,
	struct writer *w, const char *target, struct error *e)
{
	autofree char *path = xstrdup(target);
	struct entry entry = { 0 };
	uint64_t i;
	int r = plan_find(plan, reader, path, &i, e);

	if (r == 0)
		r = manifest_at(reader, plan->offsets[i], &entry, e);
	return r < 0 ? r : look_up(w, &entry, &plan->items[i], e);
}

int seal_index(const struct install *in, int root, struct plan *plan, struct error *e)
{
	autoreader reader = manifest_reader_new(in->manifest);
	struct writer w;
	uint64_t own;
	int r = plan_find(plan, reader, PATH_OWN, &own, e);

	writer_init(&w, root);
	for (uint64_t i = 0; r == 0 && i < plan->count; i++) {
		struct entry entry = { 0 };

		/* Files that were made are noted already. */
		if (plan->offsets[i] == 0 || (plan->items[i].inode != 0 && i != own &&
						     !(plan->entries[i] & PLAN_TOUCHED)))
			continue;
		r = manifest_at(reader, plan->offsets[i], &entry, e);
		if (r == 0)
			r = look_up(&w, &entry, &plan->items[i], e);
		if (r == 0 && entry.type == ENTRY_HARD && (plan->entries[i] & PLAN_MAKE))
			r = look_up_first(plan, reader, &w, entry.target, e);
	}
	writer_release(&w);
	return r;
}

int seal_run(const struct install *in, int root, struct plan *plan, struct error *e)
{
	struct writer w;
	int r = report(in, 0, plan->make_bytes, e);

	writer_init(&w, root);
	if (r == 0)
		r = write_proof(in, &w, e);
	if (r == 0 && syncfs(root) < 0)
		r = err_sys(e, "syncfs");
	if (r == 0 && in->read_back)
		r = read_all_back(in, root, plan, e);
	if (r == 0)
		r = show_proof(in, &w, e);
	writer_release(&w);
	if (r == 0 && syncfs(root) < 0)
		r = err_sys(e, "syncfs");
	if (r == 0)
		r = seal_index(in, root, plan, e);
	return r < 0 ? r : report(in, plan->make_bytes, plan->make_bytes, e);
}
