/* SPDX-License-Identifier: MIT */
/* See limits.h. */
#include "store/limits.h"

#include "base/sanitizers.h"

static const struct limit limits[] = {
	{ "core", RLIMIT_CORE, 0, false }, /* it holds passwords and keys */
	{ "files", RLIMIT_NOFILE, LIMIT_FILES, false },
	{ "file-size", RLIMIT_FSIZE, LIMIT_FILE_SIZE, false },
	{ "threads", RLIMIT_NPROC, LIMIT_THREADS, true },
#if !SANITIZERS
	{ "memory", RLIMIT_DATA, LIMIT_MEMORY, false },
#endif
};

const struct limit *limits_all(size_t *ret_n)
{
	*ret_n = sizeof(limits) / sizeof(limits[0]);
	return limits;
}

int limit_set(const struct limit *l)
{
	struct rlimit now;
	struct rlimit wanted = { l->max, l->max };

	if (getrlimit((__rlimit_resource_t)l->resource, &now) < 0)
		return -1;
	/* Root without CAP_SYS_RESOURCE (osupdated.service) can raise none. */
	if (now.rlim_max < l->max)
		wanted = (struct rlimit){ now.rlim_max, now.rlim_max };
	return setrlimit((__rlimit_resource_t)l->resource, &wanted);
}
