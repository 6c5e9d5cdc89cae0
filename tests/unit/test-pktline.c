/* SPDX-License-Identifier: MIT */
/* pkt-lines as they come: in pieces, cut, and made by nobody. */
#include <criterion/criterion.h>

#include "store/server/pktline.h"

struct source {
	const char *data;
	size_t size;
	size_t piece; /* at most so many at a time */
};

static int some(void *ctx, void *data, size_t max, size_t *ret_n, struct error *e)
{
	struct source *s = ctx;

	(void)e;
	*ret_n = s->size < s->piece ? s->size : s->piece;
	*ret_n = *ret_n < max ? *ret_n : max;
	memcpy(data, s->data, *ret_n);
	s->data += *ret_n;
	s->size -= *ret_n;
	return 0;
}

static struct pktline_reader *reader(struct source *s)
{
	struct pktline_reader *r = xcalloc(1, sizeof(*r));

	r->some = some;
	r->ctx = s;
	return r;
}

/* All lines as text: "[line]" for data, F D E for the special ones, $ at the end. */
static int read_all(const char *data, size_t size, size_t piece, struct buf *ret)
{
	struct source s = { data, size, piece };
	autofree struct pktline_reader *r = reader(&s);
	enum pktline_kind kind = PKTLINE_DATA;
	struct error e = { 0 };
	int err = 0;

	while (err == 0 && kind != PKTLINE_EOF) {
		struct bytes line;

		err = pktline_next(r, &kind, &line, &e);
		if (err < 0)
			break;
		line = pktline_text(line);
		if (kind == PKTLINE_DATA)
			buf_addf(ret, "[%.*s]", (int)line.size, (const char *)line.data);
		else
			buf_add(ret, &"?FDE$"[kind], 1);
	}
	return err;
}

Test(pktline, reads_lines_however_they_are_cut)
{
	static const char text[] = "000aversio000bline\nx\n0004000100020000";

	for (size_t piece = 1; piece < sizeof(text); piece++) {
		autobuf out = { 0 };

		cr_assert_eq(read_all(text, strlen(text), piece, &out), 0);
		cr_assert_str_eq(out.data, "[versio][line\nx][]DEF$");
	}
}

Test(pktline, refuses_what_is_none)
{
	static const char *const bad[] = { "0", "000", "0003", "xyzw", "-001", "0x10",
		"fff1", "ffff", "0006a", "0010short\n", "HTTP", "00 4" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		autobuf out = { 0 };

		cr_assert_eq(read_all(bad[i], strlen(bad[i]), 3, &out), E_REMOTE, "%s",
			bad[i]);
	}
}

Test(pktline, takes_lines_of_every_size_up_to_the_largest)
{
	for (size_t n = 0; n <= PKTLINE_MAX; n += n < 4 || n > PKTLINE_MAX - 9 ? 1 : 4093) {
		autobuf text = { 0 };
		autobuf out = { 0 };

		buf_addf(&text, "%04zx", n + 4);
		for (size_t i = 0; i < n; i++)
			buf_adds(&text, "a");
		buf_adds(&text, "0005b0000");
		cr_assert_eq(read_all(text.data, text.size, 60000, &out), 0);
		cr_assert_eq(out.size, n + 2 + strlen("[b]F$"));
	}
}

Test(pktline, writes_what_it_reads)
{
	autobuf text = { 0 };
	autobuf out = { 0 };

	pktline_add(&text, "command=%s", "fetch");
	pktline_add_delim(&text);
	pktline_add(&text, "have %d", 7);
	pktline_add_flush(&text);
	cr_assert_str_eq(text.data, "0012command=fetch\n0001000bhave 7\n0000");
	cr_assert_eq(read_all(text.data, text.size, 5, &out), 0);
	cr_assert_str_eq(out.data, "[command=fetch]D[have 7]F$");
}

Test(pktline, compares_beginnings)
{
	struct bytes rest;

	cr_assert(pktline_starts(bytes_of("shallow x"), "shallow ", &rest));
	cr_assert_eq(rest.size, 1);
	cr_assert_not(pktline_starts(bytes_of("shal"), "shallow ", &rest));
	cr_assert(pktline_starts(bytes_of("shallow"), "shallow", NULL));
}
