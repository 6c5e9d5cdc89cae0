/* SPDX-License-Identifier: MIT */
/*
 * The stat index: see record.h; format: doc/formats.md#slot-record.
 *
 *   "osupdate-index 1\n"  NUL-padded to 32 bytes
 *   uuid                  40 bytes, NUL-padded
 *   manifest              32 bytes: the digest of the manifest it is parallel to
 *   items                 24 bytes each, in the machine's own byte order
 *   digest                32 bytes: BLAKE2b-256 of all before it
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "slot/record.h"
#include "slot/slot.h"

#define INDEX_MAGIC  "osupdate-index 1\n"
#define INDEX_SUFFIX ".index"

struct index_head {
	char magic[32];
	char uuid[40];
	struct digest manifest;
};

_Static_assert(sizeof(struct index_item) == 24, "an item has no padding");
_Static_assert(sizeof(struct index_head) == 104, "the head has no padding");

static void fill_head(
	struct index_head *head, const char *uuid, const struct digest *manifest)
{
	*head = (struct index_head){ .magic = INDEX_MAGIC, .manifest = *manifest };
	(void)snprintf(head->uuid, sizeof(head->uuid), "%s", uuid);
}

static bool check(struct bytes map, const struct index_head *head)
{
	struct digest digest;
	size_t body;

	if (map.size < sizeof(*head) + DIGEST_SIZE)
		return false;
	body = map.size - DIGEST_SIZE;
	if ((body - sizeof(*head)) % sizeof(struct index_item) != 0 ||
		memcmp(map.data, head, sizeof(*head)) != 0)
		return false;
	digest = digest_of((struct bytes){ map.data, body });
	return memcmp(digest.b, map.data + body, DIGEST_SIZE) == 0;
}

int slot_index_load(int state_dirfd, const char *slot, const char *uuid,
	const struct digest *manifest, struct slot_index *ret, struct error *e)
{
	autofree char *name = xasprintf("slots/%s" INDEX_SUFFIX, slot);
	autofd fd =
		openat(state_dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	struct index_head head;
	struct bytes map;
	int r;

	if (fd < 0)
		return err_sys(e, "%s", name);
	r = io_map(fd, &map, e);
	if (r < 0)
		return r;
	fill_head(&head, uuid, manifest);
	if (!check(map, &head)) {
		io_unmap(&map);
		return err_set(
			e, E_NOTFOUND, "%s: for another file system or release", name);
	}
	ret->map = map;
	/* The mapping is page-aligned and the head a multiple of 8 bytes. */
	ret->items = (const void *)(map.data + sizeof(head));
	ret->count = (map.size - sizeof(head) - DIGEST_SIZE) / sizeof(struct index_item);
	return 0;
}

int slot_index_save(int state_dirfd, const char *slot, const char *uuid,
	const struct digest *manifest, const struct index_item *items, uint64_t count,
	struct error *e)
{
	autofree char *name = xasprintf("%s" INDEX_SUFFIX, slot);
	struct index_head head;
	struct digest digest;
	autobuf out = { 0 };
	autofd dir = -1;
	int r = slot_record_dir(state_dirfd, &dir, e);

	if (r < 0)
		return r;
	fill_head(&head, uuid, manifest);
	buf_add(&out, &head, sizeof(head));
	buf_add(&out, items, count * sizeof(*items));
	digest = digest_of(buf_bytes(&out));
	buf_add(&out, digest.b, DIGEST_SIZE);
	r = io_replace_at(dir, name, buf_bytes(&out), 0600, e);
	return r < 0 ? err_prefix(e, r, "state directory: slots/%s", name) : 0;
}

void slot_index_release(struct slot_index *i)
{
	io_unmap(&i->map);
	*i = (struct slot_index){ 0 };
}
