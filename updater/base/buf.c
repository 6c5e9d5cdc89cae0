/* SPDX-License-Identifier: MIT */
/* Allocation and growable buffers: see buf.h. */
#include "base/buf.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *alive(void *p)
{
	if (!p) {
		static const char text[] = "osupdate: out of memory\n";

		(void)!write(STDERR_FILENO, text, sizeof(text) - 1); /* dying anyway */
		abort();
	}
	return p;
}

void *xmalloc(size_t size)
{
	return alive(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return alive(calloc(n ? n : 1, size ? size : 1));
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	return alive(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return alive(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return alive(strndup(s, n));
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return alive(n < 0 ? NULL : s);
}

void memory_keep(void)
{
	static const int all = 64 << 20; /* more than is ever freed at a time */

	/* Both, or the C library moves large blocks out of the heap.  A refusal costs
	 * time only. */
	(void)mallopt(M_MMAP_THRESHOLD, all);
	(void)mallopt(M_TRIM_THRESHOLD, all);
}

void memory_return(void)
{
	(void)malloc_trim(0);
}

void buf_reserve(struct buf *b, size_t more)
{
	size_t need;

	if (__builtin_add_overflow(b->size, more, &need) ||
		__builtin_add_overflow(need, 1, &need))
		(void)alive(NULL);
	if (need <= b->cap)
		return;
	if (need < b->cap * 2)
		need = b->cap * 2;
	if (need < 64)
		need = 64;
	b->data = xreallocarray(b->data, need, 1);
	b->cap = need;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
	buf_reserve(b, size);
	if (size)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	buf_reserve(b, (size_t)n);
	va_start(ap, fmt);
	(void)vsnprintf(b->data + b->size, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->size += (size_t)n;
}

void buf_reset(struct buf *b)
{
	b->size = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buf_release(struct buf *b)
{
	if (!b)
		return;
	free(b->data);
	*b = (struct buf){ 0 };
}

char *buf_take(struct buf *b)
{
	char *data = b->data ? b->data : xstrdup("");

	*b = (struct buf){ 0 };
	return data;
}
