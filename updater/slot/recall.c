/* SPDX-License-Identifier: MIT */
/* Two manifests merged instead of a manifest and a disk: see recall.h. */
#include "slot/recall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/diff.h"
#include "slot/links.h"
#include "slot/write.h"

/* A directory of the wanted manifest that we are in. */
struct dir {
	size_t size; /* of its path */
	uint64_t index;
};

struct side {
	struct manifest_reader *reader;
	struct entry entry;
	uint64_t at; /* index of `entry` */
	bool here;
};

struct merge {
	const struct recall *rc;
	int (*each)(void *ctx, const struct walk_step *step, struct error *e);
	void *ctx;
	struct side old;
	struct side new;
	struct writer parents; /* for directories to be looked into */
	struct links *groups;  /* inodes with several names, by their first */
	struct buf path;       /* of the last entry of `new`: dirs are prefixes of it */
	struct dir *dirs;
	size_t n_dirs;
	size_t cap_dirs;
	struct buf gone; /* a directory that goes as a whole, and its NUL */
};

static int side_next(struct side *s, struct error *e)
{
	int got = manifest_next(s->reader, &s->entry, e);

	if (s->here)
		s->at++;
	s->here = got > 0;
	return got < 0 ? got : 0;
}

/* How many names each inode has: the h lines of the sealed manifest are few. */
static int count_names(struct merge *m, struct error *e)
{
	autoreader reader = manifest_reader_new(m->rc->sealed);
	struct bytes line;
	uint64_t index = 0;
	size_t at = 0;

	while (manifest_line(m->rc->sealed, &at, &line)) {
		struct link_group *g;
		struct entry entry;
		int r;

		if (line.size < 2 || line.data[1] != ' ' || strchr("+=", line.data[0]))
			continue; /* the header, or more about the entry before */
		if (line.data[0] != 'h') {
			index++;
			continue;
		}
		r = manifest_at(
			reader, (uint64_t)(line.data - m->rc->sealed.data), &entry, e);
		if (r < 0)
			return r;
		g = links_find(m->groups, entry.target);
		if (!g && index < m->rc->index->count)
			g = links_claim(m->groups, entry.target,
				m->rc->index->items[index].inode, 1);
		if (!g)
			return err_set(e, E_INPUT, "%s: not what was sealed", entry.path);
		g->nlink++;
		index++;
	}
	return 0;
}

/* Leave directories of the wanted manifest until `path` is in the innermost. */
static uint64_t enter(struct merge *m, const char *path)
{
	while (m->n_dirs > 1) {
		size_t n = m->dirs[m->n_dirs - 1].size;

		if (strncmp(path, m->path.data, n) == 0 && path[n] == '/')
			break;
		m->n_dirs--;
	}
	return m->n_dirs ? m->dirs[m->n_dirs - 1].index : 0;
}

static void push(struct merge *m)
{
	const struct entry *entry = &m->new.entry;

	/* The path stands for the directories in it: theirs are its beginnings. */
	buf_reset(&m->path);
	buf_adds(&m->path, entry->path);
	ARRAY_GROW(m->dirs, m->n_dirs, m->cap_dirs);
	m->dirs[m->n_dirs++] = (struct dir){ strlen(entry->path), m->new.at };
}

/* Look at what really stands there. */
static int look(struct merge *m, struct walk_step *step, struct error *e)
{
	int r = writer_parent(&m->parents, step->path, &step->dirfd, &step->name, e);

	if (r < 0)
		return err_set(e, E_INPUT, "%s: not what was sealed", step->path);
	if (fstatat(step->dirfd, step->name, &step->st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? err_set(e, E_INPUT, "%s: not what was sealed",
						 step->path)
				       : err_sys(e, "%s: stat", step->path);
	return 0;
}

static mode_t type_bits(enum entry_type type)
{
	return type == ENTRY_DIR ? S_IFDIR : type == ENTRY_LINK ? S_IFLNK : S_IFREG;
}

/* What the index says stands there. */
static int remember(const struct merge *m, struct walk_step *step, struct error *e)
{
	const struct entry *old = &m->old.entry;
	const struct index_item *item = &m->rc->index->items[m->old.at];
	const struct link_group *g;

	if (m->old.at >= m->rc->index->count)
		return err_set(e, E_INPUT, "%s: not in the index", step->path);
	g = links_find(m->groups, old->type == ENTRY_HARD ? old->target : old->path);
	step->st.st_ino = item->inode;
	step->st.st_mode = type_bits(old->type);
	step->st.st_nlink = g ? (nlink_t)g->nlink : 1;
	step->st.st_ctim.tv_sec = item->ctime_seconds;
	step->st.st_ctim.tv_nsec = item->ctime_nanoseconds;
	return 0;
}

static int visit_old(struct merge *m, struct error *e)
{
	struct walk_step step = { .what = WALK_EXTRA, .path = m->old.entry.path };
	int r;

	if (m->gone.size && path_within(step.path, m->gone.data))
		return 0;
	step.parent = enter(m, step.path);
	r = look(m, &step, e);
	if (r == 0)
		r = m->each(m->ctx, &step, e);
	buf_reset(&m->gone);
	buf_add(&m->gone, step.path, strlen(step.path) + 1);
	return r;
}

static int visit_new(struct merge *m, bool both, struct error *e)
{
	const struct entry *entry = &m->new.entry;
	struct walk_step step = {
		.what = both ? WALK_BOTH : WALK_MISSING,
		.entry = entry,
		.index = m->new.at,
		.offset = manifest_offset(m->new.reader),
		.path = entry->path,
		.dirfd = -1,
		.known = both ? &m->old.entry : NULL,
	};
	int r = 0;

	step.parent = enter(m, entry->path);
	if (both && entry_compare(&m->old.entry, entry) == 0)
		r = remember(m, &step, e);
	else if (both)
		r = look(m, &step, e);
	if (r == 0)
		r = m->each(m->ctx, &step, e);
	if (both && m->old.entry.type == ENTRY_DIR && entry->type != ENTRY_DIR) {
		buf_reset(&m->gone);
		buf_add(&m->gone, entry->path, strlen(entry->path) + 1);
	}
	if (entry->type == ENTRY_DIR)
		push(m);
	return r;
}

static int merge(struct merge *m, struct error *e)
{
	int r = side_next(&m->old, e);

	if (r == 0)
		r = side_next(&m->new, e);
	while (r == 0 && (m->old.here || m->new.here)) {
		int order = !m->old.here ? 1
			    : !m->new.here
				    ? -1
				    : path_compare(m->old.entry.path, m->new.entry.path);

		/* lost+found belongs to the file system, on both sides. */
		if (path_within(order < 0 ? m->old.entry.path : m->new.entry.path,
			    "lost+found"))
			r = 0;
		else if (order < 0)
			r = visit_old(m, e);
		else
			r = visit_new(m, order == 0, e);
		if (r == 0 && order <= 0)
			r = side_next(&m->old, e);
		if (r == 0 && order >= 0)
			r = side_next(&m->new, e);
	}
	return r;
}

int recall_slot(const struct recall *rc, struct bytes manifest,
	int (*each)(void *ctx, const struct walk_step *step, struct error *e), void *ctx,
	struct error *e)
{
	struct merge m = { .rc = rc, .each = each, .ctx = ctx };
	int r;

	writer_init(&m.parents, rc->root);
	m.groups = links_new();
	m.old.reader = manifest_reader_new(rc->sealed);
	m.new.reader = manifest_reader_new(manifest);
	r = count_names(&m, e);
	if (r == 0)
		r = merge(&m, e);
	manifest_reader_free(m.old.reader);
	manifest_reader_free(m.new.reader);
	links_free(m.groups);
	writer_release(&m.parents);
	buf_release(&m.path);
	buf_release(&m.gone);
	free(m.dirs);
	return r;
}
