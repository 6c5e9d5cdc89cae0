/* SPDX-License-Identifier: MIT */
/* See stream-compress.h. */
#include "build/stream-compress.h"

#include "base/cleanup.h"

static int zstd_error(struct error *e, size_t code)
{
	return err_set(e, E_SYSTEM, "zstd: %s", ZSTD_getErrorName(code));
}

static int log2_above(size_t n)
{
	int log = 10;

	while (log < 26 && (size_t)1 << log < n)
		log++;
	return log;
}

/* Parameters as `zstd --patch-from` chooses them: the window holds base and content. */
static size_t set_up(ZSTD_CCtx *c, int level, struct bytes base, size_t size)
{
	int window = log2_above(base.size + size);
	const ZSTD_cParameter what[] = { ZSTD_c_compressionLevel, ZSTD_c_windowLog,
		ZSTD_c_enableLongDistanceMatching, ZSTD_c_dictIDFlag };
	const int value[] = { level, window, base.size > 0 && window > 21, 0 };
	size_t r = ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);

	for (size_t i = 0; !ZSTD_isError(r) && i < sizeof(what) / sizeof(what[0]); i++)
		r = ZSTD_CCtx_setParameter(c, what[i], value[i]);
	if (!ZSTD_isError(r))
		r = ZSTD_CCtx_setPledgedSrcSize(c, size);
	if (!ZSTD_isError(r) && base.size > 0)
		r = ZSTD_CCtx_refPrefix(c, base.data, base.size);
	return r;
}

int stream_compress(ZSTD_CCtx *c, int level, struct bytes base, struct bytes data,
	void **ret, size_t *ret_n, struct error *e)
{
	size_t bound = ZSTD_compressBound(data.size);
	autofree void *out = xmalloc(bound);
	size_t r = set_up(c, level, base, data.size);

	if (!ZSTD_isError(r))
		r = ZSTD_compress2(c, out, bound, data.data, data.size);
	if (ZSTD_isError(r))
		return zstd_error(e, r);
	*ret = xreallocarray(take_ptr(&out), r ? r : 1, 1);
	*ret_n = r;
	return 0;
}
