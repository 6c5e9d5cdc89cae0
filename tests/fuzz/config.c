/* SPDX-License-Identifier: MIT */
/*
 * The configuration.  It is read only when it, and all directories above it, belong to root:
 * so does build/corpus/config/current.
 */
#include <unistd.h>

#include "fuzz.h"
#include "store/url.h"
#include "update/config.h"

static char *file_of_root(int *ret_fd)
{
	autofree char *top = getcwd(NULL, 0);
	char *path = xasprintf("%s/build/corpus/config/current", top);

	*ret_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert(*ret_fd >= 0);
	return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *path;
	static int fd;
	struct config c;
	struct error e = { 0 };
	autobuf shown = { 0 };
	autofree char *local = NULL;

	if (!path)
		path = file_of_root(&fd);
	memory_put(fd, (struct bytes){ data, size });
	if (config_load(path, &c, &e) < 0) {
		assert(e.code == E_INPUT && e.text[0] && !c.file && !c.url &&
			!c.boot_keys);
		return 0;
	}
	assert((c.url || c.stream) && c.product && c.hook && c.channel && c.state &&
		c.boot_keys);
	assert(c.slots[0].device && c.slots[1].device);
	assert(strcmp(c.slots[0].bootname, c.slots[1].bootname) != 0);
	assert(c.interval_s > 0 && c.trial_timeout_s > 0 && c.stall_timeout_ms > 0);
	assert(c.hook_timeout_ms > 0 && c.check_timeout_ms > 0);
	if (c.url) {
		url_print(c.url, &shown);
		local = url_kind(c.url) == URL_LOCAL ? url_local_path(c.url) : NULL;
		assert(!local || local[0] == '/');
	}
	config_release(&c);
	return 0;
}
