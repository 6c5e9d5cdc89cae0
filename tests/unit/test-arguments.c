/* SPDX-License-Identifier: MIT */
/* A release's kernel arguments: what is taken, what is refused and how. */
#include <criterion/criterion.h>

#include "base/arguments.h"

static int read_text(const char *text, struct buf *out, struct error *e)
{
	return arguments_read(bytes_of(text), out, e);
}

Test(arguments, words_of_any_lines_become_one_line)
{
	static const struct {
		const char *text;
		const char *line;
	} cases[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "quiet", "quiet" },
		{ "quiet\n", "quiet" },
		{ "  quiet \t splash\r\n", "quiet splash" },
		{ "# all of it a comment", "" },
		{ "quiet # not this\nsplash\n", "quiet splash" },
		{ "a#b\n", "a#b" },
		{ "dyndbg=\"file x.c +p\"\n", "dyndbg=\"file x.c +p\"" },
		{ "myroot=/dev/sda\n", "myroot=/dev/sda" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autobuf out = { 0 };
		struct error e = { 0 };

		cr_expect_eq(read_text(cases[i].text, &out, &e), 0, "%s", e.text);
		cr_expect_str_eq(out.data ? out.data : "", cases[i].line);
	}
}

Test(arguments, what_belongs_to_the_loader_or_cannot_be_said_is_refused)
{
	static const struct {
		const char *text;
		const char *reason;
	} cases[] = {
		{ "root=/dev/sda1\n",
			"line 1: root=/dev/sda1 is given by the boot loader" },
		{ "quiet\nosupdate.slot=B\n", "line 2: osupdate.slot=B" },
		{ "rauc.slot=B", "line 1: rauc.slot=B" },
		{ "caf\xc3\xa9", "printable ASCII" },
		{ "a\x01"
		  "b",
			"printable ASCII" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autobuf out = { 0 };
		struct error e = { 0 };

		cr_expect_eq(read_text(cases[i].text, &out, &e), E_INPUT);
		cr_expect(strstr(e.text, cases[i].reason), "%s", e.text);
	}
}

Test(arguments, a_nul_is_refused)
{
	autobuf out = { 0 };
	struct error e = { 0 };

	cr_expect_eq(arguments_read((struct bytes){ (const unsigned char *)"a\0b", 3 },
			     &out, &e),
		E_INPUT);
}

Test(arguments, the_limit_is_exact)
{
	char text[ARGUMENTS_MAX + 1] = "";
	autobuf out = { 0 };
	struct error e = { 0 };

	memset(text, 'x', ARGUMENTS_MAX - 1);
	cr_expect_eq(read_text(text, &out, &e), 0);
	buf_reset(&out);
	memset(text, 'x', ARGUMENTS_MAX);
	cr_expect_eq(read_text(text, &out, &e), E_INPUT);
	cr_expect(strstr(e.text, "more than 512 bytes"), "%s", e.text);
}
