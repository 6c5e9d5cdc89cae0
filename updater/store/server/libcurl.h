/* SPDX-License-Identifier: MIT */
/*
 * libcurl, loaded when something is to be asked of a network: with the libraries it
 * brings it doubles the start of a store process, and most read only what is here. Called
 * as curl.easy_init() and so on, by the names and types of its headers.
 */
#ifndef SERVER_LIBCURL_H
#define SERVER_LIBCURL_H

#include <curl/curl.h>

#include "base/error.h"

#define LIBCURL_FUNCTIONS(X)                                                             \
	X(easy_cleanup)                                                                  \
	X(easy_getinfo)                                                                  \
	X(easy_init)                                                                     \
	X(easy_pause)                                                                    \
	X(easy_setopt)                                                                   \
	X(easy_strerror)                                                                 \
	X(global_init)                                                                   \
	X(multi_add_handle)                                                              \
	X(multi_cleanup)                                                                 \
	X(multi_info_read)                                                               \
	X(multi_init)                                                                    \
	X(multi_perform)                                                                 \
	X(multi_poll)                                                                    \
	X(multi_remove_handle)                                                           \
	X(slist_append)                                                                  \
	X(slist_free_all)

struct libcurl {
#define LIBCURL_MEMBER(name) __typeof__(curl_##name) *name;
	LIBCURL_FUNCTIONS(LIBCURL_MEMBER)
#undef LIBCURL_MEMBER
};

extern struct libcurl curl;

/* Load and initialise it; again is nothing.  E_SYSTEM: it is not installed. */
int libcurl_load(struct error *e);

#endif
