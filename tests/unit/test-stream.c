/* SPDX-License-Identifier: MIT */
/* The format of release streams: what is printed is read, what is odd is refused. */
#include <criterion/criterion.h>

#include "base/le.h"
#include "stream/catalog.h"
#include "stream/stream.h"

static const struct stream_prologue prologue = {
	.target = { { 1, 2, 3 } },
	.source = { { 4, 5, 6 } },
	.head_stored = 10,
	.head_length = 20,
	.index_stored = 30,
	.index_length = 40,
	.frames_stored = 100 + 200 + 300,
	.contents_length = 1000 + 2000,
};

static struct stream_content content(unsigned char first, uint32_t size)
{
	struct stream_content c = { .digest = { { first } }, .size = size };

	return c;
}

/* One slice; a frame of two contents; one of a content with two bases. */
static void print_index(struct buf *raw)
{
	const struct stream_slice slice = {
		.stored = 100, .length = 500, .base_length = 400, .base_offset = 7
	};
	const struct stream_content two[] = { content(1, 400), content(2, 600) };
	const struct stream_content one[] = { content(3, 2000) };
	const struct stream_content bases[] = { content(4, 1500), content(5, 1) };
	const struct stream_frame a = { .stored = 200, .length = 1000, .n_contents = 2 };
	const struct stream_frame b = {
		.stored = 300, .length = 2000, .n_contents = 1, .n_bases = 2
	};

	stream_index_begin(raw, &slice, 1);
	stream_index_add(raw, &a, two, NULL);
	stream_index_add(raw, &b, one, bases);
}

Test(stream, prologue_is_read_as_it_was_printed)
{
	unsigned char text[STREAM_PROLOGUE];
	struct stream_prologue got;
	struct error e = { 0 };

	stream_prologue_print(&prologue, text);
	cr_assert_eq(stream_prologue_parse(text, &got, &e), 0, "%s", e.text);
	cr_assert(oid_equal(&got.target, &prologue.target));
	cr_assert(oid_equal(&got.source, &prologue.source));
	cr_assert_eq(got.frames_stored, prologue.frames_stored);
	cr_assert_eq(got.contents_length, prologue.contents_length);
	cr_assert(stream_has_source(&got));
	cr_assert_eq(stream_frames_at(&got), STREAM_PROLOGUE + 10 + 30);
	cr_assert_eq(stream_size(&got), STREAM_PROLOGUE + 10 + 30 + 600);
}

Test(stream, prologue_of_something_else_is_refused)
{
	/* where, and what stands there then */
	static const struct {
		size_t at;
		uint32_t value;
		const char *says;
	} cases[] = {
		{ 0, 0, "not a release stream" },
		{ 16, 2, "version 2" },
		{ 20, 1, "version" },
		{ 64, STREAM_HEAD_MAX + 1, "larger than any" },
		{ 68, STREAM_HEAD_MAX + 1, "larger than any" },
		{ 72, STREAM_INDEX_MAX + 1, "larger than any" },
		{ 76, STREAM_INDEX_MAX + 1, "larger than any" },
		{ 84, UINT32_MAX, "larger than any" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char text[STREAM_PROLOGUE];
		struct stream_prologue got;
		struct error e = { 0 };

		stream_prologue_print(&prologue, text);
		le32_put(text + cases[i].at, cases[i].value);
		cr_expect_eq(stream_prologue_parse(text, &got, &e), E_INPUT, "%zu", i);
		cr_expect(strstr(e.text, cases[i].says), "%zu: %s", i, e.text);
	}
}

Test(stream, index_is_read_as_it_was_printed)
{
	struct stream_index x = { 0 };
	struct stream_content c;
	struct error e = { 0 };
	struct buf raw = { 0 };

	print_index(&raw);
	cr_assert_eq(stream_index_parse(&raw, &prologue, &x, &e), 0, "%s", e.text);
	cr_assert_null(raw.data);
	cr_assert_eq(x.n_slices, 1);
	cr_assert_eq(x.slices[0].offset, stream_frames_at(&prologue));
	cr_assert_eq(x.slices[0].base_length, 400);
	cr_assert_eq(x.slices[0].base_offset, 7);
	cr_assert_eq(x.n_frames, 2);
	cr_assert_eq(x.frames[0].offset, stream_frames_at(&prologue) + 100);
	cr_assert_eq(x.frames[1].offset, stream_frames_at(&prologue) + 300);
	cr_assert_eq(x.frames[1].first, 2);
	c = stream_frame_content(&x, &x.frames[0], 1);
	cr_assert(c.digest.b[0] == 2 && c.size == 600);
	c = stream_frame_base(&x, &x.frames[1], 1);
	cr_assert(c.digest.b[0] == 5 && c.size == 1);
	stream_index_release(&x);
}

/* Offsets in what print_index prints: slice at 4, frames at 28 and 116. */
Test(stream, index_that_does_not_add_up_is_refused)
{
	static const struct {
		size_t at;
		uint32_t value;
		const char *why;
	} cases[] = {
		{ 0, 0, "no slice" },
		{ 0, 9, "more slices than bytes" },
		{ 4, 0, "a slice of nothing" },
		{ 8, STREAM_FRAME_MAX + 1, "a slice too long" },
		{ 12, STREAM_FRAME_MAX + 1, "a base too long" },
		{ 16, 1, "reserved" },
		{ 24, UINT32_MAX, "a base nowhere" },
		{ 28, 0, "a frame of nothing" },
		{ 28, STREAM_STORED_MAX + 1, "stored too long" },
		{ 28, 201, "not the prologue's sum" },
		{ 32, 0, "inflates to nothing" },
		{ 32, 1001, "contents are less" },
		{ 36, 0, "no contents" },
		{ 36, UINT32_MAX, "too many contents" },
		{ 40, STREAM_BASES_MAX + 1, "too many bases" },
		{ 40, 1000, "bases beyond the end" },
		{ 76, 0, "an empty content" },
		{ 76, 401, "contents are more" },
		{ 116 + 16 + 36 + 32, 0, "an empty base" },
		{ 116 + 16 + 36 + 32, STREAM_FRAME_MAX, "bases over the limit" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stream_index x = { 0 };
		struct error e = { 0 };
		struct buf raw = { 0 };

		print_index(&raw);
		le32_put((unsigned char *)raw.data + cases[i].at, cases[i].value);
		cr_expect_eq(stream_index_parse(&raw, &prologue, &x, &e), E_INPUT, "%s",
			cases[i].why);
	}
}

Test(stream, index_cut_anywhere_is_refused)
{
	struct buf whole = { 0 };

	print_index(&whole);
	for (size_t n = 0; n < whole.size; n++) {
		struct stream_index x = { 0 };
		struct error e = { 0 };
		struct buf raw = { 0 };

		buf_add(&raw, whole.data, n);
		cr_expect_eq(
			stream_index_parse(&raw, &prologue, &x, &e), E_INPUT, "%zu", n);
	}
	buf_release(&whole);
}

Test(stream, head_gives_commits_and_their_tags)
{
	enum stream_item kind;
	struct error e = { 0 };
	autobuf head = { 0 };
	struct bytes raw;
	size_t at = 0;

	stream_head_add(&head, STREAM_COMMIT, bytes_of("newest"));
	stream_head_add(&head, STREAM_TAG, bytes_of("tag"));
	stream_head_add(&head, STREAM_COMMIT, bytes_of(""));
	cr_assert_eq(stream_head_next(buf_bytes(&head), &at, &kind, &raw, &e), 1);
	cr_assert(kind == STREAM_COMMIT && raw.size == 6);
	cr_assert_eq(stream_head_next(buf_bytes(&head), &at, &kind, &raw, &e), 1);
	cr_assert(kind == STREAM_TAG && memcmp(raw.data, "tag", 3) == 0);
	cr_assert_eq(stream_head_next(buf_bytes(&head), &at, &kind, &raw, &e), 1);
	cr_assert(kind == STREAM_COMMIT && raw.size == 0);
	cr_assert_eq(stream_head_next(buf_bytes(&head), &at, &kind, &raw, &e), 0);
}

Test(stream, head_of_another_shape_is_refused)
{
	static const struct {
		const char *text;
		size_t size;
	} cases[] = {
		{ "", 0 },		/* empty */
		{ "t\0\0\0\0", 5 },	/* a tag on nothing */
		{ "x\0\0\0\0", 5 },	/* neither */
		{ "c\0\0\0", 4 },	/* cut in its size */
		{ "c\5\0\0\0abcd", 9 }, /* cut in its contents */
		{ "c\377\377\377\377", 5 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes head = { (const unsigned char *)cases[i].text,
			cases[i].size };
		enum stream_item kind;
		struct error e = { 0 };
		struct bytes raw;
		size_t at = 0;

		cr_expect_eq(
			stream_head_next(head, &at, &kind, &raw, &e), E_INPUT, "%zu", i);
	}
}

#define ID_0 "0000000000000000000000000000000000000000"
#define ID_A "1111111111111111111111111111111111111111"
#define ID_B "2222222222222222222222222222222222222222"

Test(catalog, is_printed_as_it_was_read)
{
	static const char text[] = "osupdate-streams 1\nfull 500 90\nfrom " ID_A
				   " 100 30\nfrom " ID_B " 70 20\n";
	autocatalog c = { 0 };
	autobuf out = { 0 };
	struct error e = { 0 };
	struct oid id;

	cr_assert_eq(catalog_parse(bytes_of(text), &c, &e), 0, "%s", e.text);
	catalog_print(&c, &out);
	cr_assert_str_eq(out.data, text);
	cr_assert(oid_parse(ID_B, 40, &id));
	cr_assert_eq(catalog_find(&c, &id)->size, 70);
	cr_assert_eq(catalog_find(&c, NULL)->size, 500);
	id.b[0] = 0;
	cr_assert_null(catalog_find(&c, &id));
}

Test(catalog, puts_streams_in_their_place_once)
{
	struct catalog_stream s = { .size = 1 };
	autocatalog c = { 0 };
	autobuf out = { 0 };

	for (int i = 0; i < 2; i++) {
		s.size++;
		cr_assert(oid_parse(ID_B, 40, &s.source));
		catalog_put(&c, &s);
		s.source = (struct oid){ 0 };
		catalog_put(&c, &s);
		cr_assert(oid_parse(ID_A, 40, &s.source));
		catalog_put(&c, &s);
	}
	catalog_print(&c, &out);
	cr_assert_str_eq(out.data,
		"osupdate-streams 1\nfull 3 0\nfrom " ID_A " 3 0\nfrom " ID_B " 3 0\n");
}

Test(catalog, other_text_is_refused)
{
	static const char *const cases[] = {
		"",
		"osupdate-streams 2\nfull 1 1\n",
		"osupdate-streams 1\n",
		"osupdate-streams 1\nfull 1 1",
		"osupdate-streams 1\nfull 1\n",
		"osupdate-streams 1\nfull 1 2\n",
		"osupdate-streams 1\nfull 01 1\n",
		"osupdate-streams 1\nfull 1 1 1\n",
		"osupdate-streams 1\nfull 1 1 \n",
		"osupdate-streams 1\nfrom " ID_A " 1 1\n",
		"osupdate-streams 1\nfull 1 1\nfull 1 1\n",
		"osupdate-streams 1\nfull 1 1\nfrom " ID_B " 1 1\nfrom " ID_A " 1 1\n",
		"osupdate-streams 1\nfull 1 1\nfrom " ID_A " 1 1\nfrom " ID_A " 1 1\n",
		"osupdate-streams 1\nfull 1 1\nfrom " ID_0 " 1 1\n",
		"osupdate-streams 1\nfull 99999999999999999999 1\n",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autocatalog c = { 0 };
		struct error e = { 0 };

		cr_expect_eq(
			catalog_parse(bytes_of(cases[i]), &c, &e), E_INPUT, "%zu", i);
	}
}
