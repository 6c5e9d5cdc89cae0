/* SPDX-License-Identifier: MIT */
/* What the boot loader did since the record was written. */
#ifndef UPDATE_OBSERVE_H
#define UPDATE_OBSERVE_H

#include "update/device.h"

/*
 * Compare what is booted with what the record expects: begin a trial, tell a fallback
 * with its cause, finish a confirm that was interrupted.  Opened for reading, only `d`
 * changes.
 */
int observe(struct device *d, struct error *e);

#endif
