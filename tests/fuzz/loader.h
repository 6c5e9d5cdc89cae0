/* SPDX-License-Identifier: MIT */
/* A boot loader's hook as a fuzz target: it is called as osupdate calls it. */
#ifndef TESTS_FUZZ_LOADER_H
#define TESTS_FUZZ_LOADER_H

#include "base/arguments.h"
#include "fuzz.h"

/* Where the loader keeps its state: once. */
void loader_init(void);
/* The file of kernel arguments of the release that is being installed. */
static inline void loader_arguments(struct bytes file)
{
	autobuf line = { 0 };
	bool valid = arguments_read(file, &line, NULL) == 0 && line.size > 0;

	assert(setenv("OSUPDATE_KERNEL_ARGUMENTS", valid ? line.data : "", 1) == 0);
}

/* That state, as the input has it. */
void loader_put(struct bytes input);

#endif
