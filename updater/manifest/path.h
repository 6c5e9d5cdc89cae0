/* SPDX-License-Identifier: MIT */
/*
 * Paths of a release: which are valid, how they sort, which are reserved, and
 * which git could misread and are therefore *escaped* (their contents stand in
 * usr/lib/osupdate/blobs/).  Paths are raw bytes without NUL, relative, "." is
 * the root.  Format: doc/formats.md#manifest.
 */
#ifndef MANIFEST_PATH_H
#define MANIFEST_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"

#define PATH_BYTES_MAX 4095 /* bytes, as PATH_MAX less its NUL */
#define NAME_BYTES_MAX 255

#define PATH_OWN      "usr/lib/osupdate" /* the directory osupdate keeps its things in */
#define PATH_MANIFEST "usr/lib/osupdate/manifest"
#define PATH_RELEASE  "usr/lib/osupdate/release"
#define PATH_BLOBS    "usr/lib/osupdate/blobs"

/* NULL when fine ("." included), else why not ("empty component", ...). */
const char *path_fault(const char *path, size_t n);

/* Manifest order: bytes, with '/' below every other byte; "." first. */
int path_compare(const char *a, const char *b);

/* `path` is `dir` or lies below it ("." holds everything). */
bool path_within(const char *path, const char *dir);

/* Never listed: the three reserved names and all below blobs. */
bool path_is_reserved(const char *path);

/* Some component could be taken for .git or a .git* file by git on any system. */
bool path_is_escaped(const char *path);

/* "usr/lib/osupdate/blobs/ab/abcd...": where contents of escaped paths and pieces stand. */
#define PATH_BLOB_MAX (sizeof(PATH_BLOBS) + 1 + 2 + 1 + DIGEST_HEX_MAX)
void path_blob(const struct digest *d, char out[PATH_BLOB_MAX]);

#endif
