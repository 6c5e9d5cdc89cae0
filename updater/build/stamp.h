/* SPDX-License-Identifier: MIT */
/*
 * The text of a release's commit, in the one form trust/release.h reads: who, when, and
 * what it says.
 */
#ifndef BUILD_STAMP_H
#define BUILD_STAMP_H

#include "build/git.h"

/* What the commit will say; everything is borrowed but `author` and `committer`. */
struct stamp {
	const char *product;
	const char *version;
	uint64_t serial;
	const char *const *channels;
	size_t n_channels;
	const char *valid_until; /* RFC 3339 in UTC, or days ("90d") from `time`; NULL */
	const char *message;	 /* subject and body; NULL: "<product> <version>" */
	char *author;		 /* "Name <email>" */
	char *committer;
	int64_t time; /* seconds since 1970 */
};

/*
 * Author and committer from GIT_{AUTHOR,COMMITTER}_{NAME,EMAIL}, else user.name and
 * user.email; the time from SOURCE_DATE_EPOCH, else now.  Errors: E_USAGE.
 */
int stamp_people(struct stamp *s, git_repository *repo, struct error *e);
void stamp_release(struct stamp *s);

/*
 * Append the payload: the commit without its signature.  `parent` may be NULL.  What
 * devices would refuse is refused here: E_USAGE.
 */
int stamp_print(const struct stamp *s, const struct oid *tree, const struct oid *parent,
	const struct digest *manifest, uint64_t manifest_size, struct buf *ret,
	struct error *e);

/* Append the commit: `payload` with `armor` as its gpgsig. */
void stamp_sign(struct bytes payload, struct bytes armor, struct buf *ret);

#endif
