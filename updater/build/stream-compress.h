/* SPDX-License-Identifier: MIT */
/* One zstd frame, with what it is made from as its prefix: stream/stream.h. */
#ifndef BUILD_STREAM_COMPRESS_H
#define BUILD_STREAM_COMPRESS_H

#include <zstd.h>

#include "base/buf.h"
#include "base/error.h"

/* *ret is to be freed.  `base` may be empty.  Errors: E_SYSTEM. */
int stream_compress(ZSTD_CCtx *c, int level, struct bytes base, struct bytes data,
	void **ret, size_t *ret_n, struct error *e);

#endif
