/* SPDX-License-Identifier: MIT */
/* A piece of untrusted text for an error message: short, and safe on a terminal. */
#ifndef TRUST_EXCERPT_H
#define TRUST_EXCERPT_H

#include "base/text.h"

#define EXCERPT_MAX 64 /* bytes before escaping */

/* The text is owned by `out`, which has to be empty. */
static inline const char *excerpt(struct bytes foreign, struct buf *out)
{
	bool cut = foreign.size > EXCERPT_MAX;

	if (cut)
		foreign.size = EXCERPT_MAX;
	text_escape(out, foreign, false);
	buf_adds(out, cut ? "..." : "");
	return out->data;
}

#endif
