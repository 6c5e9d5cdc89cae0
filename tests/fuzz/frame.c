/* SPDX-License-Identifier: MIT */
/*
 * Frames cut out of a stream, as both sides of the store protocol do it: however the
 * bytes arrive, the same frames come out.  The first byte says how many bytes arrive at a
 * time.
 */
#include <sys/socket.h>

#include "fuzz.h"
#include "store/frame.h"

#define READER_SIZE ((size_t)4 * (FRAME_HEAD + FRAME_MAX))

/* The frame at `in`, by the grammar in protocol.h: as frame_next. */
static int cut(struct bytes *in, struct frame *ret)
{
	uint32_t size;

	if (in->size < FRAME_HEAD)
		return 0;
	size = le32_get(in->data);
	if (size > FRAME_MAX)
		return E_REMOTE;
	if (in->size - FRAME_HEAD < size)
		return 0;
	*ret = (struct frame){ in->data[4], { in->data + FRAME_HEAD, size } };
	in->data += FRAME_HEAD + size;
	in->size -= FRAME_HEAD + size;
	return 1;
}

static void check_want(struct bytes payload)
{
	unsigned char again[WANT_HEAD];
	struct want_head w;

	if (payload.size < WANT_HEAD)
		return;
	want_head_get(payload.data, &w);
	want_head_put(again, &w);
	/* Every value but 0 is taken for true, and put as 1. */
	assert(memcmp(again, payload.data, 4) == 0 && again[4] == (payload.data[4] != 0));
	assert(memcmp(again + 5, payload.data + 5, WANT_HEAD - 5) == 0);
}

/* All frames that are there now: as many as `cut` finds.  Negative at a bad one. */
static int take_frames(struct frame_reader *r, struct bytes *in)
{
	struct frame want = { 0 };
	struct frame got = { 0 };
	int n;

	for (;;) {
		n = frame_next(r, &got, NULL);
		if (n <= 0)
			return n;
		assert(cut(in, &want) == 1 && got.type == want.type);
		assert(bytes_same(got.payload, want.payload));
		check_want(got.payload);
	}
}

/* A frame that was read is sent, and read again. */
static void send_again(struct frame_reader *r, const int pair[2], const struct frame *f)
{
	size_t half = f->payload.size / 2;
	struct bytes a = { f->payload.data, half };
	struct bytes b = { f->payload.data + half, f->payload.size - half };
	autobuf put = { 0 };
	struct frame got;
	size_t n;

	assert(frame_send(pair[1], f->type, a, b, NULL) == 0);
	frame_put(&put, f->type, a, b);
	r->start = r->end = 0;
	assert(frame_fill(r, pair[0], &n, NULL) == 0 && n == put.size);
	assert(memcmp(put.data, r->data, n) == 0 && frame_next(r, &got, NULL) == 1);
	assert(got.type == f->type && bytes_same(got.payload, f->payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frame_reader r;
	static int pair[2];
	struct bytes in = { data + 1, size - 1 };
	struct bytes rest = in;
	struct bytes all = in;
	struct frame f;
	size_t step;
	int n = 0;

	if (size == 0)
		return 0;
	/* Of packets: each read gets one. */
	if (!r.data) {
		frame_reader_init(&r);
		assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	}
	/* Some begin near the end of the reader's memory. */
	r.start = r.end = data[0] % 3 ? 0 : READER_SIZE - 3;
	if (r.start > 0 && in.size > 3) {
		memcpy(r.data + r.start, in.data, 3);
		r.end += 3;
		in.data += 3;
		in.size -= 3;
	}
	step = data[0] < 128 ? 1u + data[0] + in.size / 64 : in.size;
	while (n == 0 && in.size > 0) {
		size_t now = in.size < step ? in.size : step;
		size_t got = 0;

		assert(send(pair[1], in.data, now, 0) == (ssize_t)now);
		assert(frame_fill(&r, pair[0], &got, NULL) == 0 && got == now);
		in.data += now;
		in.size -= now;
		n = take_frames(&r, &rest);
	}
	assert(cut(&rest, &f) == n);
	if (cut(&all, &f) == 1)
		send_again(&r, pair, &f);
	return 0;
}
