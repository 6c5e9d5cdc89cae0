/* SPDX-License-Identifier: MIT */
/* How many bytes an update would download, before it does. */
#ifndef UPDATE_FORECAST_H
#define UPDATE_FORECAST_H

#include "update/device.h"

/*
 * For bringing `rel` into the slot that is not booted: 1 and *ret_bytes, or 0 when it
 * cannot be known (git).  May fetch the release's manifest, which an update needs, too.
 * Errors: as store_forecast and offer_manifest.
 */
int forecast_update(struct device *d, const struct release *rel, uint64_t *ret_bytes,
	struct error *e);

#endif
