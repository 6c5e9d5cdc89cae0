/* SPDX-License-Identifier: MIT */
/* A boot loader's hook as a fuzz target: it is called as osupdate calls it. */
#ifndef TESTS_FUZZ_LOADER_H
#define TESTS_FUZZ_LOADER_H

#include "fuzz.h"

/* Where the loader keeps its state: once. */
void loader_init(void);
/* That state, as the input has it. */
void loader_put(struct bytes input);

#endif
