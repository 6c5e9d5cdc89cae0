/* SPDX-License-Identifier: MIT */
/* Further signatures: refs of tag objects, refs/tags/osupdate/SERIAL/NAME. */
#ifndef SERVER_TAGS_H
#define SERVER_TAGS_H

#include "store/server/repository.h"

#define TAGS_MAX 256 /* that are taken from a server at once */

/* Of that form?  Others could stand in the way of it, as a file where a directory is to
 * be. */
bool tag_ref_is_valid(const char *name);

/*
 * Before tags of `release` are taken from a server: let go of those that it does not
 * offer, which another one may have left to crowd them out; of all releases, when there
 * are more than TAGS_MAX; and of what is not of that form.
 * `is_offered` NULL: the last alone.
 */
void tags_forget(git_repository *repo, const git_oid *release,
	bool (*is_offered)(void *ctx, const char *name, const git_oid *id), void *ctx);

#endif
