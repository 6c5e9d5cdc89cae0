/* SPDX-License-Identifier: MIT */
/*
 * What root asks of the store process, should root be wrong: all of osupdate-store, in
 * build/corpus/request/state (seeds makes the repository there that is fetched from).
 * Its answers are whole frames of kinds that a store process sends.
 */
#include <errno.h>
#include <git2.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "store/frame.h"
#include "store/server/sandbox.h"

#define STATE "build/corpus/request/state"

/* Of repositories: the one that is there, one that is damaged, one that is not there;
 * and none. */
static char *urls[4];
static char *streams[2];

int store_main(void);
int __wrap_sandbox_enter(struct sandbox *s, const struct options *o, struct error *e);
int __wrap_sandbox_end_network(struct sandbox *s, struct error *e);

int __wrap_sandbox_enter(struct sandbox *s, const struct options *o, struct error *e)
{
	(void)s;
	(void)o;
	(void)e;
	return 0;
}

int __wrap_sandbox_end_network(struct sandbox *s, struct error *e)
{
	(void)s;
	(void)e;
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	autofree char *top = getcwd(NULL, 0);

	(void)argc;
	(void)argv;
	assert(digest_init_once(NULL) == 0);
	/* It does not stand being ended and begun again: it is never ended. */
	assert(git_libgit2_init() > 0);
	urls[0] = xasprintf("url=file://%s/" STATE "/os.git", top);
	urls[1] = xasprintf("url=file://%s/" STATE "/damaged.git", top);
	urls[2] = xasprintf("url=%s/" STATE "/none.git", top);
	urls[3] = xstrdup("url=gopher://x");
	streams[0] = xasprintf("stream=file://%s/" STATE "/www", top);
	streams[1] = xasprintf("stream=file://%s/" STATE "/none ftp://x", top);
	assert(mkdir(STATE "/store", 0755) == 0 || errno == EEXIST);
	assert(chdir(STATE "/store") == 0);
	return 0;
}

/* --- requests ---------------------------------------------------------------------- */

static bool begins(struct bytes b, const char *with)
{
	return b.size >= strlen(with) && memcmp(b.data, with, strlen(with)) == 0;
}

/* Nothing is asked of a network, or of other files of this machine: what follows the
 * equals sign chooses. */
static struct bytes tame(unsigned char type, struct bytes payload)
{
	unsigned last = payload.size ? payload.data[payload.size - 1] : 0;

	if (type == FRAME_OPTION && begins(payload, "url="))
		return bytes_of(urls[last % 4]);
	if (type == FRAME_OPTION && begins(payload, "stream="))
		return bytes_of(streams[last % 2]);
	return payload;
}

static void tame_all(struct bytes in, struct buf *out)
{
	while (in.size >= FRAME_HEAD) {
		uint32_t n = le32_get(in.data);
		unsigned char type = in.data[4];

		in.data += FRAME_HEAD;
		in.size -= FRAME_HEAD;
		if (n > in.size)
			n = (uint32_t)in.size;
		frame_put(out, (enum frame_type)type,
			tame(type, (struct bytes){ in.data, n }), (struct bytes){ 0 });
		in.data += n;
		in.size -= n;
	}
	buf_add(out, in.data, in.size); /* a frame that is cut */
}

/* --- answers ----------------------------------------------------------------------- */

static void *read_answers(void *ctx)
{
	int fd = *(int *)ctx;
	struct frame_reader in;
	struct frame f;
	struct error e;
	size_t n = 1;
	int r;

	frame_reader_init(&in);
	while (n > 0) {
		while ((r = frame_next(&in, &f, &e)) > 0)
			assert(f.type >= FRAME_TIP && f.type <= FRAME_FORECAST);
		assert(r == 0);
		assert(frame_fill(&in, fd, &n, &e) == 0);
	}
	assert(in.start == in.end);
	frame_reader_release(&in);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int large = 1 << 20;
	autobuf asked = { 0 };
	pthread_t reader;
	int pair[2];

	tame_all((struct bytes){ data, size }, &asked);
	assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	if (pair[0] != STORE_FD) {
		assert(pair[1] != STORE_FD && dup2(pair[0], STORE_FD) == STORE_FD);
		(void)close(pair[0]);
	}
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	assert(send(pair[1], asked.data, asked.size, MSG_DONTWAIT) ==
		(ssize_t)asked.size);
	assert(shutdown(pair[1], SHUT_WR) == 0);
	assert(pthread_create(&reader, NULL, read_answers, &pair[1]) == 0);
	(void)store_main();
	assert(shutdown(STORE_FD, SHUT_WR) == 0);
	assert(pthread_join(reader, NULL) == 0);
	(void)close(pair[1]);
	/* STORE_FD stays open, so that nobody else is given it. */
	return 0;
}
