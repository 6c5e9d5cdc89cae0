/* SPDX-License-Identifier: MIT */
/* Inodes with several names, while a manifest is walked. */
#ifndef SLOT_LINKS_H
#define SLOT_LINKS_H

#include <stdbool.h>
#include <stdint.h>

struct link_group {
	char *path; /* the first in manifest order */
	uint64_t inode;
	uint64_t nlink; /* names the inode has, wherever */
	uint64_t names; /* of them, how many were seen: 1 after links_claim */
};

struct links;

struct links *links_new(void);
void links_free(struct links *l);

/* The group of this inode, made with `path` as its first; NULL when it is taken. */
struct link_group *links_claim(
	struct links *l, const char *path, uint64_t inode, uint64_t nlink);
/* The group whose first path is `path`, or NULL. */
struct link_group *links_find(const struct links *l, const char *path);
/* Every group, in no order. */
void links_each(const struct links *l,
	void (*each)(void *ctx, const struct link_group *g), void *ctx);

#endif
