/* SPDX-License-Identifier: MIT */
/* Frames of the store protocol: see frame.h. */
#include "store/frame.h"

#include <assert.h>
#include <errno.h>

#include "base/io.h"

/* Room for several frames, so that a partial one is rarely moved to the front. */
#define FRAME_READER_SIZE (4u * (FRAME_HEAD + FRAME_MAX))

void frame_reader_init(struct frame_reader *r)
{
	*r = (struct frame_reader){ .data = xmalloc(FRAME_READER_SIZE) };
}

void frame_reader_release(struct frame_reader *r)
{
	if (!r)
		return;
	free(r->data);
	*r = (struct frame_reader){ 0 };
}

int frame_next(struct frame_reader *r, struct frame *ret, struct error *e)
{
	size_t have = r->end - r->start;
	uint32_t size;

	if (have < FRAME_HEAD)
		return 0;
	size = le32_get(r->data + r->start);
	if (size > FRAME_MAX)
		return err_set(e, E_REMOTE, "a frame claims to be %u bytes long", size);
	if (have - FRAME_HEAD < size)
		return 0;
	ret->type = r->data[r->start + 4];
	ret->payload = (struct bytes){ r->data + r->start + FRAME_HEAD, size };
	r->start += FRAME_HEAD + size;
	return 1;
}

int frame_fill(struct frame_reader *r, int fd, size_t *ret_n, struct error *e)
{
	int err;

	if (r->start == r->end)
		r->start = r->end = 0;
	if (FRAME_READER_SIZE - r->start < FRAME_HEAD + FRAME_MAX) {
		memmove(r->data, r->data + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	err = io_read(fd, r->data + r->end, FRAME_READER_SIZE - r->end, ret_n, e);
	if (err == 0)
		r->end += *ret_n;
	return err;
}

void frame_head(unsigned char out[FRAME_HEAD], enum frame_type type, size_t size)
{
	assert(size <= FRAME_MAX);
	le32_put(out, (uint32_t)size);
	out[4] = (unsigned char)type;
}

void frame_put(struct buf *out, enum frame_type type, struct bytes a, struct bytes b)
{
	unsigned char head[FRAME_HEAD];

	frame_head(head, type, a.size + b.size);
	buf_add(out, head, sizeof(head));
	buf_add(out, a.data, a.size);
	buf_add(out, b.data, b.size);
}

int frame_writev(int fd, struct iovec *iov, int n, struct error *e)
{
	while (n > 0) {
		ssize_t done = writev(fd, iov, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "write");
		while (n > 0 && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int frame_send(
	int fd, enum frame_type type, struct bytes a, struct bytes b, struct error *e)
{
	unsigned char head[FRAME_HEAD];
	/* writev only reads; the type has no const. */
	struct iovec iov[] = {
		{ head, sizeof(head) },
		{ (void *)(uintptr_t)a.data, a.size },
		{ (void *)(uintptr_t)b.data, b.size },
	};

	frame_head(head, type, a.size + b.size);
	return frame_writev(fd, iov, 3, e);
}

void want_head_put(unsigned char out[WANT_HEAD], const struct want_head *w)
{
	le32_put(out, w->id);
	out[4] = w->is_piece;
	memcpy(out + 5, w->digest.b, DIGEST_SIZE);
	le64_put(out + 5 + DIGEST_SIZE, w->size);
}

void want_head_get(const unsigned char in[WANT_HEAD], struct want_head *ret)
{
	ret->id = le32_get(in);
	ret->is_piece = in[4] != 0;
	memcpy(ret->digest.b, in + 5, DIGEST_SIZE);
	ret->size = le64_get(in + 5 + DIGEST_SIZE);
}
