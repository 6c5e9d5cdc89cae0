/* SPDX-License-Identifier: MIT */
/* What a revoked key signed binds nobody any more. */
#ifndef UPDATE_DISTRUST_H
#define UPDATE_DISTRUST_H

#include "update/device.h"

/*
 * A thief may have signed a release with the highest serial there is, or the latest time,
 * so that nothing could ever follow it (TUF calls it fast-forward).  Once his key is
 * revoked:
 * - a release of it that waits to be tried is not tried;
 * - denials of its releases hold back no other release;
 * - a floor that one of them set is found again, from what slots hold that the boot
 * loader calls good and a trusted key signed; none at all is told, as for a lost record.
 * Nothing is done for keys that are not revoked, and nothing twice.  For a device that is
 * open for writing.  Errors: those of saving the record.
 */
int distrust_revoked(struct device *d, struct error *e);

#endif
