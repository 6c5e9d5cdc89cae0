/* SPDX-License-Identifier: MIT */
/*
 * Groups of hard links: see links.h.  Trees of tsearch(3); a file of its own because
 * <search.h> takes the name `struct entry`.
 */
#include "slot/links.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct links {
	void *by_path; /* struct link_group *, owned by by_inode */
	void *by_inode;
};

struct visit {
	void (*each)(void *ctx, const struct link_group *g);
	void *ctx;
};

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct link_group *)a)->path,
		((const struct link_group *)b)->path);
}

static int compare_inodes(const void *a, const void *b)
{
	uint64_t x = ((const struct link_group *)a)->inode;
	uint64_t y = ((const struct link_group *)b)->inode;

	return (x > y) - (x < y);
}

static void free_group(void *p)
{
	struct link_group *g = p;

	free(g->path);
	free(g);
}

static void leave(void *p)
{
	(void)p; /* the other tree owns it */
}

static void insert(
	const void *item, void **tree, int (*compare)(const void *, const void *))
{
	if (!tsearch(item, tree, compare))
		abort(); /* out of memory, as xmalloc */
}

struct links *links_new(void)
{
	return xcalloc(1, sizeof(struct links));
}

void links_free(struct links *l)
{
	if (!l)
		return;
	tdestroy(l->by_path, leave);
	tdestroy(l->by_inode, free_group);
	free(l);
}

struct link_group *links_claim(
	struct links *l, const char *path, uint64_t inode, uint64_t nlink)
{
	const struct link_group key = { .inode = inode };
	struct link_group *g;

	if (tfind(&key, &l->by_inode, compare_inodes))
		return NULL;
	g = xcalloc(1, sizeof(*g));
	*g = (struct link_group){ xstrdup(path), inode, nlink, 1 };
	insert(g, &l->by_inode, compare_inodes);
	insert(g, &l->by_path, compare_paths);
	return g;
}

struct link_group *links_find(const struct links *l, const char *path)
{
	autofree char *copy = xstrdup(path);
	const struct link_group key = { .path = copy };
	struct link_group *const *found = tfind(&key, &l->by_path, compare_paths);

	return found ? *found : NULL;
}

static void visit(const void *node, VISIT which, void *closure)
{
	struct link_group *const *g = node;
	const struct visit *v = closure;

	if (which == postorder || which == leaf)
		v->each(v->ctx, *g);
}

void links_each(const struct links *l,
	void (*each)(void *ctx, const struct link_group *g), void *ctx)
{
	struct visit v = { each, ctx };

	twalk_r(l->by_inode, visit, &v);
}
