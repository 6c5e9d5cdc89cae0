/* SPDX-License-Identifier: MIT */
/*
 * From whatever a slot holds to one release: see install.h.  Looks first, without a
 * write; then tells the caller; then writes, and looks again if mending changed things.
 */
#include "slot/install.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "slot/apply.h"
#include "slot/mount.h"
#include "slot/plan.h"
#include "slot/record.h"
#include "slot/survey.h"

/* What a look at the slot found. */
struct look {
	struct plan plan;
	char uuid[FS_UUID_MAX];
	struct digest stamp; /* of the file system, see mount_stamp */
	bool mountable;
	bool damaged; /* the file system mounts, but is broken inside */
};

static void look_release(struct look *l)
{
	plan_release(&l->plan);
}
#define autolook CLEANUP(look_release) struct look

/* What the kernel says of a file system that is broken (EFSCORRUPTED, EFSBADCRC). */
static bool is_damage(const struct error *e)
{
	return e->sys == EUCLEAN || e->sys == EBADMSG || e->sys == EIO;
}

/* The root directory of the slot; close_root when done with it. */
static int open_root(
	const struct install *in, bool writable, int *ret_root, struct error *e)
{
	dev_t device;
	int r;

	if (!in->live)
		return mount_slot(in->slot->device, writable, ret_root, e);
	r = slot_device(in->slot, &device, e);
	return r < 0 ? r : mount_clone_root(device, writable, ret_root, e);
}

static int close_root(const struct install *in, int *root, struct error *e)
{
	int r;

	if (!in->live)
		return mount_finish(in->slot->device, root, e);
	r = syncfs(*root) < 0 ? err_sys(e, "%s: syncfs", in->slot->device) : 0;
	cleanup_fd(root);
	*root = -1;
	return r;
}

static int save_record(const struct install *in, const struct look *l,
	enum slot_contents contents, struct error *e)
{
	struct slot_record rec = { .contents = contents };

	slot_record_from(&rec, in->release);
	(void)snprintf(rec.uuid, sizeof(rec.uuid), "%s", l->uuid);
	return slot_record_save(in->state_dirfd, in->slot->name, &rec, e);
}

/* The slot is not mounted for writing any more: its stamp stays what it is now. */
static int save_sealed(const struct install *in, struct look *l, struct error *e)
{
	struct index_key key = { .uuid = l->uuid,
		.manifest = release_info(in->release)->manifest };
	int r = mount_stamp(in->slot->device, &key.stamp, e);

	if (r == 0)
		r = slot_index_save(in->state_dirfd, in->slot->name, &key, l->plan.items,
			l->plan.count, e);
	return r < 0 ? r : save_record(in, l, SLOT_SEALED, e);
}

/* --- looking ---------------------------------------------------------------------- */

/* All of it is right already: the records may still have to be told. */
static int confirm_right(
	const struct install *in, int root, struct look *l, struct error *e)
{
	struct index_key key = { .uuid = l->uuid };
	struct slot_record rec;
	struct slot_index index;
	bool same;
	int r;

	if (slot_record_load(in->state_dirfd, in->slot->name, &rec, NULL) == 0 &&
		rec.contents == SLOT_SEALED &&
		digest_equal(&rec.identity, &release_info(in->release)->identity)) {
		key.manifest = rec.manifest;
		if (slot_index_load(
			    in->state_dirfd, in->slot->name, &key, &index, NULL) == 0) {
			same = digest_equal(&index.stamp, &l->stamp);
			slot_index_release(&index);
			if (same)
				return 0;
		}
	}
	r = seal_index(in, root, &l->plan, e);
	return r < 0 ? r : save_sealed(in, l, e);
}

/* Plan on a slot that mounts; `empty` too: then it is confirmed to be right. */
static int look_inside(
	const struct install *in, int root, struct look *l, struct error *e)
{
	struct error why = { 0 };
	struct index_key key = { .uuid = l->uuid };
	int r = mount_uuid(in->slot->device, l->uuid, e);

	if (r == 0)
		r = mount_stamp(in->slot->device, &l->stamp, e);
	if (r < 0)
		return r;
	key.stamp = l->stamp;
	l->mountable = true;
	r = plan_make(in, root, &key, &l->plan, &why);
	if (r == E_SYSTEM && is_damage(&why) && !l->damaged) {
		progress_note(in->progress, "%s: damaged file system: %s",
			in->slot->device, why.text);
		plan_release(&l->plan);
		l->damaged = true;
		return 0;
	}
	if (r < 0) {
		if (e)
			*e = why;
		return r;
	}
	l->damaged = false;
	if (plan_is_empty(&l->plan))
		return confirm_right(in, root, l, e);
	return plan_check_space(&l->plan, in, root, e);
}

/* What would have to be made on an empty file system. */
static int look_at_nothing(const struct install *in, struct look *l, struct error *e)
{
	int r = mount_require_ours(in->slot->device, e);

	l->mountable = false;
	if (r == 0)
		r = plan_make(in, -1, NULL, &l->plan, e);
	return r < 0 ? r : plan_check_space(&l->plan, in, -1, e);
}

static int look(const struct install *in, struct look *l, struct error *e)
{
	struct error why = { 0 };
	int root = survey_take(in->survey, in->slot);
	int finished;
	int r = root < 0 ? open_root(in, false, &root, &why) : 0;

	if (r == E_BUSY || (r < 0 && in->live)) {
		if (e)
			*e = why;
		return r;
	}
	if (r < 0)
		return look_at_nothing(in, l, e);
	r = look_inside(in, root, l, e);
	finished = close_root(in, &root, r < 0 ? NULL : e);
	return r < 0 ? r : finished;
}

/* --- writing ---------------------------------------------------------------------- */

/* Make the slot mountable; whatever was mended is looked at once more. */
static int mend(const struct install *in, struct look *l, struct error *e)
{
	int r = mount_repair(in->slot->device, l->mountable, l->damaged, in->progress, e);

	if (r < 0 || (r == 0 && l->mountable && !l->damaged))
		return r;
	plan_release(&l->plan);
	r = look(in, l, e);
	if (r == 0 && !l->mountable)
		r = err_set(e, E_SYSTEM,
			"%s: cannot be mounted, not even after making a new "
			"file system; see dmesg",
			in->slot->device);
	return r;
}

static int write_slot(const struct install *in, struct look *l, struct install_sums *sums,
	struct error *e)
{
	int root = -1;
	int finished;
	int r = in->live ? 0 : mend(in, l, e);

	if (r == 0 && plan_is_empty(&l->plan))
		return 0; /* mending brought it back whole: confirm_right has seen to the
			     rest */
	if (r == 0)
		r = open_root(in, true, &root, e);
	if (r < 0)
		return r;
	r = apply_run(in, root, &l->plan, sums, e);
	if (r == 0)
		r = seal_run(in, root, &l->plan, e);
	finished = close_root(in, &root, r < 0 ? NULL : e);
	if (r == 0)
		r = finished;
	return r < 0 ? r : save_sealed(in, l, e);
}

/* Directories stay open down to where we are: deep trees need many descriptors. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* EMFILE will say the rest */
}

int install_run(const struct install *in, struct install_sums *ret, struct error *e)
{
	struct install_sums sums = { 0 };
	autolook l = { 0 };
	int r;

	allow_many_files();
	r = look(in, &l, e);
	if (r < 0)
		return r;
	if (l.mountable && !l.damaged && plan_is_empty(&l.plan)) {
		ret->kept = l.plan.kept;
		return 1;
	}
	if (in->repair && (!l.mountable || l.damaged))
		return err_set(e, E_SYSTEM,
			"%s: the file system itself is damaged: `osupdate install --slot "
			"%s` makes it anew",
			in->slot->device, in->slot->name);
	r = in->before_write(in->ctx, e);
	if (r == 0 && !in->repair)
		r = save_record(in, &l, SLOT_DIRTY, e);
	if (r == 0)
		r = write_slot(in, &l, &sums, e);
	if (r == 0)
		*ret = sums;
	return r;
}
