/* SPDX-License-Identifier: MIT */
/*
 * What a release adds to its kernel's command line: a text file of words, in as many
 * lines as one likes, with # comments; made one line of printable ASCII.
 */
#ifndef BASE_ARGUMENTS_H
#define BASE_ARGUMENTS_H

#include "base/buf.h"
#include "base/error.h"

#define ARGUMENTS_MAX	   512	 /* bytes: a boot loader keeps them in little space */
#define ARGUMENTS_FILE_MAX 65536 /* bytes of the file, comments and all */

/*
 * Append the words of `text` to `ret`, one space between them.  E_INPUT with the line:
 * bytes other than printable ASCII, more than ARGUMENTS_MAX, or words that the boot
 * loader's own configuration gives (osupdate.slot=, rauc.slot=, root=).
 */
int arguments_read(struct bytes text, struct buf *ret, struct error *e);

#endif
