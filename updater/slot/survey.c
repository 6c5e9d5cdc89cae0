/* SPDX-License-Identifier: MIT */
/* Surveys: see survey.h.  Everything here only reads; a doubt is a "no". */
#include "slot/survey.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "slot/inodes.h"
#include "slot/verify.h"

struct survey {
	pthread_t thread;
	bool running;
	atomic_bool stop;
	int state_dirfd;
	const struct slot *slot;
	int root; /* of the slot, while it is mounted; or -1 */
	/* the answer: */
	bool same;
	char uuid[FS_UUID_MAX];
	struct index_key key;
	struct slot_index index;
};

/* --- directories ------------------------------------------------------------------ */

/* A directory we are in, and the sum over the names it should hold. */
struct level {
	uint64_t inode;
	size_t path_size; /* 0: the root */
	uint64_t names;
	bool own; /* PATH_OWN: two names of it are no entries */
};

struct looking {
	const struct survey *survey;
	struct inodes *disk;
	struct level *levels;
	size_t n;
	size_t cap;
	uint64_t found; /* sum over the names a directory does hold */
	uint64_t lost;	/* inode of lost+found, 0: there is none */
	const struct level *in;
	unsigned char key[crypto_shorthash_KEYBYTES];
};

/* Of a name and the inode it stands for; sums of these do not depend on an order. */
static uint64_t name_sum(
	const struct looking *k, const char *name, size_t size, uint64_t inode)
{
	unsigned char text[NAME_MAX + sizeof(inode)];
	unsigned char sum[crypto_shorthash_BYTES];
	uint64_t n;

	memcpy(text, &inode, sizeof(inode));
	memcpy(text + sizeof(inode), name, size);
	(void)crypto_shorthash(sum, text, sizeof(inode) + size, k->key);
	memcpy(&n, sum, sizeof(n));
	return n;
}

static bool is_named(const char *name, size_t size, const char *what)
{
	return size == strlen(what) && memcmp(name, what, size) == 0;
}

static void on_name(void *ctx, const char *name, size_t size, uint64_t inode)
{
	struct looking *k = ctx;

	if (k->in->path_size == 0 && is_named(name, size, "lost+found")) {
		k->lost = inode;
		return;
	}
	if (k->in->own &&
		(is_named(name, size, "manifest") || is_named(name, size, "release")))
		return;
	k->found += size <= NAME_MAX ? name_sum(k, name, size, inode) : 1;
}

/* With anything in it, or for others to enter, it goes away with the next release. */
static bool is_lost_found(struct looking *k)
{
	static const struct level other = { .path_size = 1 };
	struct stat st;

	k->in = &other;
	k->found = 0;
	return inodes_stat(k->disk, k->lost, &st) && S_ISDIR(st.st_mode) &&
	       st.st_uid == 0 && (st.st_mode & 07077) == 0 &&
	       inodes_names(k->disk, k->lost, on_name, k) && k->found == 0;
}

/* Leave the innermost directory: does it hold its names, and no others? */
static bool leave(struct looking *k)
{
	k->in = &k->levels[--k->n];
	k->found = 0;
	return inodes_names(k->disk, k->in->inode, on_name, k) &&
	       k->found == k->in->names;
}

static void enter(struct looking *k, const struct entry *entry, uint64_t inode)
{
	bool root = strcmp(entry->path, ".") == 0;

	ARRAY_GROW(k->levels, k->n, k->cap);
	k->levels[k->n++] = (struct level){
		.inode = inode,
		.path_size = root ? 0 : strlen(entry->path),
		.own = strcmp(entry->path, PATH_OWN) == 0,
	};
}

/* --- entries ---------------------------------------------------------------------- */

/* Into the directory of `path`, out of all that end before it. */
static bool go_to(struct looking *k, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	size_t size = slash ? (size_t)(slash - path) : 0;

	*ret_name = slash ? slash + 1 : path;
	while (k->n > 0 && k->levels[k->n - 1].path_size != size)
		if (!leave(k))
			return false;
	return k->n > 0;
}

/* As it was sealed, says its inode.  Of an h its first name tells: the same inode. */
static bool is_same(struct looking *k, const struct entry *entry, uint64_t index)
{
	const struct slot_index *known = &k->survey->index;
	const char *name;
	struct stat st;
	uint64_t inode;

	if (path_within(entry->path, "lost+found"))
		return true;
	if (index >= known->count)
		return false;
	inode = known->items[index].inode;
	if (strcmp(entry->path, ".") != 0) {
		if (!go_to(k, entry->path, &name))
			return false;
		k->levels[k->n - 1].names += name_sum(k, name, strlen(name), inode);
	} else if (inode != INODES_ROOT) {
		return false;
	}
	if (entry->type != ENTRY_HARD &&
		(!inodes_stat(k->disk, inode, &st) ||
			!slot_index_says(known, index, entry, &st)))
		return false;
	if (entry->type == ENTRY_DIR)
		enter(k, entry, inode);
	return true;
}

/* Every entry's inode and every directory's names, read off the disk. */
static bool ask_all(struct survey *s, struct bytes manifest)
{
	struct looking k = { .survey = s, .disk = inodes_open(s->slot->device) };
	autoreader reader = manifest_reader_new(manifest);
	bool same = k.disk != NULL;
	struct entry entry;
	uint64_t index = 0;
	int got = 1;

	crypto_shorthash_keygen(k.key);
	while (same && !atomic_load(&s->stop) &&
		(got = manifest_next(reader, &entry, NULL)) > 0)
		same = is_same(&k, &entry, index++);
	while (same && k.n > 0)
		same = leave(&k);
	if (same && k.lost)
		same = is_lost_found(&k);
	inodes_close(k.disk);
	free(k.levels);
	return same && got == 0 && index == s->index.count;
}

static void look(struct survey *s, int root)
{
	automap manifest = { 0 };
	autofd fd = -1;

	if (verify_open_manifest(root, &fd, NULL) < 0 || io_map(fd, &manifest, NULL) < 0)
		return;
	s->key.manifest = digest_of(manifest);
	if (slot_index_load(s->state_dirfd, s->slot->name, &s->key, &s->index, NULL) < 0)
		return;
	s->same = digest_equal(&s->index.stamp, &s->key.stamp) && ask_all(s, manifest);
	slot_index_release(&s->index);
}

static void *run(void *ctx)
{
	struct survey *s = ctx;
	struct slot_record rec;

	s->key.uuid = s->uuid;
	if (slot_record_load(s->state_dirfd, s->slot->name, &rec, NULL) < 0 ||
		rec.contents != SLOT_SEALED ||
		mount_uuid(s->slot->device, s->uuid, NULL) < 0 ||
		mount_stamp(s->slot->device, &s->key.stamp, NULL) < 0 ||
		mount_slot(s->slot->device, false, &s->root, NULL) < 0)
		return NULL;
	look(s, s->root);
	if (!s->same) /* whoever looks next will say what is wrong */
		(void)mount_finish(s->slot->device, &s->root, NULL);
	return NULL;
}

struct survey *survey_start(int state_dirfd, const struct slot *slot)
{
	struct survey *s = xcalloc(1, sizeof(*s));

	s->state_dirfd = state_dirfd;
	s->slot = slot;
	s->root = -1;
	s->running = pthread_create(&s->thread, NULL, run, s) == 0;
	return s;
}

void survey_wait(struct survey *s)
{
	if (!s)
		return;
	if (s->running)
		(void)pthread_join(s->thread, NULL); /* fails for no thread of ours */
	s->running = false;
}

bool survey_holds(const struct survey *s, const struct slot *slot)
{
	return s && !s->running && s->root >= 0 && s->slot == slot;
}

int survey_take(struct survey *s, const struct slot *slot)
{
	int root = survey_holds(s, slot) ? s->root : -1;

	if (root >= 0)
		s->root = -1;
	return root;
}

bool survey_found(const struct survey *s, const struct index_key *key)
{
	return s && !s->running && s->same && strcmp(s->uuid, key->uuid) == 0 &&
	       digest_equal(&s->key.manifest, &key->manifest) &&
	       digest_equal(&s->key.stamp, &key->stamp);
}

void survey_free(struct survey *s)
{
	if (!s)
		return;
	atomic_store(&s->stop, true);
	survey_wait(s);
	if (s->root >= 0) /* nothing was written */
		(void)mount_finish(s->slot->device, &s->root, NULL);
	free(s);
}
