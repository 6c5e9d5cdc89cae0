/* SPDX-License-Identifier: MIT */
/* Recovery of lost records: see recover.h. */
#include "update/recover.h"

#include <fcntl.h>
#include <inttypes.h>

#include "update/loader.h"

/* Slot `index`'s verified release, and its record made anew; NULL when it has none. */
static struct release *reread(struct device *d, int index)
{
	struct slot_record *rec = &d->records[index];
	const struct slot *slot = &d->config.slots[index];
	struct release *rel = NULL;
	struct error why = { 0 };

	if (device_slot_release(d, index, &rel, &why) < 0) {
		if (rec->contents == SLOT_SEALED)
			progress_note(d->progress, "%s", why.text);
		/* Never call sealed what does not prove it. */
		if (rec->contents == SLOT_SEALED)
			rec->contents = SLOT_DIRTY;
		return NULL;
	}
	if (rec->contents != SLOT_SEALED ||
		!digest_equal(&rec->identity, &release_info(rel)->identity)) {
		slot_record_from(rec, rel);
		rec->contents = SLOT_SEALED;
		if (mount_uuid(slot->device, rec->uuid, &why) < 0)
			rec->uuid[0] =
				'\0'; /* then there is no stat index for it either */
	}
	if (slot_record_save(d->state_dirfd, slot->name, rec, &why) < 0)
		progress_note(d->progress, "slot %s: %s", slot->name, why.text);
	return rel;
}

void recover_record(struct device *d, int index)
{
	autorelease rel = reread(d, index);

	if (rel)
		progress_note(d->progress,
			"slot %s carries release %s (serial %" PRIu64
			"), signature good: its record is made anew",
			d->config.slots[index].name, release_info(rel)->version,
			release_info(rel)->serial);
}

static int recover_booted(struct device *d, struct error *e)
{
	const struct slot *slot = &d->config.slots[d->booted];
	autorelease rel = reread(d, d->booted);
	struct release_ref ref;

	if (!rel) {
		progress_note(d->progress,
			"slot %s is booted but carries no release signed for this "
			"device: "
			"the floor is unknown, any signed release will be accepted once",
			slot->name);
		return 0;
	}
	state_set_release(&ref, rel);
	state_raise_floor(&d->state, &ref);
	state_set_news(&d->state, release_info(rel));
	progress_note(d->progress,
		"slot %s carries release %s (serial %" PRIu64
		"), signature good: taken as confirmed",
		slot->name, release_info(rel)->version, release_info(rel)->serial);
	return loader_set_state(d, d->booted, BOOT_GOOD, e);
}

static int recover_inactive(struct device *d, int index, struct error *e)
{
	autorelease rel = reread(d, index);
	enum boot_state boot;
	struct release_ref ref;
	int r;

	if (!rel)
		return 0;
	r = loader_get_state(d, index, &boot, e);
	if (r < 0 || boot == BOOT_GOOD)
		return r;
	state_set_release(&ref, rel);
	state_deny(&d->state, &ref,
		"the boot loader calls its slot bad, and the state record was lost");
	progress_note(d->progress,
		"slot %s: release %s is called bad by the boot loader: denied",
		d->config.slots[index].name, ref.version);
	return 0;
}

int recover_state(struct device *d, bool damaged, struct error *e)
{
	int r = 0;

	if (d->booted >= 0 || damaged)
		progress_note(d->progress,
			"%s/state is %s: recovering from the slots themselves",
			d->config.state, damaged ? "damaged" : "absent");
	if (d->booted >= 0) {
		r = recover_booted(d, e);
		if (r == 0)
			r = recover_inactive(d, device_other(d->booted), e);
	}
	return r < 0 ? r : device_save(d, e);
}
