/* SPDX-License-Identifier: MIT */
/*
 * What the store process may take of the machine, set by root before it runs
 * (process.c): more is an error there, and the machine's other work goes on.
 */
#ifndef STORE_LIMITS_H
#define STORE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

#define LIMIT_FILES 256 /* descriptors: 64 packs, connections, and room */
/* Memory that is its own; mapped packs and spools do not count.  Eight readers, each with
 * the largest piece, its base and its delta (48 MiB) and a stack, and libgit2's cache. */
#define LIMIT_MEMORY ((rlim_t)768 << 20)
/* A file: no pack and no kept stream is larger than the largest slot. */
#define LIMIT_FILE_SIZE ((rlim_t)32 << 30)
/* Threads of its user, over all store processes: a dozen each. */
#define LIMIT_THREADS 512

struct limit {
	const char *name;
	int resource; /* RLIMIT_* */
	rlim_t max;
	bool of_user; /* counts what else the user runs, so only for one of its own */
};

/* All of them; sanitizers need terabytes of memory, so theirs lack that one. */
const struct limit *limits_all(size_t *ret_n);

/* Hard and soft; a lower one that is there stays.  Async-signal-safe; errno. */
int limit_set(const struct limit *l);

#endif
