/* SPDX-License-Identifier: MIT */
/* Two bodies from one server at once, one of which ends while the other is read. */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "scratch.h"
#include "store/server/http-internal.h"
#include "store/server/libcurl.h"

#define SIZE  300000 /* of a body; less than is read ahead */
#define BEGUN 100000 /* of the first, at once */

static char data[SIZE];

static int listening(unsigned *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, 2) == 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

/* Take a request for all of a file, and begin to answer. */
static int answering(int server, size_t n)
{
	char request[4096];
	char head[200];
	int fd = accept(server, NULL, NULL);
	int k = snprintf(head, sizeof(head),
		"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n"
		"Content-Range: bytes 0-%d/%d\r\n\r\n",
		SIZE, SIZE - 1, SIZE);

	cr_assert(fd >= 0 && recv(fd, request, sizeof(request), 0) > 0);
	cr_assert_eq(io_write_full(fd, head, (size_t)k, NULL), 0);
	cr_assert_eq(io_write_full(fd, data, n, NULL), 0);
	return fd;
}

/* The first body's rest comes when the second is asked for, and before that one's. */
static void *serve(void *ctx)
{
	static const struct timespec nap = { .tv_nsec = 300000000 };
	int server = *(int *)ctx;
	int first = answering(server, BEGUN);
	int second = answering(server, 1);

	cr_assert_eq(io_write_full(first, data + BEGUN, SIZE - BEGUN, NULL), 0);
	(void)nanosleep(&nap, NULL); /* in which it is seen to end */
	cr_assert_eq(io_write_full(second, data + 1, SIZE - 1, NULL), 0);
	/* They stay connected: that something ended is known by its length. */
	(void)recv(second, data, 1, 0);
	(void)close(first);
	(void)close(second);
	return NULL;
}

Test(http, a_body_that_ends_while_another_is_read_has_ended)
{
	struct session ss = { .fd = open("/dev/null", O_WRONLY | O_CLOEXEC) };
	static char got[SIZE];
	autofree char *place = NULL;
	struct http *h = NULL;
	struct body *one;
	struct body *two;
	struct error e = { 0 };
	pthread_t thread;
	unsigned port;
	int server = listening(&port);
	int64_t before;

	cr_assert_eq(pthread_create(&thread, NULL, serve, &server), 0);
	place = xasprintf("http://127.0.0.1:%u", port);
	cr_assert_eq(http_open(&ss, place, NULL, &h, &e), 0, "%s", e.text);
	one = body_open(h, "one", 0, SIZE);
	two = body_open(h, "two", 0, SIZE);
	cr_assert_eq(body_read(one, got, 1000, &e), 0, "%s", e.text);
	cr_assert_eq(body_read(two, got, SIZE, &e), 0, "%s", e.text);
	cr_assert_eq(body_read(one, got, SIZE - 1000, &e), 0, "%s", e.text);
	before = http_now_ms();
	body_close(one);
	cr_expect_lt(http_now_ms() - before, HTTP_STALL_MS / 2, "waits for what is over");
	body_close(two);
	http_close(h);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	(void)close(server);
	(void)close(ss.fd);
}
