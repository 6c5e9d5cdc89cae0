/* SPDX-License-Identifier: MIT */
/* Surveys: see survey.h.  Everything here only reads; a doubt is a "no". */
#include "slot/survey.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "slot/verify.h"
#include "slot/write.h"

#define PARTS 4 /* threads */

struct survey {
	pthread_t thread;
	bool running;
	atomic_bool stop;
	int state_dirfd;
	const struct slot *slot;
	/* the answer: */
	bool same;
	char uuid[FS_UUID_MAX];
	struct index_key key;
	struct slot_index index;
};

/* --- one part of the manifest ----------------------------------------------------- */

struct part {
	pthread_t thread;
	bool running;
	struct survey *survey;
	struct writer w; /* for the directories, nothing is written */
	struct manifest_reader *reader;
	struct bytes manifest; /* the whole */
	size_t from;
	size_t to;
	uint64_t index; /* of the entry at `from` */
	bool same;
};

/* Is this the line of an entry, not one about the entry above? */
static bool is_entry(struct bytes line)
{
	return line.size > 1 && line.data[1] == ' ' && !strchr("+=", line.data[0]);
}

/*
 * As it was sealed, says its inode.  For names that came or went, a directory's own ctime
 * tells.  Of an h its first name tells: the same inode.
 */
static bool is_same(struct part *p, const struct entry *entry, uint64_t index)
{
	const struct slot_index *known = &p->survey->index;
	const char *name;
	struct stat st;
	int dirfd;

	if (path_within(entry->path, "lost+found"))
		return true;
	if (index >= known->count || writer_parent(&p->w, entry->path, &dirfd, &name, NULL) < 0 ||
		fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (entry->type == ENTRY_HARD)
		return known->items[index].inode == st.st_ino;
	return slot_index_says(known, index, entry, &st);
}

static void *run_part(void *ctx)
{
	struct part *p = ctx;
	uint64_t index = p->index;
	size_t at = p->from;

	p->same = true;
	while (p->same && at < p->to && !atomic_load(&p->survey->stop)) {
		struct entry entry;
		struct bytes line;
		size_t start = at;

		if (!manifest_line(p->manifest, &at, &line))
			break;
		if (is_entry(line))
			p->same = manifest_at(p->reader, start, &entry, NULL) == 0 &&
				  is_same(p, &entry, index++);
	}
	if (!p->same)
		atomic_store(&p->survey->stop, true);
	return NULL;
}

/* --- all parts -------------------------------------------------------------------- */

/* Cut the manifest where entries begin; false when it is none. */
static bool cut(struct part *parts, struct survey *s, int root, struct bytes manifest)
{
	uint64_t index = 0;
	struct bytes line;
	size_t at = 0;
	size_t n = 0;

	if (!manifest_line(manifest, &at, &line))
		return false;
	for (size_t start = at; manifest_line(manifest, &at, &line); start = at) {
		if (!is_entry(line))
			continue;
		if (n < PARTS && start >= manifest.size / PARTS * n) {
			parts[n] = (struct part){ .survey = s, .manifest = manifest,
				.from = start, .index = index };
			writer_init(&parts[n].w, root);
			parts[n].reader = manifest_reader_new(manifest);
			if (n > 0)
				parts[n - 1].to = start;
			n++;
		}
		index++;
	}
	if (n > 0)
		parts[n - 1].to = manifest.size;
	return index == s->index.count;
}

/* Several threads: a disk answers several questions at a time sooner than one after the
 * other. */
static bool ask_all(struct survey *s, int root, struct bytes manifest)
{
	struct part parts[PARTS] = { 0 };
	bool same = cut(parts, s, root, manifest);

	for (size_t i = 0; same && i < PARTS; i++)
		if (parts[i].reader)
			parts[i].running = pthread_create(&parts[i].thread, NULL,
						   run_part, &parts[i]) == 0;
	for (size_t i = 0; i < PARTS; i++) {
		if (parts[i].running)
			(void)pthread_join(parts[i].thread, NULL);
		if (!parts[i].reader)
			continue;
		same = same && parts[i].running && parts[i].same;
		manifest_reader_free(parts[i].reader);
		writer_release(&parts[i].w);
	}
	return same && !atomic_load(&s->stop);
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
	s->same = digest_equal(&s->index.stamp, &s->key.stamp) &&
		  ask_all(s, root, manifest);
	slot_index_release(&s->index);
}

static void *run(void *ctx)
{
	struct survey *s = ctx;
	struct slot_record rec;
	int root = -1;

	s->key.uuid = s->uuid;
	if (slot_record_load(s->state_dirfd, s->slot->name, &rec, NULL) < 0 ||
		rec.contents != SLOT_SEALED ||
		mount_uuid(s->slot->device, s->uuid, NULL) < 0 ||
		mount_stamp(s->slot->device, &s->key.stamp, NULL) < 0 ||
		mount_slot(s->slot->device, false, &root, NULL) < 0)
		return NULL;
	look(s, root);
	if (mount_finish(s->slot->device, &root, NULL) < 0)
		s->same = false;
	return NULL;
}

struct survey *survey_start(int state_dirfd, const struct slot *slot)
{
	struct survey *s = xcalloc(1, sizeof(*s));

	s->state_dirfd = state_dirfd;
	s->slot = slot;
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
	free(s);
}
