/* SPDX-License-Identifier: MIT */
/* Errors: see error.h.  Text is cut at the end when it grows too long. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void set_text(
	struct error *e, const char *fmt, va_list ap)
{
	if (vsnprintf(e->text, sizeof(e->text), fmt, ap) < 0)
		e->text[0] = '\0';
}

int err_set(struct error *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	e->code = code;
	e->sys = 0;
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	return code;
}

static enum err_code code_of_errno(int sys)
{
	if (sys == ENOSPC || sys == EDQUOT)
		return E_SPACE;
	if (sys == ENOENT)
		return E_NOTFOUND;
	return E_SYSTEM;
}

int err_sys(struct error *e, const char *fmt, ...)
{
	int sys = errno;
	enum err_code code = code_of_errno(sys);
	va_list ap;
	size_t used;

	if (!e)
		return code;
	e->code = code;
	e->sys = sys;
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(sys));
	return code;
}

int err_unsigned(struct error *e, int r)
{
	if (e)
		e->sys = ERR_UNSIGNED;
	return r;
}

int err_prefix(struct error *e, int r, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	va_list ap;
	size_t used;

	if (!e)
		return r;
	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	(void)snprintf(e->text + used, sizeof(e->text) - used, ": %.*s",
		(int)sizeof(old) - 1, old);
	return r;
}

int err_exit_code(int r)
{
	if (r >= 0)
		return 0;
	switch ((enum err_code)r) {
	case E_NOTHING:
		return 2;
	case E_UNTRUSTED:
		return 3;
	case E_BUSY:
		return 4;
	case E_STALE:
		return 5;
	case E_USAGE:
		return 64;
	case E_SYSTEM:
	case E_INPUT:
	case E_NOTFOUND:
	case E_SPACE:
	case E_REMOTE:
	case E_INTERRUPTED:
		return 1;
	}
	return 1;
}
