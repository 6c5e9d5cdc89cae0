/* SPDX-License-Identifier: MIT */
#ifndef CMD_REBOOT_H
#define CMD_REBOOT_H

#include "base/error.h"

/* Ask for a reboot and return; E_SYSTEM says to do it by hand. */
int reboot_now(struct error *e);

#endif
