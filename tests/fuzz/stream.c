/* SPDX-License-Identifier: MIT */
/*
 * Everything that is parsed of a release stream's beginning and of a catalog: whatever
 * comes, no crash, and what is accepted keeps what the header promises and prints as it
 * came.
 */
#include "base/le.h"
#include "fuzz.h"
#include "stream/catalog.h"
#include "stream/stream.h"

static void check_index(const struct stream_index *x, const struct stream_prologue *p)
{
	uint64_t at = stream_frames_at(p);
	uint64_t length = 0;

	for (size_t i = 0; i < x->n_slices; i++) {
		assert(x->slices[i].offset == at);
		at += x->slices[i].stored;
	}
	for (size_t i = 0; i < x->n_frames; i++) {
		const struct stream_frame *f = &x->frames[i];
		uint64_t contents = 0;
		uint64_t bases = 0;

		assert(f->offset == at && f->length <= STREAM_FRAME_MAX);
		at += f->stored;
		for (uint32_t k = 0; k < f->n_contents; k++)
			contents += stream_frame_content(x, f, k).size;
		for (uint32_t k = 0; k < f->n_bases; k++)
			bases += stream_frame_base(x, f, k).size;
		assert(contents == f->length && bases <= STREAM_FRAME_MAX);
		length += contents;
	}
	assert(at == stream_size(p) && length == p->contents_length);
}

static void print_frame(
	const struct stream_index *x, const struct stream_frame *f, struct buf *out)
{
	struct stream_content *all =
		xcalloc((size_t)f->n_contents + f->n_bases + 1, sizeof(*all));

	for (uint32_t i = 0; i < f->n_contents; i++)
		all[i] = stream_frame_content(x, f, i);
	for (uint32_t i = 0; i < f->n_bases; i++)
		all[f->n_contents + i] = stream_frame_base(x, f, i);
	stream_index_add(out, f, all, all + f->n_contents);
	free(all);
}

/* `in`: a prologue and an index. */
static void check_print(
	const struct stream_index *x, const struct stream_prologue *p, struct bytes in)
{
	unsigned char head[STREAM_PROLOGUE];
	autobuf raw = { 0 };

	stream_prologue_print(p, head);
	assert(memcmp(head, in.data, STREAM_PROLOGUE) == 0);
	assert(stream_has_source(p) || p->source.b[0] == 0);
	stream_index_begin(&raw, x->slices, (uint32_t)x->n_slices);
	for (size_t i = 0; i < x->n_frames; i++)
		print_frame(x, &x->frames[i], &raw);
	assert(raw.size == in.size - STREAM_PROLOGUE);
	assert(memcmp(raw.data, in.data + STREAM_PROLOGUE, raw.size) == 0);
}

static void try_index(const uint8_t *data, size_t size)
{
	struct stream_prologue p;
	struct stream_index x;
	struct buf raw = { 0 };

	if (size < STREAM_PROLOGUE || stream_prologue_parse(data, &p, NULL) < 0)
		return;
	buf_add(&raw, data + STREAM_PROLOGUE, size - STREAM_PROLOGUE);
	if (stream_index_parse(&raw, &p, &x, NULL) < 0)
		return;
	check_index(&x, &p);
	check_print(&x, &p, (struct bytes){ data, size });
	stream_index_release(&x);
}

static void try_head(struct bytes head)
{
	enum stream_item kind;
	struct bytes raw;
	autobuf again = { 0 };
	size_t at = 0;

	while (stream_head_next(head, &at, &kind, &raw, NULL) == 1) {
		assert(raw.data + raw.size <= head.data + head.size);
		stream_head_add(&again, kind, raw);
	}
	assert(again.size == 0 || memcmp(again.data, head.data, again.size) == 0);
}

static void try_catalog(struct bytes text)
{
	autocatalog c = { 0 };
	autocatalog again = { 0 };
	autobuf out = { 0 };

	if (catalog_parse(text, &c, NULL) < 0)
		return;
	catalog_print(&c, &out);
	assert(bytes_same(buf_bytes(&out), text));
	/* Put together from its streams, in another order, it is the same. */
	for (size_t i = c.n; i-- > 0;) {
		const struct oid *source = &c.streams[i].source;

		assert(catalog_find(&c, source) == &c.streams[i]);
		catalog_put(&again, &c.streams[i]);
		catalog_put(&again, &c.streams[i]);
	}
	buf_reset(&out);
	catalog_print(&again, &out);
	assert(bytes_same(buf_bytes(&out), text));
	(void)catalog_find(&c, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		try_index(data + 1, size - 1);
		break;
	case 1:
		try_head((struct bytes){ data + 1, size - 1 });
		break;
	default:
		try_catalog((struct bytes){ data + 1, size - 1 });
	}
	return 0;
}
