/* SPDX-License-Identifier: MIT */
/* The signers in force on this device, and every revocation anyone told it of. */
#ifndef UPDATE_KEYRING_H
#define UPDATE_KEYRING_H

#include "update/device.h"

#define KEYRING_SEED "/etc/osupdate/allowed_signers"

/*
 * With `signers =` in the configuration that file, pinned; else
 * <state>/trust/allowed_signers, seeded from KEYRING_SEED the first time (only when the
 * device is open for writing; before that the seed itself is read).
 * Revocations: `revoked` beside the signers file and in <state>/trust, together; what a
 * device that is open for writing finds in the one it adds to the other, so that they
 * only grow, whatever slot's files are looked at later.
 * Every file must belong to root.  Errors: E_NOTFOUND, E_UNTRUSTED, E_INPUT.
 */
int keyring_load(struct device *d, struct error *e);

/*
 * The booted release is being confirmed: what it carries in usr/lib/osupdate, as it was
 * signed, becomes this device's: `revoked` is added to <state>/trust's; when it is the
 * newest that ever was (of those that still count: distrust.h) `allowed_signers` takes
 * the place of <state>/trust's (not where `signers =` pins a file). A file of signers
 * that cannot be read is left alone.  What fails is told, and the keys stay as they were.
 */
void keyring_adopt(struct device *d);

#endif
