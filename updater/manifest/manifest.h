/* SPDX-License-Identifier: MIT */
/*
 * The manifest: everything a slot contains.  Grammar (doc/formats.md#manifest):
 *
 *   manifest = "osupdate-manifest 1\n" entry+
 *   entry    = type SP mode SP uid SP gid SP mtime SP size SP ref SP path LF piece* xattr*
 *   piece    = "+ " size SP digest LF
 *   xattr    = "= " name SP ( base64 / "-" ) LF
 *
 * There is one canonical form: the reader refuses what the printer would not
 * print.  A reader works on memory it borrows (usually a mapped file) and keeps
 * memory for one entry only, so a manifest may be as long as it likes.
 */
#ifndef MANIFEST_MANIFEST_H
#define MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/digest.h"
#include "base/error.h"
#include "manifest/path.h"

#define MANIFEST_HEADER       "osupdate-manifest 1\n"
#define MANIFEST_SIZE_MAX     (UINT64_C(1) << 30) /* bytes of the whole manifest */
#define MANIFEST_ENTRIES_MAX  (1u << 22)
#define MANIFEST_FILE_MAX     (UINT64_C(1) << 42) /* size of one file, bytes */
#define MANIFEST_PIECE_MAX    (UINT64_C(16) << 20) /* files over this have pieces */
#define MANIFEST_XATTRS_MAX   128 /* per entry */
#define MANIFEST_XATTR_MAX    65536 /* bytes of one value (XATTR_SIZE_MAX) */
#define MANIFEST_TARGET_MAX   4095
#define MANIFEST_MAJOR_MAX    UINT32_C(0xfff) /* Linux keeps 12 bits of a major … */
#define MANIFEST_MINOR_MAX    UINT32_C(0xfffff) /* … and 20 of a minor */
#define MANIFEST_LINE_MAX     131072

enum entry_type {
	ENTRY_DIR = 'd',
	ENTRY_FILE = 'f',
	ENTRY_LINK = 'l', /* symbolic link */
	ENTRY_HARD = 'h', /* another name of an earlier f, l, c, b or p */
	ENTRY_CHAR = 'c',
	ENTRY_BLOCK = 'b',
	ENTRY_FIFO = 'p',
};

struct xattr {
	const char *name;
	const unsigned char *value;
	size_t size;
};

struct piece {
	uint64_t size;
	struct digest digest;
};

struct entry {
	enum entry_type type;
	uint32_t mode; /* permission bits with setuid, setgid, sticky: 07777 */
	uint32_t uid;
	uint32_t gid;
	struct timespec mtime; /* 0 <= tv_nsec < 1e9, counted forward */
	uint64_t size;         /* f: bytes */
	struct digest digest;  /* f: of the whole contents */
	uint32_t major;        /* c b */
	uint32_t minor;
	const char *path;
	const char *target; /* l: the link's text; h: first path of the group; else NULL */
	const struct piece *pieces;
	size_t n_pieces;
	const struct xattr *xattrs; /* sorted by name */
	size_t n_xattrs;
};

/*
 * Print one entry with its + and = lines.  The caller gives entries in order and
 * puts MANIFEST_HEADER first; nothing is checked here.
 */
void entry_print(const struct entry *entry, struct buf *out);

/* A path, link target or name as a manifest writes it. */
void path_print(const char *path, struct buf *out);

/* NULL when an xattr of this name belongs into a release, else why not. */
const char *xattr_fault(const char *name);

struct manifest_reader;

/*
 * Read `manifest` (borrowed; may be untrusted).  Each entry is checked for form,
 * limits, order and for having a directory above it, as it is reached.
 */
struct manifest_reader *manifest_reader_new(struct bytes manifest);
void manifest_reader_free(struct manifest_reader *r);
static inline void manifest_reader_cleanup(struct manifest_reader **r)
{
	manifest_reader_free(*r);
}
#define autoreader CLEANUP(manifest_reader_cleanup) struct manifest_reader *

/*
 * The next entry: 1 and *ret (whose pointers live until the next call), 0 at the
 * end, or E_INPUT naming line and path.
 */
int manifest_next(struct manifest_reader *r, struct entry *ret, struct error *e);

/* Where the entry last returned begins, in bytes. */
uint64_t manifest_offset(const struct manifest_reader *r);

/*
 * Read the single entry that begins at `offset` (from manifest_offset on the same
 * bytes).  Form is checked, order is not: for manifests that were checked before.
 */
int manifest_at(struct manifest_reader *r, uint64_t offset, struct entry *ret,
	struct error *e);

/*
 * Lines as they stand, without their newlines, from *at on (0 at first): for those who
 * look for few of them in a manifest that was checked before.  False at the end.
 */
bool manifest_line(struct bytes manifest, size_t *at, struct bytes *ret);

/* What a whole, fully checked manifest adds up to. */
struct manifest_sums {
	uint64_t entries;    /* all lines with a path */
	uint64_t inodes;     /* entries that are not 'h' */
	uint64_t directories;
	uint64_t file_bytes; /* sum of f sizes */
};

/*
 * Check everything, including what a stream cannot see: every h names an earlier
 * f, l, c, b or p that is itself not h.  Errors: E_INPUT.
 */
int manifest_check(struct bytes manifest, struct manifest_sums *ret, struct error *e);

/*
 * The entry of one path in a manifest that was checked before: 1 found, 0 not there, or
 * an error.  A search for the text, many times faster than reading the entries.
 */
int manifest_find(struct manifest_reader *r, const char *path, struct entry *ret,
	struct error *e);

#endif
