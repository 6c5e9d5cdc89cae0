/* SPDX-License-Identifier: MIT */
/* What differs between two manifests, in manifest order, as one merge of two streams. */
#ifndef MANIFEST_DIFF_H
#define MANIFEST_DIFF_H

#include "manifest/manifest.h"

enum change_flag {
	CHANGE_TYPE = 1 << 0,
	CHANGE_CONTENT = 1 << 1, /* f: contents; l: target; c b: device number; h: group */
	CHANGE_MODE = 1 << 2,
	CHANGE_OWNER = 1 << 3,
	CHANGE_XATTR = 1 << 4,
	CHANGE_MTIME = 1 << 5,
};

/* `a` NULL: added; `b` NULL: removed; else `flags` (never 0) says what changed. */
struct change {
	const struct entry *a;
	const struct entry *b;
	unsigned flags; /* enum change_flag */
};

/* Which of type, content, mode, owner, xattrs, mtime differ; 0 = same. */
unsigned entry_compare(const struct entry *a, const struct entry *b);

/* Calls `each` for every difference; a negative return of it ends the walk. */
int manifest_diff(struct bytes a, struct bytes b,
	int (*each)(void *ctx, const struct change *change, struct error *e), void *ctx,
	struct error *e);

#endif
