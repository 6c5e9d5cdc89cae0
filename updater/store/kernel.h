/* SPDX-License-Identifier: MIT */
/*
 * What the running kernel has to shut the store process in with: asked by the process
 * itself (server/sandbox.h), which does without what is not there, and by root, who tells
 * the operator.
 */
#ifndef STORE_KERNEL_H
#define STORE_KERNEL_H

#include <stdbool.h>

/* Landlock's version, or 0: none, or one before 5.19, with which no file could go to
 * another directory. */
int kernel_landlock(void);

/* Does it take seccomp filters? */
bool kernel_seccomp(void);

/*
 * What it cannot keep the store process from ("…"), so that only its user and lack of
 * capabilities do; NULL: nothing.
 */
const char *kernel_unconfined(void);

#endif
