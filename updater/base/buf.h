/* SPDX-License-Identifier: MIT */
/*
 * Memory: borrowed bytes, growable buffers, and allocation that cannot fail.
 * Out of memory ends the process (doc/decisions/0001): every step survives
 * being killed, so dying is the one reaction that is tested everywhere.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

/* Borrowed memory; nothing is said about a terminator. */
struct bytes {
	const unsigned char *data;
	size_t size;
};

/* Owned, growable; data[size] is always NUL once something was added. */
struct buf {
	char *data;
	size_t size;
	size_t cap;
};

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Between the two, freed memory stays with the process: where the same megabytes come and
 * go a thousand times, new pages cost as much as filling them.
 */
void memory_keep(void);
void memory_return(void);

void buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *data, size_t size);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Forget the contents, keep the memory. */
void buf_reset(struct buf *b);
/* Free the memory; takes zeroed buffers. */
void buf_release(struct buf *b);
/* Give the memory away ("" when empty); the buffer is zeroed. */
char *buf_take(struct buf *b);

#define autobuf CLEANUP(buf_release) struct buf

static inline struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){ (const unsigned char *)b->data, b->size };
}

static inline struct bytes bytes_of(const char *s)
{
	return (struct bytes){ (const unsigned char *)s, strlen(s) };
}

/* Grow an owned array `arr` of `n` elements (capacity `cap`) by one slot. */
#define ARRAY_GROW(arr, n, cap)                                                          \
	do {                                                                             \
		if ((n) == (cap)) {                                                      \
			(cap) = (cap) ? (cap) * 2 : 16;                                  \
			(arr) = xreallocarray((arr), (cap), sizeof(*(arr)));             \
		}                                                                        \
	} while (0)

#endif
