/* SPDX-License-Identifier: MIT */
/* libcurl when it is needed: see libcurl.h. */
#include "store/server/libcurl.h"

#include <dlfcn.h>
#include <string.h>

#define LIBRARY "libcurl.so.4" /* since 2006, with all that is used here since 7.85 */

struct libcurl curl;

static int find(void *library, const char *name, void *ret, struct error *e)
{
	void *symbol = dlsym(library, name);

	if (!symbol)
		return err_set(e, E_SYSTEM, "%s has no %s: install 7.85 or newer",
			LIBRARY, name);
	memcpy(ret, &symbol, sizeof(symbol)); /* dlsym(3): ISO C has no such cast */
	return 0;
}

int libcurl_load(struct error *e)
{
	struct libcurl found = { 0 };
	void *library;
	int r = 0;

	if (curl.global_init)
		return 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return err_set(
			e, E_SYSTEM, "%s: install it (Debian: libcurl4)", dlerror());
#define LIBCURL_FIND(name)                                                               \
	if (r == 0)                                                                      \
		r = find(library, "curl_" #name, &found.name, e);
	LIBCURL_FUNCTIONS(LIBCURL_FIND)
#undef LIBCURL_FIND
	if (r == 0 && found.global_init(CURL_GLOBAL_DEFAULT) != 0)
		r = err_set(e, E_SYSTEM, "%s cannot be initialised", LIBRARY);
	if (r == 0)
		curl = found;
	return r;
}
