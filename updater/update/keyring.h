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
 * Revocations: `revoked` beside the signers file and in <state>/trust, together.
 * Every file must belong to root.  Errors: E_NOTFOUND, E_UNTRUSTED, E_INPUT.
 */
int keyring_load(struct device *d, struct error *e);

#endif
