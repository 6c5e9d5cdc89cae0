/* SPDX-License-Identifier: MIT */
/* A release by the name a person gives it, wherever it is: a slot, or the store. */
#ifndef CMD_LOOKUP_H
#define CMD_LOOKUP_H

#include "base/io.h"
#include "cmd/cli.h"

struct found {
	struct release *release; /* owned, verified */
	struct bytes manifest;	 /* owned mapping; digest checked, fully checked */
	int slot;		 /* the slot that holds it sealed, or SLOT_NONE */
};

/*
 * `name`: a slot's name, a version, a serial or a commit id.  Slots are asked first, so
 * that no network and no store is needed for what is on the device.
 */
int lookup_release(
	struct device *d, const char *name, struct found *ret, struct error *e);
/* The same with its manifest. */
int lookup_manifest(
	struct device *d, const char *name, struct found *ret, struct error *e);
void found_release(struct found *f);
#define autofound CLEANUP(found_release) struct found

/*
 * Append the text of one regular file of a release to `out`: E_NOTFOUND when the release
 * has no such path, E_INPUT when it is no regular file or too large to show.
 */
int lookup_file(struct device *d, const struct found *f, const char *path,
	struct buf *out, struct error *e);

#endif
