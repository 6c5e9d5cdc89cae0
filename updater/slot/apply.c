/* SPDX-License-Identifier: MIT */
/*
 * Apply: see apply.h.  Four passes, each in an order that needs nothing of the next:
 * removals; directories, nodes and files; further names of hard links; and last, from
 * the leaves up, what directories say of themselves.
 */
#include "slot/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/beneath.h"
#include "slot/fill.h"
#include "slot/part.h"
#include "slot/tree.h"
#include "slot/write.h"

struct apply {
	const struct install *in;
	const struct plan *plan;
	struct install_sums *sums;
	struct writer w;
	struct fill *fill;
	bool has_hard;
};

static int check_stop(const struct apply *a, struct error *e)
{
	return a->in->progress && a->in->progress->stop && *a->in->progress->stop
		       ? err_set(e, E_INTERRUPTED,
				 "interrupted; run the command again to go on")
		       : 0;
}

/* --- removals --------------------------------------------------------------------- */

/* A slot may hold anything under these names: what the seal cannot replace goes, too. */
static int unseal(int root, struct error *e)
{
	autofd dirfd = -1;
	struct stat st;
	int r = beneath_open(root, PATH_OWN, O_RDONLY | O_DIRECTORY, 0, &dirfd, NULL);

	if (r < 0)
		return 0; /* no such directory: not sealed */
	r = tree_remove(dirfd, "release", e);
	if (r == 0 && fstatat(dirfd, "manifest", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode))
		r = tree_remove(dirfd, "manifest", e);
	if (r < 0)
		return err_prefix(e, r, PATH_OWN);
	return syncfs(root) < 0 ? err_sys(e, "syncfs") : 0;
}

/* `parts`: only what is left of files that were begun before, which were of use so far.
 */
static int remove_all(struct apply *a, bool parts, struct error *e)
{
	const struct buf *removals = &a->plan->removals;

	for (size_t at = 0, n; at < removals->size; at += n) {
		const char *p = removals->data + at;
		const char *name;
		int dirfd;
		int r = check_stop(a, e);

		n = strlen(p) + 1;
		if (part_is(p) != parts)
			continue;
		if (r == 0)
			r = writer_parent(&a->w, p, &dirfd, &name, e);
		if (r == 0)
			r = tree_remove(dirfd, name, e); /* if it has not become a file */
		if (r < 0)
			return err_prefix(e, r, "%s", p);
	}
	writer_release(&a->w);
	a->sums->removed = a->plan->removed;
	return 0;
}

/* --- making ----------------------------------------------------------------------- */

static int make_node(
	struct apply *a, const struct entry *entry, uint64_t index, struct error *e)
{
	char temp[TEMP_NAME_MAX];
	const char *name;
	int dirfd;
	int r = writer_parent(&a->w, entry->path, &dirfd, &name, e);

	writer_temp(&a->w, index, temp);
	if (r == 0)
		r = write_node(dirfd, temp, entry, e);
	if (r == 0)
		r = write_node_meta(dirfd, temp, entry, e);
	return r < 0 ? r : write_rename(dirfd, temp, name, e);
}

static int make_dir(struct apply *a, const struct entry *entry, struct error *e)
{
	const char *name;
	int dirfd;
	int r = writer_parent(&a->w, entry->path, &dirfd, &name, e);

	return r < 0 ? r : write_dir(dirfd, name, e);
}

static int mend_times(struct apply *a, const struct entry *entry, struct error *e)
{
	const char *name;
	int dirfd;
	int r = writer_parent(&a->w, entry->path, &dirfd, &name, e);

	return r < 0 ? r : write_times(dirfd, name, entry, e);
}

static int make(struct apply *a, const struct entry *entry, uint64_t index,
	unsigned char flags, struct error *e)
{
	int r = 0;

	switch (entry->type) {
	case ENTRY_DIR:
		if (flags & PLAN_MAKE)
			r = make_dir(a, entry, e);
		break; /* the rest when all that is in it stands */
	case ENTRY_FILE:
		if (flags & PLAN_MAKE)
			return fill_file(
				a->fill, entry, index, (flags & PLAN_LOCAL) != 0, e);
		r = mend_times(a, entry, e);
		break;
	case ENTRY_LINK:
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
	case ENTRY_FIFO:
		r = flags & PLAN_MAKE ? make_node(a, entry, index, e)
				      : mend_times(a, entry, e);
		break;
	case ENTRY_HARD:
		a->has_hard = true; /* when all files stand */
		return 0;
	}
	if (r == 0 && (flags & PLAN_MAKE))
		a->sums->written++;
	return r < 0 ? err_prefix(e, r, "%s", entry->path) : 0;
}

static int make_all(struct apply *a, struct error *e)
{
	autoreader reader = manifest_reader_new(a->in->manifest);
	const struct plan *plan = a->plan;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < plan->count; i++) {
		unsigned char flags = plan->entries[i];
		struct entry entry;

		if (flags == 0)
			continue;
		r = check_stop(a, e);
		if (r == 0)
			r = manifest_at(reader, plan->offsets[i], &entry, e);
		if (r == 0)
			r = make(a, &entry, i, flags, e);
		if (r == 0 && entry.type == ENTRY_FILE && (flags & PLAN_MAKE))
			a->sums->written++;
	}
	return r;
}

/* --- hard links ------------------------------------------------------------------- */

static int link_one(
	struct apply *a, const struct entry *entry, uint64_t index, struct error *e)
{
	char temp[TEMP_NAME_MAX];
	autofd from = -1;
	const char *from_name = NULL;
	const char *name = NULL;
	int dirfd = -1;
	int r = beneath_parent(a->w.root, entry->target, &from, &from_name, e);

	if (r == 0)
		r = writer_parent(&a->w, entry->path, &dirfd, &name, e);
	if (r < 0)
		return r;
	writer_temp(&a->w, index, temp);
	if (linkat(from, from_name, dirfd, temp, 0) < 0) {
		if (errno != EPERM)
			return err_sys(e, "link to %s", entry->target);
		tree_unlock(from, from_name);
		tree_unlock(dirfd, ".");
		if (linkat(from, from_name, dirfd, temp, 0) < 0)
			return err_sys(e, "link to %s", entry->target);
	}
	r = write_rename(dirfd, temp, name, e);
	/* rename(2) of two names of one inode does nothing and leaves both. */
	if (r == 0 && unlinkat(dirfd, temp, 0) < 0 && errno != ENOENT)
		r = err_sys(e, "remove");
	return r;
}

static int link_all(struct apply *a, struct error *e)
{
	autoreader reader = manifest_reader_new(a->in->manifest);
	const struct plan *plan = a->plan;
	int r = 0;

	for (uint64_t i = 0; r == 0 && a->has_hard && i < plan->count; i++) {
		struct entry entry;

		if (!(plan->entries[i] & PLAN_MAKE))
			continue;
		r = manifest_at(reader, plan->offsets[i], &entry, e);
		if (r < 0 || entry.type != ENTRY_HARD)
			continue;
		r = link_one(a, &entry, i, e);
		if (r < 0)
			return err_prefix(e, r, "%s", entry.path);
		a->sums->written++;
	}
	return r;
}

/* --- directories ------------------------------------------------------------------ */

static int settle_dir(
	struct apply *a, const struct entry *entry, unsigned char flags, struct error *e)
{
	const char *name;
	int dirfd;
	int r = writer_parent(&a->w, entry->path, &dirfd, &name, e);

	if (r == 0)
		r = flags & (PLAN_META | PLAN_MAKE)
			    ? write_dir_meta(dirfd, name, entry, e)
			    : write_times(dirfd, name, entry, e);
	return r < 0 ? err_prefix(e, r, "%s", entry->path) : 0;
}

static int settle_dirs(struct apply *a, struct error *e)
{
	autoreader reader = manifest_reader_new(a->in->manifest);
	const struct plan *plan = a->plan;
	int r = 0;

	/* What is done to a child changes its parent's times: from the leaves up. */
	for (uint64_t i = plan->count; r == 0 && i > 0; i--) {
		struct entry entry;

		if (plan->entries[i - 1] == 0)
			continue;
		r = manifest_at(reader, plan->offsets[i - 1], &entry, e);
		if (r == 0 && entry.type == ENTRY_DIR)
			r = settle_dir(a, &entry, plan->entries[i - 1], e);
	}
	return r;
}

/* --- the whole -------------------------------------------------------------------- */

int apply_run(const struct install *in, int root, const struct plan *plan,
	struct install_sums *sums, struct error *e)
{
	struct apply a = { .in = in, .plan = plan, .sums = sums };
	int r = 0;

	writer_init(&a.w, root);
	a.fill = fill_new(in, plan, &a.w, sums);
	sums->kept = plan->kept;
	if (!in->repair)
		r = unseal(root, e);
	if (r == 0)
		r = remove_all(&a, false, e);
	if (r == 0)
		r = make_all(&a, e);
	if (r == 0)
		r = fill_fetch(a.fill, e);
	if (r == 0)
		r = remove_all(&a, true, e);
	if (r == 0)
		r = link_all(&a, e);
	if (r == 0)
		r = settle_dirs(&a, e);
	fill_free(a.fill);
	writer_release(&a.w);
	return r;
}
