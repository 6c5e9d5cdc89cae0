/* SPDX-License-Identifier: MIT */
/*
 * POSIX ACLs: from the text that tars carry to the bytes of the kernel's
 * system.posix_acl_* attributes, and back.  Formats: acl(5); Linux
 * include/uapi/linux/posix_acl_xattr.h; star(1), SCHILY.acl.
 */
#ifndef BUILD_ACL_H
#define BUILD_ACL_H

#include "base/buf.h"
#include "base/error.h"

/*
 * "user::rwx,user:1000:r--,group::r-x,mask::r-x,other::---", entries apart by comma or
 * newline; an id may also follow the permissions ("user:lisa:r--:1000").  Appends the
 * raw form; nothing for an empty text, and with `access` nothing for three entries
 * alone, which the mode says already.  Errors: E_INPUT malformed, or a name without a
 * number.
 */
int acl_from_text(struct bytes text, bool access, struct buf *ret_raw, struct error *e);

/* The text with numbers alone, by commas; false when `raw` is no ACL of version 2. */
bool acl_to_text(struct bytes raw, struct buf *out);

#endif
