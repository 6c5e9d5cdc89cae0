/* SPDX-License-Identifier: MIT */
/*
 * Extended headers of a tar, raw: libarchive reads times before 1970 wrongly and
 * converts names and ACLs, so what a release depends on is read here.
 * Format: POSIX.1-2017 pax, "pax Extended Header"; star(1) for SCHILY.*; GNU tar's
 * xheader.c for RHT.* and the escapes in attribute names; libarchive's
 * archive_write_set_format_pax.c for LIBARCHIVE.xattr.*.
 */
#ifndef BUILD_PAX_H
#define BUILD_PAX_H

#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "build/source.h"

/* What one entry's raw headers say; NULL or unset where they say nothing. */
struct pax {
	uint32_t mode; /* of the plain header: libarchive changes it by the ACL */
	char *path;
	char *sparse_path; /* GNU.sparse.name: then `path` is a stand-in */
	char *link;
	bool has_mtime;
	struct timespec mtime;
	struct inode attributes; /* only its xattrs */
	struct buf acl_access;	 /* text */
	struct buf acl_default;
	struct buf selinux; /* RHT.security.selinux */
};

void pax_release(struct pax *p);
#define autopax CLEANUP(pax_release) struct pax

/*
 * Read the records of one extended header into `p`; later ones win, but an attribute
 * may not stand twice.  Unknown keywords are left to libarchive.  Errors: E_INPUT.
 */
int pax_read(struct bytes records, struct pax *p, struct error *e);

/* A global header may hold comments only.  Errors: E_INPUT naming the keyword. */
int pax_check_global(struct bytes records, struct error *e);

/* Give the attributes and ACLs to `inode`; the raw form of an ACL wins.  E_INPUT. */
int pax_apply(struct pax *p, struct inode *inode, struct error *e);

/* "[-]seconds[.fraction]", counted forward: "-1.5" is { -2, 500000000 }. */
bool pax_time(struct bytes text, struct timespec *ret);

#endif
