/* SPDX-License-Identifier: MIT */
/*
 * The stat index: see record.h; format: doc/formats.md#slot-record.
 *
 *   "osupdate-index 2\n"  NUL-padded to 32 bytes
 *   uuid                  40 bytes, NUL-padded
 *   manifest              32 bytes: the digest of the manifest it is parallel to
 *   stamp                 32 bytes: of the file system, see mount_stamp
 *   items                 24 bytes each, in the machine's own byte order
 *   digest                32 bytes: BLAKE2b-256 of all before it
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "slot/record.h"
#include "slot/slot.h"

#define INDEX_MAGIC  "osupdate-index 2\n"
#define INDEX_SUFFIX ".index"

struct index_head {
	char magic[32];
	char uuid[40];
	struct digest manifest;
	struct digest stamp;
};

_Static_assert(sizeof(struct index_item) == 24, "an item has no padding");
_Static_assert(sizeof(struct index_head) == 136, "the head has no padding");

static void fill_head(struct index_head *head, const struct index_key *key)
{
	*head = (struct index_head){
		.magic = INDEX_MAGIC, .manifest = key->manifest, .stamp = key->stamp
	};
	(void)snprintf(head->uuid, sizeof(head->uuid), "%s", key->uuid);
}

static bool check(struct bytes map, const struct index_head *head)
{
	struct digest digest;
	size_t body;

	if (map.size < sizeof(*head) + DIGEST_SIZE)
		return false;
	body = map.size - DIGEST_SIZE;
	if ((body - sizeof(*head)) % sizeof(struct index_item) != 0 ||
		memcmp(map.data, head, offsetof(struct index_head, stamp)) != 0)
		return false;
	digest = digest_of((struct bytes){ map.data, body });
	return memcmp(digest.b, map.data + body, DIGEST_SIZE) == 0;
}

int slot_index_load(int state_dirfd, const char *slot, const struct index_key *key,
	struct slot_index *ret, struct error *e)
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
	fill_head(&head, key);
	if (!check(map, &head)) {
		io_unmap(&map);
		return err_set(
			e, E_NOTFOUND, "%s: for another file system or release", name);
	}
	ret->map = map;
	memcpy(ret->stamp.b, map.data + offsetof(struct index_head, stamp), DIGEST_SIZE);
	/* The mapping is page-aligned and the head a multiple of 8 bytes. */
	ret->items = (const void *)(map.data + sizeof(head));
	ret->count = (map.size - sizeof(head) - DIGEST_SIZE) / sizeof(struct index_item);
	return 0;
}

int slot_index_save(int state_dirfd, const char *slot, const struct index_key *key,
	const struct index_item *items, uint64_t count, struct error *e)
{
	autofree char *name = xasprintf("%s" INDEX_SUFFIX, slot);
	struct digest_state state;
	struct index_head head;
	struct digest digest;
	const struct bytes parts[] = {
		{ (const unsigned char *)&head, sizeof(head) },
		{ (const unsigned char *)items, count * sizeof(*items) },
		{ digest.b, DIGEST_SIZE },
	};
	autofd dir = -1;
	int r = slot_record_dir(state_dirfd, &dir, e);

	if (r < 0)
		return r;
	fill_head(&head, key);
	digest_start(&state);
	digest_update(&state, parts[0].data, parts[0].size);
	digest_update(&state, parts[1].data, parts[1].size);
	digest_finish(&state, &digest);
	r = io_replace_parts_at(dir, name, parts, 3, 0600, e);
	return r < 0 ? err_prefix(e, r, "state directory: slots/%s", name) : 0;
}

void slot_index_release(struct slot_index *i)
{
	io_unmap(&i->map);
	*i = (struct slot_index){ 0 };
}

bool slot_index_says(const struct slot_index *i, uint64_t at, const struct entry *entry,
	const struct stat *st)
{
	const struct index_item *item = &i->items[at];

	if (at >= i->count || item->inode != st->st_ino ||
		item->ctime_seconds != st->st_ctim.tv_sec ||
		item->ctime_nanoseconds != (uint32_t)st->st_ctim.tv_nsec)
		return false;
	return entry->type != ENTRY_FILE ||
	       ((uint64_t)st->st_size == entry->size &&
		       st->st_mtim.tv_sec == entry->mtime.tv_sec &&
		       st->st_mtim.tv_nsec == entry->mtime.tv_nsec);
}
