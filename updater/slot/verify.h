/* SPDX-License-Identifier: MIT */
/* Compare a mounted slot with a manifest, byte for byte. */
#ifndef SLOT_VERIFY_H
#define SLOT_VERIFY_H

#include "base/progress.h"
#include "manifest/manifest.h"

/* One difference: "etc/motd", "content", … */
struct finding {
	const char *path;
	const char *what; /* missing, extra, type, content, size, mode, owner, mtime,
			   * xattr, target, device, links */
	bool local;	  /* below a prefix the release lists in usr/lib/osupdate/local */
};

struct verify_sums {
	uint64_t entries;
	uint64_t bytes;
	uint64_t differences; /* without the local ones */
	uint64_t local;
};

/*
 * `root` is the slot's root directory.  lost+found at the root and osupdate's own
 * reserved names are not looked at.  Returns 0 with differences counted, or an error.
 */
int verify_slot(int root, struct bytes manifest,
	int (*each)(void *ctx, const struct finding *f, struct error *e), void *ctx,
	const struct progress *progress, struct verify_sums *ret, struct error *e);

/*
 * The file `name` of the slot's usr/lib/osupdate, appended to `ret`; false when the
 * manifest has no such file, it is over `max` bytes, or what stands there is not what was
 * signed.
 */
bool verify_read_own(
	int root, struct bytes manifest, const char *name, size_t max, struct buf *ret);

/*
 * The prefixes that machines fill themselves, from the slot's usr/lib/osupdate/local:
 * appended to `ret`, each with its NUL; nothing when the manifest has no such file, or
 * what stands there is not what was signed.
 */
void verify_read_local(int root, struct bytes manifest, struct buf *ret);
bool verify_is_local(const struct buf *local, const char *path);

/*
 * The proof a slot carries: reads PATH_RELEASE and PATH_MANIFEST beneath `root` and
 * appends their raw bytes (both untrusted).  E_NOTFOUND when the slot has none.
 */
int verify_read_proof(int root, struct buf *ret_proof, struct error *e);
/* Opens the slot's own manifest for mapping; E_NOTFOUND. */
int verify_open_manifest(int root, int *ret_fd, struct error *e);

#endif
