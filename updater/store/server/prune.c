/* SPDX-License-Identifier: MIT */
/* Letting go: see prune.h. */
#include "store/server/prune.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

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

/* True: *ret_live is what is needed now; packs may be others. */
static bool rewrite(
	struct pruning *p, const struct loose *loose, uint64_t bytes, uint64_t *ret_live)
{
	struct gather g = {
		.wanted = is_wanted, .whole = read_whole, .tick = tick, .ctx = p
	};
	autoloose needed = { 0 };
	bool done = gather_open(&g, SIZE_MAX) && !g.unreadable;

	if (done) {
		choose_loose(p, &g, loose, &needed);
		g.loose = needed.ids;
		g.n_loose = needed.n;
		done = gather_survey(&g);
	}
	*ret_live = g.bytes + (needed.n == loose->n ? loose->bytes : 0);
	if (done && is_too_large(bytes, *ret_live)) {
		done = gather_has_room(&g, *ret_live + *ret_live / SPARE) &&
		       gather_write(&g);
		if (done)
			loose_remove(loose);
		*ret_live = size_of_packs();
	}
	gather_close(&g);
	return done;
}

void prune(struct session *ss)
{
	struct pruning p = { .ss = ss };
	autogit(git_odb) odb = NULL;
	autoloose loose = { 0 };
	autoheld held = { 0 };
	struct error ignored;
	uint64_t bytes;
	uint64_t live;
	int r;

	if (repository_open(ss, &ignored) < 0 || !held_is_shallow(ss->repo))
		return;
	held_read(ss->repo, &held);
	loose_list(&loose);
	bytes = size_of_packs() + loose.bytes;
	if (!is_due(bytes, &held) || git_repository_odb(&odb, ss->repo) < 0)
		return;
	p.odb = odb;
	r = live_collect(ss, &held, &p.live, &ignored);
	if (r == E_REMOTE)
		damage_set();
	if (r == 0 && rewrite(&p, &loose, bytes, &live)) {
		write_note(live, &held);
		git_repository_free(ss->repo);
		ss->repo = NULL;
	}
	oidset_release(&p.live);
}
