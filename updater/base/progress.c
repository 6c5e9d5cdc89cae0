/* SPDX-License-Identifier: MIT */
/* Progress and interruption: see progress.h. */
#include "base/progress.h"

#include <stdarg.h>
#include <stdio.h>

int progress_report(
	const struct progress *p, const struct progress_event *event, struct error *e)
{
	if (!p)
		return 0;
	if (p->report)
		p->report(p->ctx, event);
	return progress_check(p, e);
}

int progress_check(const struct progress *p, struct error *e)
{
	if (p && p->stop && *p->stop)
		return err_set(
			e, E_INTERRUPTED, "interrupted; run the command again to go on");
	return 0;
}

void progress_note(const struct progress *p, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (!p || !p->note)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->note(p->ctx, text);
}
