/* SPDX-License-Identifier: MIT */
/*
 * A trial whose own osupdate does not work: it cannot open the device, or not tell the
 * boot loader, so no verdict can come.  doc/state-machine.md.
 */
#ifndef UPDATE_BLIND_H
#define UPDATE_BLIND_H

#include "update/device.h"

/*
 * That is `why`.  Is what is booted on trial, also if another boot armed it?  Returns 1:
 * its time is over, it is denied: reboot, so that the boot loader goes back once its
 * attempts are used up; 0: not yet.  E_NOTFOUND: not that we know, or rebooting has not
 * helped.  Other errors: those of device_open_record.
 */
int blind_expire(const char *why, struct error *e);

#endif
