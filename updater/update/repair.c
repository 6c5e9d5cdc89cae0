/* SPDX-License-Identifier: MIT */
/* Repair: see repair.h. */
#include "update/repair.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/io.h"
#include "update/doubt.h"
#include "update/offer.h"

/* --- what it should be ------------------------------------------------------------ */

/* By what this device remembers of it. */
static int recorded_release(
	struct device *d, int slot, struct release **ret, struct error *e)
{
	const struct slot_record *rec = &d->records[slot];
	char hex[OID_HEX_MAX];

	if (rec->contents != SLOT_SEALED)
		return err_set(e, E_NOTFOUND, "nothing says what slot %s should hold",
			d->config.slots[slot].name);
	oid_hex(&rec->commit, hex);
	return offer_named(d, hex, true, ret, e);
}

/* The slot's own manifest in memory that does not keep the slot mounted. */
static int copied_manifest(const struct device *d, int slot, const struct release *rel,
	struct bytes *ret, struct error *e)
{
	automap own = { 0 };
	autofd spool = -1;
	int r = device_slot_manifest(d, slot, rel, &own, e);

	if (r == 0)
		r = io_spool(d->state_dirfd, &spool, e);
	if (r == 0)
		r = io_write_full(spool, own.data, own.size, e);
	return r < 0 ? r : io_map(spool, ret, e);
}

int repair_release(struct device *d, int slot, struct release **ret,
	struct bytes *ret_manifest, struct error *e)
{
	autorelease rel = NULL;
	struct error why = { 0 };
	int r = device_slot_release(d, slot, &rel, &why);

	if (r < 0) {
		progress_note(d->progress, "%s", why.text);
		r = recorded_release(d, slot, &rel, e);
	}
	if (r == 0 && copied_manifest(d, slot, rel, ret_manifest, &why) < 0) {
		progress_note(d->progress, "%s", why.text);
		r = doubt_error(d->state_dirfd, &release_info(rel)->identity,
			offer_manifest(d, rel, ret_manifest, e), e);
	}
	if (r == 0)
		*ret = take_ptr(&rel);
	return r;
}

/* --- making it so ----------------------------------------------------------------- */

/* Is the slot what we run from, and may it be written? */
static int look_at_root(const struct device *d, int slot, bool *ret_live, struct error *e)
{
	const char *name = d->config.slots[slot].name;
	struct statvfs fs;
	struct stat st;
	dev_t device;
	int r = slot_device(&d->config.slots[slot], &device, e);

	if (r < 0)
		return r;
	if (stat("/", &st) < 0 || statvfs("/", &fs) < 0)
		return err_sys(e, "/");
	*ret_live = st.st_dev == device;
	if (*ret_live && (fs.f_flag & ST_RDONLY))
		return err_set(e, E_UNTRUSTED,
			"slot %s is running and mounted read-only: boot the other slot "
			"(`osupdate rollback`) and repair it from there",
			name);
	return *ret_live ? 0 : slot_require_free(d->config.slots, slot, false, e);
}

static int nothing_to_tell(void *ctx, struct error *e)
{
	(void)ctx;
	(void)e;
	return 0;
}

int repair_slot(struct device *d, int slot, const struct release *rel,
	struct bytes manifest, struct install_sums *ret, struct error *e)
{
	const char *name = d->config.slots[slot].name;
	struct install in = {
		.state_dirfd = d->state_dirfd,
		.slot = &d->config.slots[slot],
		.booted = &d->config.slots[device_other(slot)],
		.release = rel,
		.manifest = manifest,
		.repair = true,
		.read_back = d->config.read_back,
		.progress = d->progress,
		.before_write = nothing_to_tell,
	};
	struct release_ref ref = { 0 };
	int r;

	if (device_target(d) == slot && d->state.phase != PHASE_ARMED)
		return err_set(e, E_UNTRUSTED,
			"slot %s is being written or on trial: finish that first", name);
	r = look_at_root(d, slot, &in.live, e);
	if (r == 0)
		r = device_store(d, &in.store, e);
	if (r == 0)
		r = install_run(&in, ret, e);
	if (r < 0) {
		(void)doubt_error(
			d->state_dirfd, &release_info(rel)->identity, r, e); /* is r */
		return err_prefix(e, r, "slot %s: repair", name);
	}
	state_set_release(&ref, rel);
	device_history(d, "repaired", slot, &ref, NULL);
	return 0;
}
