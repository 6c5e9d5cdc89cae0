/* SPDX-License-Identifier: MIT */
/*
 * Frames of the store protocol (protocol.h): cutting a byte stream into frames and
 * putting them together.  Used by both sides; neither trusts the other's lengths.
 */
#ifndef STORE_FRAME_H
#define STORE_FRAME_H

#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/le.h"
#include "store/protocol.h"

/* `type` is whatever the other side sent: not always a value of enum frame_type. */
struct frame {
	uint8_t type;
	struct bytes payload; /* lives until the next frame_next or frame_fill */
};

struct frame_reader {
	unsigned char *data; /* FRAME_READER_SIZE bytes */
	size_t start;
	size_t end;
};

void frame_reader_init(struct frame_reader *r);
void frame_reader_release(struct frame_reader *r);

/* 1 and *ret; 0 when more bytes are needed; E_REMOTE for a length over FRAME_MAX. */
int frame_next(struct frame_reader *r, struct frame *ret, struct error *e);

/* One read(2).  *ret_n = 0: the other side has closed.  Only after frame_next said 0. */
int frame_fill(struct frame_reader *r, int fd, size_t *ret_n, struct error *e);

/* Append a frame whose payload is `a` followed by `b` (both at most FRAME_MAX together).
 */
void frame_put(struct buf *out, enum frame_type type, struct bytes a, struct bytes b);

/* Write a frame to a blocking socket, without copying the payload. */
int frame_send(
	int fd, enum frame_type type, struct bytes a, struct bytes b, struct error *e);

/* Write all of `iov`, which is consumed.  For several frames at once. */
int frame_writev(int fd, struct iovec *iov, int n, struct error *e);

void frame_head(unsigned char out[FRAME_HEAD], enum frame_type type, size_t size);

/* What a WANT frame says.  `path` is borrowed and not terminated. */
struct want_head {
	uint32_t id;
	bool is_piece;
	struct digest digest;
	uint64_t size;
};
void want_head_put(unsigned char out[WANT_HEAD], const struct want_head *w);
void want_head_get(const unsigned char in[WANT_HEAD], struct want_head *ret);

#endif
