/* SPDX-License-Identifier: MIT */
/* Letting go: see prune.h. */
#include "store/server/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/io.h"
#include "base/text.h"
#include "store/server/gather.h"
#include "store/server/live.h"
#include "store/server/loose.h"

/*
 * What the last look found, in the repository: bytes that were needed, and of which
 * releases.  "<bytes>\n" *( "<commit>\n" )
 */
#define NOTE	 "osupdate-live"
#define NOTE_MAX 65536
#define SPARE	 5 /* one part in so many may be dead */

struct pruning {
	struct session *ss;
	git_odb *odb;
	struct oidset live;
	bool changed; /* packs are others than they were */
};

/* --- when ------------------------------------------------------------------------- */

static uint64_t size_of_packs(void)
{
	autodir d = opendir(GIT_DIR "/objects/pack");
	struct dirent *entry;
	uint64_t bytes = 0;
	struct stat st;

	while (d && (entry = readdir(d)))
		if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_size;
	return bytes;
}

static bool is_too_large(uint64_t bytes, uint64_t live)
{
	return bytes > live + live / SPARE;
}

/* Is one of the releases of the note still held? */
static bool still_holds(const char *text, const struct held *held)
{
	for (; text; text = strchr(text, '\n')) {
		git_oid id;

		text += *text == '\n';
		if (strlen(text) > GIT_OID_HEXSZ &&
			git_oid_fromstrn(&id, text, GIT_OID_HEXSZ) == 0 &&
			held_has(held, &id))
			return true;
	}
	return false;
}

static bool is_due(uint64_t bytes, const struct held *held)
{
	autobuf note = { 0 };
	const char *end;
	uint64_t live;

	if (io_read_file_at(AT_FDCWD, GIT_DIR "/" NOTE, NOTE_MAX, &note, NULL) < 0 ||
		!note.data)
		return true;
	end = strchr(note.data, '\n');
	if (!end || !text_u64(note.data, (size_t)(end - note.data), UINT64_MAX, &live))
		return true;
	return is_too_large(bytes, live) || !still_holds(end, held);
}

/* It only spares looks: if it cannot be written, the next fetch looks again. */
static void write_note(uint64_t live, const struct held *held)
{
	autofd dir = open(GIT_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char hex[GIT_OID_HEXSZ + 1];
	autobuf note = { 0 };
	struct error ignored;

	buf_addf(&note, "%" PRIu64 "\n", live);
	for (size_t i = 0; i < held->n; i++)
		buf_addf(&note, "%s\n", git_oid_tostr(hex, sizeof(hex), &held->ids[i]));
	if (dir >= 0)
		(void)io_replace_at(dir, NOTE, buf_bytes(&note), 0600, &ignored);
}

/* --- what ------------------------------------------------------------------------- */

static bool is_wanted(void *ctx, const unsigned char *id)
{
	const struct pruning *p = ctx;
	git_oid oid;

	memcpy(oid.id, id, OID_SIZE);
	return oidset_has(&p->live, &oid);
}

static void release_object(struct gather_whole *w)
{
	git_odb_object_free(w->owner);
}

static int read_whole(void *ctx, const unsigned char *id, struct gather_whole *ret)
{
	const struct pruning *p = ctx;
	git_odb_object *object = NULL;
	git_oid oid;

	memcpy(oid.id, id, OID_SIZE);
	if (git_odb_read(&object, p->odb, &oid) < 0)
		return -1;
	/* git's numbers for types, in packs and in libgit2. */
	*ret = (struct gather_whole){
		.type = (unsigned)git_odb_object_type(object),
		.data = { git_odb_object_data(object), git_odb_object_size(object) },
		.release = release_object,
		.owner = object,
	};
	return 0;
}

static int tick(void *ctx)
{
	struct pruning *p = ctx;

	p->ss->done[1]++;
	return reply_progress(p->ss, NULL);
}

static bool in_packs(const struct gather *g, const struct oid *id)
{
	size_t at;

	for (size_t i = 0; i < g->n; i++)
		if (pack_file_find(&g->old[i].file, id->b, &at))
			return true;
	return false;
}

/* Those that are needed and stand nowhere else. */
static void choose_loose(const struct pruning *p, const struct gather *g,
	const struct loose *all, struct loose *ret)
{
	for (size_t i = 0; i < all->n; i++) {
		if (!is_wanted((void *)(uintptr_t)p, all->ids[i].b) ||
			in_packs(g, &all->ids[i]))
			continue;
		ARRAY_GROW(ret->ids, ret->n, ret->cap);
		ret->ids[ret->n++] = all->ids[i];
	}
}

/* That what is held stays let go of after a power cut, when its objects are gone. */
static bool sync_refs(void)
{
	static const char *const dirs[] = { REF_HELD, REF_CHANNELS, REF_TAGS };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		autofree char *path = xasprintf(GIT_DIR "/%s", dirs[i]);
		autofd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 ? errno != ENOENT : io_sync(fd, NULL) < 0)
			return false;
	}
	return true;
}

/* As far as there is room: what that frees makes room for more, the next time. */
static bool rewrite_some(struct gather *g)
{
	uint64_t bytes = 0;

	g->n_loose = 0;
	gather_fit(g);
	for (size_t i = 0; i < g->n; i++)
		bytes += g->old[i].file.pack.size + g->old[i].file.idx.size;
	/* Now what packs that stay have, too, is counted here as well. */
	return g->n > 0 && gather_survey(g) && g->n_records > 0 &&
	       is_too_large(bytes, g->bytes) &&
	       gather_has_room(g, g->bytes + g->bytes / SPARE) && gather_write(g);
}

/* All that is needed into one pack, unless little else is there.  False: not done. */
static bool rewrite(struct pruning *p, struct gather *g, const struct loose *loose,
	uint64_t bytes, uint64_t *ret_live)
{
	autoloose needed = { 0 };

	choose_loose(p, g, loose, &needed);
	g->loose = needed.ids;
	g->n_loose = needed.n;
	if (!gather_survey(g))
		return false;
	*ret_live = g->bytes + (needed.n == loose->n ? loose->bytes : 0);
	if (!is_too_large(bytes, *ret_live))
		return true;
	if (!sync_refs())
		return false;
	p->changed = gather_remove_dead(g);
	if (!gather_has_room(g, *ret_live + *ret_live / SPARE)) {
		p->changed |= rewrite_some(g);
		return false;
	}
	if (!gather_write(g))
		return false;
	p->changed = true;
	loose_remove(loose);
	*ret_live = size_of_packs();
	return true;
}

bool prune_is_short(void)
{
	struct statvfs fs;

	return statvfs(GIT_DIR, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize < size_of_packs();
}

bool prune(struct session *ss)
{
	struct pruning p = { .ss = ss };
	struct gather g = {
		.wanted = is_wanted, .whole = read_whole, .tick = tick, .ctx = &p
	};
	autogit(git_odb) odb = NULL;
	autoloose loose = { 0 };
	autoheld held = { 0 };
	struct error ignored;
	uint64_t bytes;
	uint64_t live;
	int r;

	if (repository_open(ss, &ignored) < 0 || !held_is_shallow(ss->repo))
		return false;
	held_read(ss->repo, &held);
	loose_list(&loose);
	bytes = size_of_packs() + loose.bytes;
	if (!is_due(bytes, &held) || git_repository_odb(&odb, ss->repo) < 0)
		return false;
	p.odb = odb;
	r = live_collect(ss, &held, &p.live, &ignored);
	if (r == 0 && gather_open(&g, SIZE_MAX)) {
		if (g.unreadable)
			r = E_REMOTE;
		else if (rewrite(&p, &g, &loose, bytes, &live))
			write_note(live, &held);
		gather_close(&g);
	}
	if (r == E_REMOTE)
		damage_set();
	if (p.changed) {
		git_repository_free(ss->repo);
		ss->repo = NULL;
	}
	oidset_release(&p.live);
	return p.changed;
}
