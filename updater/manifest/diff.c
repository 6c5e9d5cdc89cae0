/* SPDX-License-Identifier: MIT */
/* Differences of two manifests: see diff.h. */
#include "manifest/diff.h"

static bool same_xattrs(const struct entry *a, const struct entry *b)
{
	if (a->n_xattrs != b->n_xattrs)
		return false;
	for (size_t i = 0; i < a->n_xattrs; i++) {
		const struct xattr *x = &a->xattrs[i];
		const struct xattr *y = &b->xattrs[i];

		if (strcmp(x->name, y->name) != 0 || x->size != y->size ||
			memcmp(x->value, y->value, x->size) != 0)
			return false;
	}
	return true;
}

static bool same_content(const struct entry *a, const struct entry *b)
{
	switch (a->type) {
	case ENTRY_FILE:
		return a->size == b->size && digest_equal(&a->digest, &b->digest);
	case ENTRY_LINK:
	case ENTRY_HARD:
		return strcmp(a->target, b->target) == 0;
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		return a->major == b->major && a->minor == b->minor;
	case ENTRY_DIR:
	case ENTRY_FIFO:
		return true;
	}
	return false;
}

unsigned entry_compare(const struct entry *a, const struct entry *b)
{
	unsigned flags = 0;

	if (a->type != b->type)
		return CHANGE_TYPE;
	if (!same_content(a, b))
		flags |= CHANGE_CONTENT;
	if (a->mode != b->mode)
		flags |= CHANGE_MODE;
	if (a->uid != b->uid || a->gid != b->gid)
		flags |= CHANGE_OWNER;
	if (!same_xattrs(a, b))
		flags |= CHANGE_XATTR;
	if (a->mtime.tv_sec != b->mtime.tv_sec || a->mtime.tv_nsec != b->mtime.tv_nsec)
		flags |= CHANGE_MTIME;
	return flags;
}

/* One side of the merge. */
struct side {
	struct manifest_reader *reader;
	struct entry entry;
	bool here;
};

static void side_release(struct side *s)
{
	manifest_reader_free(s->reader);
}

static int side_next(struct side *s, struct error *e)
{
	int got = manifest_next(s->reader, &s->entry, e);

	s->here = got > 0;
	return got < 0 ? got : 0;
}

/* The smallest path of both sides; its change is told, and who had it goes on. */
static int step(struct side *a, struct side *b,
	int (*each)(void *ctx, const struct change *change, struct error *e), void *ctx,
	struct error *e)
{
	int order = !a->here ? 1 : !b->here ? -1 : path_compare(a->entry.path, b->entry.path);
	struct change change = {
		.a = order <= 0 ? &a->entry : NULL,
		.b = order >= 0 ? &b->entry : NULL,
	};
	int r = 0;

	if (order == 0)
		change.flags = entry_compare(&a->entry, &b->entry);
	if (order != 0 || change.flags != 0)
		r = each(ctx, &change, e);
	if (r >= 0 && order <= 0)
		r = side_next(a, e);
	if (r >= 0 && order >= 0)
		r = side_next(b, e);
	return r;
}

int manifest_diff(struct bytes a, struct bytes b,
	int (*each)(void *ctx, const struct change *change, struct error *e), void *ctx,
	struct error *e)
{
	CLEANUP(side_release) struct side left = { .reader = manifest_reader_new(a) };
	CLEANUP(side_release) struct side right = { .reader = manifest_reader_new(b) };
	int r = side_next(&left, e);

	if (r >= 0)
		r = side_next(&right, e);
	while (r >= 0 && (left.here || right.here))
		r = step(&left, &right, each, ctx, e);
	return r < 0 ? r : 0;
}
