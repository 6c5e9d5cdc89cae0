/* SPDX-License-Identifier: MIT */
/* Where releases come from, as text: which kind of place, and how to show it. */
#ifndef STORE_URL_H
#define STORE_URL_H

#include <stdbool.h>

#include "base/buf.h"

enum url_kind {
	URL_UNKNOWN, /* a scheme we do not speak, or a relative path */
	URL_HTTP,    /* http:// https:// */
	URL_GIT,     /* git:// */
	URL_SSH,     /* ssh:// or user@host:path */
	URL_LOCAL,   /* file:// or an absolute path */
};

enum url_kind url_kind(const char *url);

/* The path of a URL_LOCAL, owned by the caller; NULL for a broken %xx or another host. */
char *url_local_path(const char *url);

/* For messages: a password in it becomes "***". */
void url_print(const char *url, struct buf *out);

#endif
