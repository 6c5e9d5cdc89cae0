/* SPDX-License-Identifier: MIT */
/* A set of object ids, for walks that must not do anything twice. */
#ifndef SERVER_OIDSET_H
#define SERVER_OIDSET_H

#include <git2.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroed = empty. */
struct oidset {
	git_oid *slots; /* open addressing; the zero id marks a free slot */
	size_t n;
	size_t cap; /* power of two */
};

/* False when it was there already. */
bool oidset_add(struct oidset *s, const git_oid *id);
bool oidset_has(const struct oidset *s, const git_oid *id);
void oidset_release(struct oidset *s);

#endif
