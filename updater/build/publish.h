/* SPDX-License-Identifier: MIT */
/*
 * A directory that any web server can serve to devices
 * (doc/formats.md#published-releases):
 *
 *   channel/<name>                        the raw signed commit of the newest release
 *   release/<commit>/index                what streams there are (stream/catalog.h)
 *   release/<commit>/full                 stream from nothing
 *   release/<commit>/from-<commit>        streams from earlier releases
 *
 * What is there is kept; each file appears whole, the channel last of all.
 */
#ifndef BUILD_PUBLISH_H
#define BUILD_PUBLISH_H

#include "base/progress.h"
#include "build/git.h"

struct publish_options {
	const char *to; /* the directory, made if it is missing */
	const char *rev;
	const char *channel; /* NULL: the branch that `rev` names */
	const char **from;   /* revisions to make streams from … */
	size_t n_from;
	unsigned last; /* … and so many releases before `rev` */
	unsigned keep; /* of `rev` and those before it; 0: all */
	int level;
	const struct progress *progress;
};

struct publish_sums {
	struct oid commit;
	uint64_t serial;
	size_t made;	 /* streams */
	size_t kept;	 /* that were there */
	uint64_t bytes;	 /* of those made */
	uint64_t copied; /* of them, from the release before */
	size_t pruned;	 /* releases */
	char *channel;	 /* owned */
};

/*
 * Errors: E_NOTFOUND a revision; E_INPUT, E_UNTRUSTED it is no release or not whole, or a
 * source is of another product; E_USAGE no channel can be told from `rev`; E_SPACE;
 * E_BUSY somebody else publishes there.
 */
int publish(git_repository *repo, const struct publish_options *o,
	struct publish_sums *ret, struct error *e);

#endif
