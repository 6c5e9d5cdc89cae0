/* SPDX-License-Identifier: MIT */
/* A slot against a manifest: see verify.h.  Reads only, believes neither side. */
#include "slot/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/beneath.h"
#include "base/io.h"
#include "slot/compare.h"
#include "slot/links.h"
#include "slot/walk.h"
#include "trust/release.h"

#define LOCAL_MAX 65536
#define PROOF_MAX (RELEASE_COMMIT_MAX + RELEASE_TAGS_MAX * RELEASE_TAG_MAX + 4096)

struct verify {
	int (*each)(void *ctx, const struct finding *f, struct error *e);
	void *ctx;
	const struct progress *progress;
	struct verify_sums *sums;
	struct buf local; /* prefixes that machines fill themselves, each with its NUL */
	struct links *links;
	int failed; /* of a callback that cannot return it */
	struct error *e;
};

bool verify_is_local(const struct buf *local, const char *path)
{
	for (const char *p = local->data; p && p < local->data + local->size;
		p += strlen(p) + 1)
		if (*p && path_within(path, p))
			return true;
	return false;
}

static int find(struct verify *v, const char *path, const char *what, struct error *e)
{
	const struct finding f = {
		.path = path, .what = what, .local = verify_is_local(&v->local, path)
	};

	if (f.local)
		v->sums->local++;
	else
		v->sums->differences++;
	return v->each ? v->each(v->ctx, &f, e) : 0;
}

static const char *content_word(const struct walk_step *step)
{
	switch (step->entry->type) {
	case ENTRY_FILE:
		return (uint64_t)step->st.st_size == step->entry->size ? "content"
								       : "size";
	case ENTRY_LINK:
		return "target";
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		return "device";
	case ENTRY_DIR:
	case ENTRY_FIFO:
	case ENTRY_HARD:
		break;
	}
	return "content";
}

static int find_changes(
	struct verify *v, const struct walk_step *step, unsigned changes, struct error *e)
{
	const struct {
		unsigned flag;
		const char *what;
	} words[] = {
		{ CHANGE_TYPE, "type" },
		{ CHANGE_CONTENT, content_word(step) },
		{ CHANGE_MODE, "mode" },
		{ CHANGE_OWNER, "owner" },
		{ CHANGE_XATTR, "xattr" },
		{ CHANGE_MTIME, "mtime" },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(words) / sizeof(words[0]); i++)
		if (changes & words[i].flag)
			r = find(v, step->path, words[i].what, e);
	return r;
}

static int check_hard(struct verify *v, const struct walk_step *step, struct error *e)
{
	struct link_group *g = links_find(v->links, step->entry->target);

	if (!g || g->inode != step->st.st_ino)
		return find(v, step->path, "links", e);
	g->names++;
	return 0;
}

static int check_both(struct verify *v, const struct walk_step *step, struct error *e)
{
	unsigned changes;
	int r;

	if (step->entry->type == ENTRY_HARD)
		return check_hard(v, step, e);
	r = compare_entry(step->dirfd, step->name, &step->st, step->entry, &changes,
		&v->sums->bytes, e);
	if (r < 0)
		return r;
	if (step->entry->type != ENTRY_DIR && step->st.st_nlink > 1 &&
		!links_claim(v->links, step->path, step->st.st_ino, step->st.st_nlink)) {
		r = find(v, step->path, "links", e);
		if (r < 0)
			return r;
	}
	return find_changes(v, step, changes, e);
}

static int each(void *ctx, const struct walk_step *step, struct error *e)
{
	struct verify *v = ctx;
	const struct progress_event event = { "verify", "files", ++v->sums->entries, 0 };
	int r = progress_report(v->progress, &event, e);

	if (r < 0)
		return r;
	switch (step->what) {
	case WALK_EXTRA:
		return find(v, step->path, "extra", e);
	case WALK_MISSING:
		return find(v, step->path, "missing", e);
	case WALK_BOTH:
		return check_both(v, step, e);
	}
	return 0;
}

/* Names an inode has that were not found under it: outside the release, or in it but
 * reported already. */
static void check_group(void *ctx, const struct link_group *g)
{
	struct verify *v = ctx;

	if (v->failed == 0 && g->names != g->nlink)
		v->failed = find(v, g->path, "links", v->e);
}

bool verify_read_own(
	int root, struct bytes manifest, const char *name, size_t max, struct buf *ret)
{
	autofree char *path = xasprintf(PATH_OWN "/%s", name);
	autoreader reader = manifest_reader_new(manifest);
	autobuf text = { 0 };
	struct digest digest;
	struct entry entry;
	autofd fd = -1;

	if (manifest_find(reader, path, &entry, NULL) <= 0 || entry.type != ENTRY_FILE ||
		beneath_open(root, PATH_OWN, O_RDONLY | O_DIRECTORY, 0, &fd, NULL) < 0 ||
		io_read_file_at(fd, name, max, &text, NULL) < 0)
		return false;
	digest = digest_of(buf_bytes(&text));
	if (!digest_equal(&digest, &entry.digest))
		return false;
	buf_add(ret, text.data, text.size);
	return true;
}

void verify_read_local(int root, struct bytes manifest, struct buf *ret)
{
	autobuf text = { 0 };

	if (!verify_read_own(root, manifest, "local", LOCAL_MAX, &text))
		return;
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] == '\n')
			text.data[i] = '\0';
	buf_add(ret, text.data, text.size);
	buf_add(ret, "", 1);
}

int verify_slot(int root, struct bytes manifest,
	int (*callback)(void *ctx, const struct finding *f, struct error *e), void *ctx,
	const struct progress *progress, struct verify_sums *ret, struct error *e)
{
	struct verify_sums sums = { 0 };
	struct verify v = {
		.each = callback, .ctx = ctx, .progress = progress, .sums = &sums, .e = e
	};
	int r;

	v.links = links_new();
	verify_read_local(root, manifest, &v.local);
	r = walk_slot(root, manifest, each, &v, e);
	if (r == 0) {
		links_each(v.links, check_group, &v);
		r = v.failed;
	}
	links_free(v.links);
	buf_release(&v.local);
	if (r == 0)
		*ret = sums;
	return r;
}

/* --- what a slot says of itself --------------------------------------------------- */

int verify_read_proof(int root, struct buf *ret_proof, struct error *e)
{
	autofd dir = -1;
	int r = beneath_open(root, PATH_OWN, O_RDONLY | O_DIRECTORY, 0, &dir, e);

	if (r == 0)
		r = io_read_file_at(dir, "release", PROOF_MAX, ret_proof, e);
	return r < 0 ? err_prefix(e, r, PATH_RELEASE) : 0;
}

int verify_open_manifest(int root, int *ret_fd, struct error *e)
{
	autofd fd = -1;
	struct stat st;
	int r = beneath_open(root, PATH_MANIFEST, O_RDONLY | O_NONBLOCK, 0, &fd, e);

	if (r < 0)
		return err_prefix(e, r, PATH_MANIFEST);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		(uint64_t)st.st_size > MANIFEST_SIZE_MAX)
		return err_set(e, E_INPUT, PATH_MANIFEST ": not a manifest");
	*ret_fd = take_fd(&fd);
	return 0;
}
