/* SPDX-License-Identifier: MIT */
/*
 * The plan: see plan.h.  A file is known to be right by the stat index (the manifest it
 * is parallel to stands on the slot, and its digest in the index), or it is read.
 */
#include "slot/plan.h"

#include <inttypes.h>
#include <string.h>

#include "manifest/diff.h"
#include "slot/compare.h"
#include "slot/recall.h"
#include "slot/survey.h"
#include "slot/tree.h"
#include "slot/verify.h"
#include "slot/walk.h"

struct planner {
	const struct install *in;
	struct plan *plan;
	/* The manifest that stands on the slot, and its stat index; NULL without. */
	struct manifest_reader *old;
	struct slot_index index;
	struct buf local; /* prefixes that are not ours: see verify_read_local */
	struct entry old_entry;
	uint64_t old_at; /* index of old_entry */
	bool old_valid;
	uint64_t steps;
	uint64_t bytes;
};

/* --- what the index knows --------------------------------------------------------- */

/* Move the old manifest to `path`: true when it has it. */
static bool old_seek(struct planner *p, const char *path)
{
	while (p->old) {
		int order = p->old_valid ? path_compare(p->old_entry.path, path) : -1;

		if (order >= 0)
			return order == 0;
		if (p->old_valid)
			p->old_at++;
		p->old_valid = manifest_next(p->old, &p->old_entry, NULL) > 0;
		if (!p->old_valid) {
			manifest_reader_free(take_ptr(&p->old));
			break;
		}
	}
	return false;
}

/* enum change_flag between what stands there and what is wanted. */
static int find_changes(
	struct planner *p, const struct walk_step *step, unsigned *ret, struct error *e)
{
	if (step->known && step->known->type != ENTRY_HARD) {
		*ret = entry_compare(step->known, step->entry);
		return 0;
	}
	if (!step->known && old_seek(p, step->path) && p->old_entry.type != ENTRY_HARD &&
		slot_index_says(&p->index, p->old_at, &p->old_entry, &step->st)) {
		*ret = entry_compare(&p->old_entry, step->entry);
		return 0;
	}
	return compare_entry(
		step->dirfd, step->name, &step->st, step->entry, ret, &p->bytes, e);
}

/* --- sums for the space check ----------------------------------------------------- */

static uint64_t blocks(uint64_t bytes)
{
	return (bytes + 4095) / 4096 * 4096;
}

/* `st` is what it replaces, NULL when nothing. */
static void count_make(
	struct plan *plan, const struct entry *entry, const struct stat *st)
{
	uint64_t size = entry->n_xattrs ? 4096 : 0;
	uint64_t old = 0;

	plan->make++;
	if (entry->type == ENTRY_HARD)
		return;
	if (!st || st->st_nlink > 1)
		plan->new_inodes++;
	if (entry->type == ENTRY_FILE) {
		size += blocks(entry->size);
		plan->make_bytes += entry->size;
	} else if (entry->type == ENTRY_DIR ||
		   /* shorter ones stand in the inode */
		   (entry->type == ENTRY_LINK && strlen(entry->target) >= 60)) {
		size += 4096;
	}
	if (st && st->st_nlink == 1)
		old = (uint64_t)st->st_blocks * 512;
	plan->grow += size > old ? size - old : 0;
	plan->largest = size > plan->largest ? size : plan->largest;
}

static int add_removal(struct plan *plan, const struct walk_step *step, struct error *e)
{
	struct tree_sums sums = { 0 };
	int r = tree_sum(step->dirfd, step->name, &sums, e);

	if (r < 0)
		return err_prefix(e, r, "%s", step->path);
	buf_add(&plan->removals, step->path, strlen(step->path) + 1);
	plan->removed += sums.names;
	plan->freed_bytes += sums.bytes;
	plan->freed_inodes += sums.inodes;
	plan->entries[step->parent] |= PLAN_TOUCHED;
	return 0;
}

/* --- one step --------------------------------------------------------------------- */

static int add_entry(struct planner *p, const struct walk_step *step, struct error *e)
{
	const size_t widths[] = { sizeof(*p->plan->entries), sizeof(*p->plan->offsets),
		sizeof(*p->plan->items) };
	struct plan *plan = p->plan;

	for (size_t i = 0; i < 3; i++) {
		int r = spool_grow(
			&plan->spools[i], p->in->state_dirfd, step->index, widths[i], e);

		if (r < 0)
			return r;
	}
	plan->entries = plan->spools[0].data;
	plan->offsets = plan->spools[1].data;
	plan->items = plan->spools[2].data;
	/* Entries the walk passes over count, too, with nothing to be done. */
	plan->offsets[step->index] = step->offset;
	plan->count = step->index + 1;
	return 0;
}

static void make(struct planner *p, const struct walk_step *step, unsigned more)
{
	struct plan *plan = p->plan;
	bool replaces = step->what == WALK_BOTH && !S_ISDIR(step->st.st_mode) &&
			step->entry->type != ENTRY_DIR;

	plan->entries[step->index] |= (unsigned char)(PLAN_MAKE | more);
	plan->entries[step->parent] |= PLAN_TOUCHED;
	count_make(plan, step->entry, replaces ? &step->st : NULL);
}

static void keep(struct planner *p, const struct walk_step *step, bool meta)
{
	struct plan *plan = p->plan;

	plan->kept++;
	if (meta)
		plan->entries[step->index] |= PLAN_META;
	else if (S_ISDIR(step->st.st_mode) || step->st.st_nlink == 1)
		plan->items[step->index] = (struct index_item){
			.inode = step->st.st_ino,
			.ctime_seconds = step->st.st_ctim.tv_sec,
			.ctime_nanoseconds = (uint32_t)step->st.st_ctim.tv_nsec,
		};
	/* Of several names one may go, and the inode's ctime with it: looked up later. */
}

static void decide_hard(struct planner *p, const struct walk_step *step)
{
	const struct link_group *g = links_find(p->plan->links, step->entry->target);

	if (step->what == WALK_BOTH && g && g->inode == step->st.st_ino)
		keep(p, step, false);
	else
		make(p, step, 0);
}

static int decide(struct planner *p, const struct walk_step *step, struct error *e)
{
	const struct entry *entry = step->entry;
	unsigned changes;
	unsigned local;
	int r = find_changes(p, step, &changes, e);

	if (r < 0)
		return r;
	if (entry->type == ENTRY_DIR) {
		keep(p, step, changes != 0);
		return 0;
	}
	local = entry->type == ENTRY_FILE && !(changes & (CHANGE_TYPE | CHANGE_CONTENT))
			? PLAN_LOCAL
			: 0;
	if ((changes & ~(unsigned)CHANGE_MTIME) != 0 ||
		(step->st.st_nlink > 1 && !links_claim(p->plan->links, entry->path,
						  step->st.st_ino, step->st.st_nlink)))
		make(p, step, local);
	else
		keep(p, step, changes != 0);
	return 0;
}

static int each(void *ctx, const struct walk_step *step, struct error *e)
{
	struct planner *p = ctx;
	int r = 0;

	if (p->steps++ % 256 == 0) {
		const struct progress_event event = { "plan", "files", p->steps, 0 };

		r = progress_report(p->in->progress, &event, e);
		if (r < 0)
			return r;
	}
	if (step->what == WALK_EXTRA)
		return verify_is_local(&p->local, step->path)
			       ? 0
			       : add_removal(p->plan, step, e);
	r = add_entry(p, step, e);
	if (r < 0)
		return r;
	if (verify_is_local(&p->local, step->path)) {
		p->plan->offsets[step->index] = 0;
		return 0;
	}
	if (step->what == WALK_BOTH &&
		(step->entry->type == ENTRY_DIR) != (S_ISDIR(step->st.st_mode) != 0)) {
		r = add_removal(p->plan, step, e);
		make(p, step, 0);
		return r;
	}
	if (step->entry->type == ENTRY_HARD)
		decide_hard(p, step);
	else if (step->what == WALK_MISSING)
		make(p, step, 0);
	else
		r = decide(p, step, e);
	return r;
}

/* --- the whole -------------------------------------------------------------------- */

/* The slot's own manifest, trusted as far as the index says it is the one. */
static void open_old(
	struct planner *p, int root, struct index_key *key, struct bytes *ret_map)
{
	autofd fd = -1;

	if (root < 0 || verify_open_manifest(root, &fd, NULL) < 0 ||
		io_map(fd, ret_map, NULL) < 0)
		return;
	key->manifest = digest_of(*ret_map);
	p->plan->own_right =
		digest_equal(&key->manifest, &release_info(p->in->release)->manifest);
	if (p->in->full_check || p->in->repair ||
		slot_index_load(
			p->in->state_dirfd, p->in->slot->name, key, &p->index, NULL) < 0)
		return;
	p->old = manifest_reader_new(*ret_map);
}

/* Does the slot carry the proof it should? */
static bool proof_right(const struct install *in, int root)
{
	autobuf wanted = { 0 };
	autobuf there = { 0 };

	if (root < 0 || verify_read_proof(root, &there, NULL) < 0)
		return false;
	release_print_proof(in->release, &wanted);
	return wanted.size == there.size &&
	       memcmp(wanted.data, there.data, there.size) == 0;
}

static void plan_start(struct plan *plan)
{
	bool own_right = plan->own_right;

	plan_release(plan);
	plan->links = links_new();
	plan->own_right = own_right;
}

int plan_make(const struct install *in, int root, const struct index_key *key,
	struct plan *ret, struct error *e)
{
	struct index_key wanted = key ? *key : (struct index_key){ .uuid = "" };
	struct planner p = { .in = in, .plan = ret };
	automap old = { 0 };
	int r = E_INPUT;

	*ret = (struct plan){ 0 };
	open_old(&p, root, &wanted, &old);
	plan_start(ret);
	if (in->repair)
		verify_read_local(root, in->manifest, &p.local);
	if (p.old && survey_found(in->survey, &wanted)) {
		const struct recall rc = { root, old, &p.index };

		r = recall_slot(&rc, in->manifest, each, &p, e);
	}
	if (r == E_INPUT) { /* nothing to go by, or it misled us */
		plan_start(ret);
		r = walk_slot(root, in->manifest, each, &p, e);
	}
	ret->own_right = ret->own_right && proof_right(in, root);
	manifest_reader_free(p.old);
	slot_index_release(&p.index);
	buf_release(&p.local);
	return r;
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < 3; i++)
		spool_release(&p->spools[i]);
	buf_release(&p->removals);
	links_free(p->links);
	*p = (struct plan){ 0 };
}

int plan_find(const struct plan *p, struct manifest_reader *reader, const char *path,
	uint64_t *ret, struct error *e)
{
	uint64_t low = 0;
	uint64_t high = p->count;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		uint64_t at = middle;
		struct entry entry;
		int order;
		int r;

		/* What is not ours has no offset: go by the one before it, "." at worst.
		 */
		while (p->offsets[at] == 0)
			at--;
		r = manifest_at(reader, p->offsets[at], &entry, e);
		if (r < 0)
			return r;
		order = path_compare(entry.path, path);
		if (order == 0) {
			*ret = at;
			return 0;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = at;
	}
	return err_set(e, E_INPUT, "the manifest has no %s", path);
}

bool plan_is_empty(const struct plan *p)
{
	if (!p->own_right || p->make > 0 || p->removals.size > 0)
		return false;
	for (uint64_t i = 0; i < p->count; i++)
		if (p->entries[i] & (PLAN_META | PLAN_MAKE))
			return false;
	return true;
}
