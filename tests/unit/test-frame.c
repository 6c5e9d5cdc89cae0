/* SPDX-License-Identifier: MIT */
/* Frames of the store protocol and the text of URLs: updater/store/frame.c, url.c. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "store/frame.h"
#include "store/url.h"

static const struct bytes nothing;

static void make_pair(int fds[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

Test(frame, arrives_as_it_was_put_even_byte_by_byte)
{
	struct frame_reader r;
	autobuf out = { 0 };
	struct error e = { 0 };
	struct frame f;
	int fds[2];
	size_t n;

	make_pair(fds);
	frame_reader_init(&r);
	frame_put(&out, FRAME_RELEASE, bytes_of("serial:"), bytes_of("42"));
	frame_put(&out, FRAME_DONE, nothing, nothing);
	cr_assert_eq(out.size, 2 * FRAME_HEAD + 9);
	for (size_t i = 0; i < FRAME_HEAD + 9; i++) {
		cr_assert_eq(frame_next(&r, &f, &e), 0);
		cr_assert_eq(write(fds[0], out.data + i, 1), 1);
		cr_assert_eq(frame_fill(&r, fds[1], &n, &e), 0);
		cr_assert_eq(n, 1);
	}
	cr_assert_eq(frame_next(&r, &f, &e), 1);
	cr_assert_eq(f.type, FRAME_RELEASE);
	cr_assert_eq(f.payload.size, 9);
	cr_assert_eq(memcmp(f.payload.data, "serial:42", 9), 0);
	cr_assert_eq(frame_next(&r, &f, &e), 0);
	frame_reader_release(&r);
}

Test(frame, writes_little_endian_length_then_type)
{
	autobuf out = { 0 };

	frame_put(&out, FRAME_LIST, bytes_of("abc"), nothing);
	cr_assert_eq(out.size, 8);
	cr_assert_eq(memcmp(out.data, "\3\0\0\0\2abc", 8), 0);
}

Test(frame, refuses_length_over_the_limit)
{
	struct frame_reader r;
	struct error e = { 0 };
	struct frame f;
	unsigned char head[FRAME_HEAD];
	int fds[2];
	size_t n;

	make_pair(fds);
	frame_reader_init(&r);
	le32_put(head, FRAME_MAX + 1);
	head[4] = FRAME_DATA;
	cr_assert_eq(write(fds[0], head, sizeof(head)), FRAME_HEAD);
	cr_assert_eq(frame_fill(&r, fds[1], &n, &e), 0);
	cr_assert_eq(frame_next(&r, &f, &e), E_REMOTE);
	frame_reader_release(&r);
}

/* More than the reader's memory, in the largest frames, while the socket is read slowly.
 */
Test(frame, carries_many_of_the_largest_frames)
{
	static unsigned char payload[FRAME_MAX];
	struct frame_reader r;
	struct error e = { 0 };
	struct frame f;
	int got = 0;
	int fds[2];
	pid_t pid;

	make_pair(fds);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 20; i++) {
			memset(payload, i, sizeof(payload));
			if (frame_send(fds[0], FRAME_DATA,
				    (struct bytes){ payload, 1000 },
				    (struct bytes){ payload + 1000, FRAME_MAX - 1000 },
				    &e) < 0)
				_exit(1);
		}
		_exit(0);
	}
	close(fds[0]);
	frame_reader_init(&r);
	for (;;) {
		size_t n;
		int more = frame_next(&r, &f, &e);

		if (more > 0) {
			cr_assert_eq(f.payload.size, FRAME_MAX);
			cr_assert_eq(f.payload.data[0], got);
			cr_assert_eq(f.payload.data[FRAME_MAX - 1], got);
			got++;
			continue;
		}
		cr_assert_eq(more, 0);
		cr_assert_eq(frame_fill(&r, fds[1], &n, &e), 0);
		if (n == 0)
			break;
	}
	cr_assert_eq(got, 20);
	frame_reader_release(&r);
}

Test(frame, want_keeps_all_its_fields)
{
	struct want_head w = {
		.id = 0x01020304, .is_piece = true, .size = UINT64_C(1) << 40
	};
	struct want_head back = { 0 };
	unsigned char raw[WANT_HEAD];

	memset(w.digest.b, 0x5a, DIGEST_SIZE);
	want_head_put(raw, &w);
	want_head_get(raw, &back);
	cr_assert_eq(back.id, w.id);
	cr_assert(back.is_piece);
	cr_assert_eq(back.size, w.size);
	cr_assert(digest_equal(&back.digest, &w.digest));
}

Test(url, kind_is_told_by_git_rules)
{
	static const struct {
		const char *url;
		enum url_kind kind;
	} table[] = {
		{ "https://a/b", URL_HTTP }, { "http://a/b", URL_HTTP },
		{ "git://a/b", URL_GIT }, { "ssh://u@a:22/b", URL_SSH },
		{ "u@a:b", URL_SSH }, { "a:b/c", URL_SSH }, { "file:///b", URL_LOCAL },
		{ "/b:c", URL_LOCAL }, { "b/c:d", URL_UNKNOWN }, { "./b", URL_UNKNOWN },
		{ "", URL_UNKNOWN }, { ":b", URL_UNKNOWN }, { "ftp://a/b", URL_UNKNOWN },
		{ "ext::sh -c x", URL_SSH }, /* a host called ext: nothing is run */
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		cr_expect_eq(url_kind(table[i].url), table[i].kind, "%s", table[i].url);
}

Test(url, local_path_is_decoded)
{
	static const struct {
		const char *url;
		const char *path;
	} table[] = {
		{ "/a%20b", "/a%20b" },
		{ "file:///a%20b", "/a b" },
		{ "file://localhost/a", "/a" },
		{ "file:///a%2Fb%2fc", "/a/b/c" },
		{ "file://other/a", NULL },
		{ "file:///a%2", NULL },
		{ "file:///a%", NULL },
		{ "file:///a%zz", NULL },
		{ "file:///a%00", NULL },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		autofree char *path = url_local_path(table[i].url);

		if (table[i].path)
			cr_expect(path && strcmp(path, table[i].path) == 0, "%s",
				table[i].url);
		else
			cr_expect(path == NULL, "%s", table[i].url);
	}
}

Test(url, password_is_never_shown)
{
	static const struct {
		const char *url;
		const char *shown;
	} table[] = {
		{ "https://a/b@c:d", "https://a/b@c:d" },
		{ "https://me@a/b", "https://me@a/b" },
		{ "https://me:pa@ss@a/b", "https://me:***@a/b" },
		{ "https://:x@a/b", "https://:***@a/b" },
		{ "u@a:b", "u@a:b" },
		{ "/a\nb", "/a\\012b" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		autobuf shown = { 0 };

		url_print(table[i].url, &shown);
		cr_expect_str_eq(shown.data, table[i].shown);
	}
}
