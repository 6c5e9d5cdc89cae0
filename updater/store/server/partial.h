/* SPDX-License-Identifier: MIT */
/*
 * The part of a stream that is being received, in a file: it is no memory that a small
 * machine must have free, and whoever carries on finds it again, also after a reboot.
 *
 *   partial = path NUL-padded to 128 bytes, offset:u64, bytes that have come:u64,
 *             their CRC-32:u32, these
 *
 * The file stays mapped and is written over and over.  After a power cut any page may be
 * an older one, which the checksum tells.
 */
#ifndef SERVER_PARTIAL_H
#define SERVER_PARTIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Zeroed = closed. */
struct partial {
	unsigned char *map; /* NULL: closed */
	size_t size;
	size_t have;  /* of the part that is being received … */
	uint32_t crc; /* … and their checksum */
};

/* For parts of up to `largest` bytes; the disk space is there then. */
int partial_open(struct partial *p, size_t largest, struct error *e);
void partial_close(struct partial *p);

/* How much of the part of `path` at `offset` is here; from now on it is that part's. */
size_t partial_begin(struct partial *p, const char *path, uint64_t offset, size_t size);

/* Its bytes.  `n` more of them have come. */
unsigned char *partial_data(const struct partial *p);
void partial_came(struct partial *p, size_t n);

/* It is of no use: the next time it is asked for anew. */
void partial_forget(struct partial *p);

/* All has come: its disk space is free again when nobody has it open. */
void partial_remove(void);

#endif
