/* SPDX-License-Identifier: MIT */
/* A release by name: see lookup.h. */
#include "cmd/lookup.h"

#include <fcntl.h>

#include "base/beneath.h"
#include "manifest/manifest.h"
#include "slot/verify.h"
#include "update/offer.h"

#define SHOWN_MAX (UINT64_C(8) << 20) /* bytes of a file worth showing as text */

void found_release(struct found *f)
{
	release_free(f->release);
	io_unmap(&f->manifest);
	*f = (struct found){ .slot = SLOT_NONE };
}

static bool record_matches(const struct slot_record *rec, const char *name)
{
	struct release_info info = { .serial = rec->serial, .commit = rec->commit };

	if (rec->contents != SLOT_SEALED)
		return false;
	memcpy(info.version, rec->version, sizeof(info.version));
	return offer_matches(&info, name);
}

/* Looking at a release costs no network unless a person says so. */
static int from_offer(
	struct device *d, const char *name, struct found *ret, struct error *e)
{
	struct error why = { 0 };
	int r = offer_named(d, name, false, &ret->release, &why);

	if (r == E_NOTFOUND)
		return err_set(e, E_NOTFOUND, "%s (`osupdate fetch %s` looks for it)",
			why.text, name);
	if (r < 0 && e)
		*e = why;
	return r;
}

int lookup_release(struct device *d, const char *name, struct found *ret, struct error *e)
{
	struct error why = { 0 };
	int slot;

	*ret = (struct found){ .slot = SLOT_NONE };
	if (device_slot(d, name, &slot, NULL) == 0) {
		ret->slot = slot;
		return device_slot_release(d, slot, &ret->release, e);
	}
	for (slot = 0; slot < SLOT_COUNT; slot++)
		if (record_matches(&d->records[slot], name) &&
			device_slot_release(d, slot, &ret->release, &why) == 0) {
			if (offer_matches(release_info(ret->release), name)) {
				ret->slot = slot;
				return 0;
			}
			release_free(take_ptr(&ret->release));
		}
	return from_offer(d, name, ret, e);
}

int lookup_manifest(
	struct device *d, const char *name, struct found *ret, struct error *e)
{
	struct error why = { 0 };
	int r = lookup_release(d, name, ret, e);

	if (r < 0)
		return r;
	if (ret->slot >= 0 && device_slot_manifest(d, ret->slot, ret->release,
				      &ret->manifest, &why) == 0)
		return 0;
	ret->slot = SLOT_NONE;
	r = offer_manifest(d, ret->release, &ret->manifest, e);
	if (r < 0 && why.text[0])
		return err_prefix(e, r, "%s", why.text);
	return r;
}

/* The entry that has the contents: of an h the first of its group. */
static int find_file(const struct found *f, const char *path,
	struct manifest_reader *reader, struct entry *ret, struct error *e)
{
	int r = manifest_find(reader, path, ret, e);

	if (r > 0 && ret->type == ENTRY_HARD) {
		autofree char *first = xstrdup(ret->target);

		r = manifest_find(reader, first, ret, e);
	}
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, E_NOTFOUND, "release %s has no %s",
			release_info(f->release)->version, path);
	if (ret->type != ENTRY_FILE)
		return err_set(e, E_INPUT, "%s: not a regular file", path);
	if (ret->size > SHOWN_MAX)
		return err_set(e, E_INPUT, "%s: too large to show", path);
	return 0;
}

struct one_content {
	const struct entry *entry;
	bool asked;
	struct buf *out;
};

static int one_next(void *ctx, struct want *ret, struct error *e)
{
	struct one_content *one = ctx;

	(void)e;
	if (one->asked)
		return 0;
	one->asked = true;
	*ret = (struct want){
		.digest = one->entry->digest,
		.size = one->entry->size,
		.path = one->entry->path,
	};
	return 1;
}

static int one_begin(void *ctx, uint32_t id, uint64_t size, struct error *e)
{
	struct one_content *one = ctx;

	if (id != 0 || size != one->entry->size)
		return err_set(e, E_REMOTE, "%s: the store answered something else",
			one->entry->path);
	return 0;
}

static int one_data(void *ctx, struct bytes data, struct error *e)
{
	struct one_content *one = ctx;

	(void)e;
	buf_add(one->out, data.data, data.size);
	return 0;
}

static int one_end(void *ctx, struct error *e)
{
	(void)ctx;
	(void)e;
	return 0;
}

static void one_name(void *ctx, uint32_t id, struct buf *ret)
{
	const struct one_content *one = ctx;

	(void)id;
	buf_adds(ret, one->entry->path);
}

static int from_store(struct device *d, const struct found *f, const struct entry *entry,
	struct buf *out, struct error *e)
{
	struct one_content one = { .entry = entry, .out = out };
	const struct contents contents = { .next = one_next,
		.begin = one_begin,
		.data = one_data,
		.end = one_end,
		.name = one_name,
		.ctx = &one };
	struct store *store;
	int r = device_store(d, &store, e);

	return r < 0 ? r
		     : store_contents(
			       store, &release_info(f->release)->commit, &contents, e);
}

static int from_slot(struct device *d, const struct found *f, const struct entry *entry,
	struct buf *out, struct error *e)
{
	autofd root = -1;
	autofd fd = -1;
	int r = device_open_slot(d, f->slot, &root, e);

	if (r == 0)
		r = beneath_open(root, entry->path, O_RDONLY | O_NONBLOCK, 0, &fd, e);
	if (r < 0)
		return r;
	buf_reserve(out, entry->size);
	r = io_read_full(fd, out->data + out->size, entry->size, e);
	if (r == 0)
		out->size += entry->size;
	return r;
}

int lookup_file(struct device *d, const struct found *f, const char *path,
	struct buf *out, struct error *e)
{
	autoreader reader = manifest_reader_new(f->manifest);
	struct entry entry;
	struct digest got;
	int r = find_file(f, path, reader, &entry, e);

	if (r < 0)
		return r;
	buf_reset(out);
	r = f->slot >= 0 ? from_slot(d, f, &entry, out, e)
			 : from_store(d, f, &entry, out, e);
	if (r < 0)
		return err_prefix(e, r, "%s", path);
	got = digest_of(buf_bytes(out));
	if (!digest_equal(&got, &entry.digest))
		return err_set(e, E_INPUT, "%s: contents are not what was signed", path);
	return 0;
}
