/* SPDX-License-Identifier: MIT */
/* Lost or damaged records are rebuilt from what the slots say of themselves. */
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

/*
 * The record of one slot could not be read: made anew from the slot's own proof.  The
 * proof is removed before the first change to a slot and written after the last, so a
 * slot that has one is sealed.  Without a proof the record stays as it is in memory.
 */
void recover_record(struct device *d, int index);

#endif
