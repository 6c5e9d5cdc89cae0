/* SPDX-License-Identifier: MIT */
/* Surveys: see survey.h.  Everything here only reads; a doubt is a "no". */
#include "slot/survey.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/beneath.h"
#include "slot/verify.h"
#include "slot/walk.h"

#define AHEAD 2 /* threads that ask for inodes before their turn */

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

static int each(void *ctx, const struct walk_step *step, struct error *e)
{
	struct survey *s = ctx;

	if (atomic_load(&s->stop))
		return err_set(e, E_INTERRUPTED, "not needed any more");
	if (step->what != WALK_BOTH || step->index >= s->index.count)
		return err_set(e, E_INPUT, "%s: not as it was sealed", step->path);
	/* Of an h its first name tells: the same inode. */
	if (step->entry->type == ENTRY_HARD
			? s->index.items[step->index].inode != step->st.st_ino
			: !slot_index_says(
				  &s->index, step->index, step->entry, &step->st))
		return err_set(e, E_INPUT, "%s: not as it was sealed", step->path);
	return 0;
}

/* --- inodes on their way -------------------------------------------------------------
 */

/* The part of a manifest whose inodes one thread asks for. */
struct ahead {
	pthread_t thread;
	bool running;
	const struct survey *survey;
	int root;
	struct bytes part;
};

/* The path of an entry's line that stands there as it is. */
static bool plain_path(struct bytes line, char ret[PATH_BYTES_MAX + 1])
{
	const unsigned char *space =
		line.size ? memrchr(line.data, ' ', line.size) : NULL;
	size_t n = space ? (size_t)(line.data + line.size - space) - 1 : 0;

	if (n == 0 || n > PATH_BYTES_MAX || strchr("+=", line.data[0]) ||
		memchr(space, '\\', n))
		return false;
	memcpy(ret, space + 1, n);
	ret[n] = '\0';
	return true;
}

static void *ask(void *ctx)
{
	const struct ahead *a = ctx;
	char path[PATH_BYTES_MAX + 1];
	struct bytes line;
	size_t at = 0;

	while (manifest_line(a->part, &at, &line) && !atomic_load(&a->survey->stop)) {
		autofd fd = -1;

		/* What comes of it, the survey itself will see. */
		if (plain_path(line, path))
			(void)beneath_open(
				a->root, path, O_PATH | O_NOFOLLOW, 0, &fd, NULL);
	}
	return NULL;
}

/* A disk answers several questions at a time sooner than one after the other: while the
 * survey begins at the beginning, others ask for what it will come to. */
static void ask_ahead(
	struct ahead *all, const struct survey *s, int root, struct bytes manifest)
{
	for (size_t i = 0; i < AHEAD; i++) {
		size_t from = manifest.size / (AHEAD + 1) * (i + 1);
		size_t to = i + 1 == AHEAD ? manifest.size
					   : manifest.size / (AHEAD + 1) * (i + 2);

		all[i] = (struct ahead){ .survey = s,
			.root = root,
			.part = { manifest.data + from, to - from } };
		all[i].running = pthread_create(&all[i].thread, NULL, ask, &all[i]) == 0;
	}
}

/* --- the survey -----------------------------------------------------------------------
 */

static int walk(struct survey *s, int root, struct bytes manifest)
{
	struct ahead ahead[AHEAD];
	int r;

	ask_ahead(ahead, s, root, manifest);
	r = walk_slot(root, manifest, each, s, NULL);
	atomic_store(&s->stop, true);
	for (size_t i = 0; i < AHEAD; i++)
		if (ahead[i].running)
			(void)pthread_join(ahead[i].thread, NULL);
	return r;
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
		  walk(s, root, manifest) == 0;
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
