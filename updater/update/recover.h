/* SPDX-License-Identifier: MIT */
/* A lost or damaged state record is rebuilt from what the slots say of themselves. */
#ifndef UPDATE_RECOVER_H
#define UPDATE_RECOVER_H

#include "update/device.h"

/*
 * Rebuild records and floor: the booted slot's own release is verified again and, when
 * it holds, gives the floor and the slot is marked good (idempotent); an inactive slot
 * with a readable release that the boot loader calls bad is denied.  Says what it did
 * through the progress notes and saves the new record.  A slot that cannot be read is
 * no error: the machine must come up.
 */
int recover_state(struct device *d, bool damaged, struct error *e);

#endif
