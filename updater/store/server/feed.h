/* SPDX-License-Identifier: MIT */
/* Copying objects from a repository on this machine into ours, whole packs at a time. */
#ifndef SERVER_FEED_H
#define SERVER_FEED_H

#include "store/server/object-dirs.h"
#include "store/server/session.h"

struct feed_pack {
	char *name;   /* without .pack and .idx */
	git_odb *odb; /* of this pack alone, to ask what is in it */
	bool taken;
};

struct feed {
	struct session *ss;
	struct object_dirs dirs; /* of the source */
	git_odb *source;
	git_odb *ours;
	int objects_fd; /* our objects directory */
	struct feed_pack *packs;
	size_t n_packs;
	size_t cap_packs;
};

int feed_open(struct feed *f, struct session *ss, git_repository *source,
	git_repository *ours, struct error *e);
void feed_release(struct feed *f);

/*
 * Bring the object `id`, and with it the pack it stands in.  One that the source lacks
 * too is no error.  Errors: E_REMOTE the source cannot be read, E_SPACE, E_SYSTEM.
 */
int feed_object(struct feed *f, const git_oid *id, struct error *e);

/* All that was brought is on the disk when it returns 0. */
int feed_sync(struct feed *f, struct error *e);

#endif
