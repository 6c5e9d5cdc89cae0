/* SPDX-License-Identifier: MIT */
/*
 * What web servers answer, through the real libcurl.  The first byte chooses what is
 * asked and how, the next two where; the rest is what servers send, a connection up to
 * each "\0\0": one that ends with SILENT stays open, one that ends with ENDLESS sends
 * what it has time and again.  One server may be a directory, which seeds makes.  Time
 * passes only where somebody waits.
 */
#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "fuzz.h"
#include "store/server/http-answer.h"
#include "store/server/libcurl.h"

#define STATE	  "build/corpus/http/state"
#define SMALL_MAX 3000
#define READ_MAX  (1 << 20)
#define SILENT	  0xff
#define ENDLESS	  0xfe
#define ROOT_S	  300 /* so long root waits */

static struct libcurl real;
static char *local;
static char *many;
static struct bytes sent; /* what is left of the input */
static bool no_memory;
static struct session *asking;
static time_t root_ends; /* when it has had enough */
static struct timespec now = { .tv_sec = 1000 };

/* --- in the place of time ---------------------------------------------------------- */

int fuzz_clock(clockid_t id, struct timespec *ret);
int fuzz_nap(const struct timespec *span, struct timespec *left);

static void pass(long ms)
{
	now.tv_sec += ms / 1000;
	now.tv_nsec += ms % 1000 * 1000000;
	now.tv_sec += now.tv_nsec / 1000000000;
	now.tv_nsec %= 1000000000;
}

int fuzz_clock(clockid_t id, struct timespec *ret)
{
	(void)id;
	*ret = now;
	return 0;
}

int fuzz_nap(const struct timespec *span, struct timespec *left)
{
	(void)left;
	pass(span->tv_sec * 1000 + span->tv_nsec / 1000000);
	return 0;
}

static CURLMcode no_poll(
	CURLM *multi, struct curl_waitfd *fds, unsigned n, int ms, int *ret)
{
	(void)multi;
	(void)fds;
	(void)n;
	(void)ret;
	pass(ms);
	if (now.tv_sec > root_ends)
		asking->fd = -1;
	return CURLM_OK;
}

/* --- in the place of the network --------------------------------------------------- */

static struct bytes next_connection(void)
{
	const unsigned char *end =
		sent.size ? memmem(sent.data, sent.size, "\0\0", 2) : NULL;
	struct bytes part = { sent.data, end ? (size_t)(end - sent.data) : sent.size };

	sent.data += part.size + (end ? 2 : 0);
	sent.size -= part.size + (end ? 2 : 0);
	return part;
}

static curl_socket_t open_socket(void *ctx, curlsocktype what, struct curl_sockaddr *to)
{
	struct bytes part = next_connection();
	static const int size = 1 << 20;
	unsigned char last = part.size ? part.data[part.size - 1] : 0;
	int pair[2];

	(void)ctx;
	(void)what;
	(void)to;
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) ==
		0);
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	part.size -= last == SILENT || last == ENDLESS;
	for (size_t n = 0; part.size > 0 && n < (size_t)size; n += part.size)
		if (send(pair[1], part.data, part.size, MSG_NOSIGNAL) < 0 ||
			last != ENDLESS)
			break;
	/* What libcurl asks stays in the socket; both ends go with it. */
	assert(last == SILENT || shutdown(pair[1], SHUT_WR) == 0);
	assert(dup2(pair[1], pair[0] + 200) >= 0 && close(pair[1]) == 0);
	return pair[0];
}

static int close_socket(void *ctx, curl_socket_t fd)
{
	(void)ctx;
	(void)close(fd + 200);
	return close(fd);
}

/* libcurl's: what open_socket gives it is connected. */
int connect(int fd, const struct sockaddr *to, socklen_t size)
{
	(void)fd;
	(void)to;
	(void)size;
	return 0;
}

static CURL *new_handle(void)
{
	CURL *easy = no_memory ? NULL : real.easy_init();

	if (!easy)
		return NULL;
	(void)real.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	(void)real.easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	(void)real.easy_setopt(easy, CURLOPT_NOPROXY, "*");
	return easy;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	autofree char *top = getcwd(NULL, 0);
	struct error e;

	(void)argc;
	(void)argv;
	local = xasprintf("file://%s/" STATE "/www http://127.0.0.1:1/a", top);
	many = xcalloc(HTTP_PLACES_MAX + 2, 9);
	for (size_t i = 0; i <= HTTP_PLACES_MAX; i++)
		memcpy(many + 9 * i, "http://a ", 9);
	assert(chdir(STATE) == 0);
	assert(libcurl_load(&e) == 0);
	real = curl;
	curl.easy_init = new_handle;
	curl.multi_poll = no_poll;
	return 0;
}

/* Nobody is there any more who asks, or there is no memory. */
static bool is_over(void)
{
	return no_memory || asking->fd < 0;
}

/* --- what is asked ----------------------------------------------------------------- */

static void try_answer(struct http *h, bool post)
{
	static const char *const headers[] = { "X: y", NULL };
	struct answer *a = answer_open(
		h, "info/refs?x", headers, post ? bytes_of("body") : (struct bytes){ 0 });
	char data[1000];
	struct error e;
	size_t n = 1;
	int r = 0;

	for (size_t all = 0; r == 0 && n > 0 && all < READ_MAX; all += n) {
		r = answer_some(a, data, sizeof(data), &n, &e);
		assert(r == E_REMOTE || (r == 0 && n <= sizeof(data)) ||
			(r == E_SYSTEM && is_over()));
	}
	assert(no_memory || strlen(answer_type(a)) < READ_MAX);
	if (r == 0 && !post)
		(void)answer_follow(a, &e);
	answer_close(a);
}

static void try_small(struct http *h, bool with_etag)
{
	char etag[HTTP_ETAG_MAX] = "\"old\"";
	autobuf text = { 0 };
	struct error e;
	int r = http_get(
		h, "channel/stable", SMALL_MAX, with_etag ? etag : NULL, &text, &e);

	assert(r == 0 || (r == 1 && with_etag) || r == E_NOTFOUND || r == E_REMOTE ||
		(r == E_SYSTEM && is_over()));
	assert(text.size <= SMALL_MAX && memchr(etag, '\0', sizeof(etag)));
	assert(r != 1 || text.size == 0);
}

static void try_body(struct http *h, uint64_t at, uint64_t end)
{
	struct body *b = body_open(h, "release/full", at, end);
	char data[1000];
	struct error e;
	int r = 0;

	for (size_t all = 0; r == 0 && all < READ_MAX; all += sizeof(data)) {
		size_t n = end && end - body_at(b) < sizeof(data)
				   ? (size_t)(end - body_at(b))
				   : sizeof(data);
		uint64_t from = body_at(b);

		if (n == 0)
			break;
		r = body_read(b, data, n, &e);
		assert(r != 0 || body_at(b) == from + n);
		assert(r == 0 || r == E_NOTFOUND || r == E_REMOTE ||
			(r == E_SYSTEM && is_over()));
		assert(r != 0 || body_total(b) != 0); /* known, if not true */
	}
	body_close(b);
}

/* Bits 3 to 6 of `how`. */
static void set_options(struct options *o, unsigned how)
{
	static char user[] = "user";
	static char netrc[] = "machine 127.0.0.1 login a password b\n";
	static char proxy[] = "http://127.0.0.1:3";
	static char none[] = "none";
	static char rate[] = "1000000000";

	if (how & 8) {
		o->proxy = proxy;
		o->ca = none;
		o->client_certificate = none;
		o->rate_limit = rate;
	}
	o->netrc = (how & 24) == 24 ? netrc : NULL; /* it is written, and synced */
	o->username = how & 64 ? user : NULL;
}

static const char *places(unsigned how, unsigned where)
{
	if (where == 0xff)
		return "ftp://127.0.0.1/a/";
	if (where == 0xfe)
		return many;
	if (how & 32)
		return local;
	return how & 128 ? "http://127.0.0.1:1/a/ http://127.0.0.1:2/b"
			 : "http://127.0.0.1:1/a";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct session ss = { .fd = fd };
	unsigned what = size ? (data[0] & 7) % 5 : 0;
	struct http *h = NULL;
	struct error e;

	if (size < 3) {
		(void)close(fd);
		return 0;
	}
	asking = &ss;
	root_ends = now.tv_sec + ROOT_S;
	sent = (struct bytes){ data + 3, size - 3 };
	set_options(&ss.options, data[0]);
	no_memory = data[2] == 0xfd;
	if (http_open(&ss, places(data[0], data[2]), NULL, &h, &e) < 0) {
		assert(!h && e.code == E_USAGE);
		(void)close(fd);
		return 0;
	}
	switch (what) {
	case 0:
	case 1:
		try_answer(h, what == 1);
		break;
	case 2:
	case 3:
		try_small(h, what == 2);
		break;
	default:
		try_body(h, data[1], data[2] ? data[1] + 10u * data[2] : 0);
	}
	http_close(h);
	(void)close(fd);
	return 0;
}
