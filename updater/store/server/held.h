/* SPDX-License-Identifier: MIT */
/*
 * Which releases the store holds with all their contents: the tip of the channel, and of
 * those root says are kept (what slots hold, what is being installed) each that is here:
 *   refs/osupdate/channels/CHANNEL   refs/osupdate/held/COMMIT
 * The parents of any of them may be gone; git knows that by the file `shallow`.
 */
#ifndef SERVER_HELD_H
#define SERVER_HELD_H

#include "store/server/repository.h"

#define REF_HELD "refs/osupdate/held/"

struct held {
	git_oid *ids; /* each once; the tips of channels first */
	size_t n;
	size_t cap;
};

/* Those whose commits are here. */
void held_read(git_repository *repo, struct held *ret);
void held_release(struct held *h);
#define autoheld CLEANUP(held_release) struct held

bool held_has(const struct held *h, const git_oid *id);

/*
 * Objects are about to come without what they stand on.  First thing of all: a history
 * that is not there is no damage then.
 */
int held_begin(git_repository *repo, struct error *e);

/* Hold the complete release `id` until held_update. */
int held_add(git_repository *repo, const git_oid *id, struct error *e);

/*
 * `tip` is now what `channel` offers and complete.  Hold what ss->options.keep names, as
 * far as it is here, and nothing else: other channels, and tags of what is not held, go.
 * From now on no history is promised (`shallow`).
 */
int held_update(struct session *ss, git_repository *repo, const char *channel,
	const git_oid *tip, struct error *e);

/* Was that ever done here?  libgit2's own transports need the history. */
bool held_is_shallow(git_repository *repo);

/* The commit that the tag object `id` stands on; false when it is no tag of a commit. */
bool held_tagged(git_repository *repo, const git_oid *id, git_oid *ret);

#endif
