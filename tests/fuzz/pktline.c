/* SPDX-License-Identifier: MIT */
/*
 * git's pkt-lines: the first byte says how many bytes arrive at a time.  That makes no
 * difference, and what was read reads the same when it is written again.
 */
#include "fuzz.h"
#include "store/server/pktline.h"

struct source {
	struct bytes in;
	size_t step;
};

static int some(void *ctx, void *data, size_t max, size_t *ret_n, struct error *e)
{
	struct source *s = ctx;
	size_t n = s->in.size < s->step ? s->in.size : s->step;

	(void)e;
	*ret_n = n = n < max ? n : max;
	if (n == 0)
		return 0;
	memcpy(data, s->in.data, n);
	s->in.data += n;
	s->in.size -= n;
	return 0;
}

static void put(struct buf *out, enum pktline_kind kind, struct bytes line)
{
	switch (kind) {
	case PKTLINE_DATA:
		buf_addf(out, "%04zx", line.size + 4);
		buf_add(out, line.data, line.size);
		break;
	case PKTLINE_FLUSH:
		pktline_add_flush(out);
		break;
	case PKTLINE_DELIM:
		pktline_add_delim(out);
		break;
	case PKTLINE_END:
		buf_adds(out, "0002");
		break;
	case PKTLINE_EOF:
		break;
	}
}

static int read_all(struct bytes in, size_t step, struct buf *ret)
{
	static struct pktline_reader r;
	struct source s = { in, step };
	enum pktline_kind kind = PKTLINE_DATA;
	struct bytes line;
	struct error e;

	r.some = some;
	r.ctx = &s;
	r.start = r.fill = 0;
	while (kind != PKTLINE_EOF) {
		int err = pktline_next(&r, &kind, &line, &e);

		if (err < 0)
			return err;
		assert(line.size <= PKTLINE_MAX && pktline_text(line).size <= line.size);
		assert(!pktline_starts(line, "ERR ", NULL) || line.size >= 4);
		put(ret, kind, line);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data + 1, size - 1 };
	autobuf at_once = { 0 };
	autobuf slowly = { 0 };
	autobuf again = { 0 };
	autobuf text = { 0 };
	int r;

	if (size == 0)
		return 0;
	r = read_all(in, in.size, &at_once);
	assert(read_all(in, 1u + data[0] + in.size / 256, &slowly) == r);
	assert(bytes_same(buf_bytes(&at_once), buf_bytes(&slowly)));
	assert(read_all(buf_bytes(&at_once), 4096, &again) == 0);
	assert(bytes_same(buf_bytes(&at_once), buf_bytes(&again)));
	assert(r < 0 || at_once.size == in.size);
	pktline_add(&text, "%.*s", (int)in.size, (const char *)in.data);
	assert(read_all(buf_bytes(&text), 4096, &again) == 0);
	return 0;
}
