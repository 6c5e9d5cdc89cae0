/* SPDX-License-Identifier: MIT */
/*
 * What a store process sends to root: the first byte chooses what root asks, the rest is
 * all that ever comes from the socket.  Contents that are handed over are those asked
 * for, each once and in its size.
 */
#include <sys/socket.h>

#include "fuzz.h"
#include "store/client.h"
#include "store/process.h"
#include "store/protocol.h"

#define WANTS 6

static struct bytes sent; /* by the store process */
static int far_end = -1;
static bool slow;   /* contents take time, in which bases are gathered */
static bool silent; /* it does not end after what it sends */

/* --- in the place of process.c ---------------------------------------------------- */

int process_start(const char *program, const char *user, int state_dirfd, int base_fd,
	struct process *ret, struct error *e)
{
	static const int size = 1 << 20;
	int pair[2];

	(void)program;
	(void)user;
	(void)state_dirfd;
	(void)base_fd;
	(void)e;
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) ==
		0);
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	assert(send(pair[1], sent.data, sent.size, 0) == (ssize_t)sent.size);
	assert(silent || shutdown(pair[1], SHUT_WR) == 0);
	far_end = pair[1];
	*ret = (struct process){ .pid = 1, .fd = pair[0], .err_fd = -1 };
	return 0;
}

void process_drain(struct process *p)
{
	(void)p;
}

void process_end(struct process *p, int grace_ms, struct buf *ret_why)
{
	(void)grace_ms;
	(void)ret_why;
	cleanup_fd(&p->fd);
	p->fd = -1;
	p->pid = 0;
	cleanup_fd(&far_end);
	far_end = -1;
}

/* --- what root wants -------------------------------------------------------------- */

static const uint64_t sizes[WANTS] = { 0, 1, 5, 300, 2, 40000 };

struct receiver {
	size_t next;
	bool open;
	uint32_t id;
	uint64_t left;
	bool got[WANTS];
};

static int next(void *ctx, struct want *ret, struct error *e)
{
	struct receiver *r = ctx;

	(void)e;
	if (r->next == WANTS)
		return 0;
	*ret = (struct want){ .id = (uint32_t)r->next * 3,
		.is_piece = r->next % 2,
		.size = sizes[r->next],
		.path = "usr/lib/x" };
	r->next++;
	return 1;
}

static int begin(void *ctx, uint32_t id, uint64_t size, struct error *e)
{
	struct receiver *r = ctx;

	(void)e;
	assert(!r->open && id % 3 == 0 && id / 3 < r->next && !r->got[id / 3]);
	assert(size == sizes[id / 3]);
	r->open = true;
	r->id = id / 3;
	r->left = size;
	return 0;
}

static int take(void *ctx, struct bytes data, struct error *e)
{
	struct receiver *r = ctx;

	(void)e;
	assert(r->open && data.size <= r->left);
	if (slow)
		(void)usleep(200);
	r->left -= data.size;
	return 0;
}

static int end(void *ctx, struct error *e)
{
	struct receiver *r = ctx;

	(void)e;
	assert(r->open && r->left == 0);
	r->open = false;
	r->got[r->id] = true;
	return 0;
}

/* It may be told in the middle of contents. */
static int idle(void *ctx, struct error *e)
{
	(void)ctx;
	(void)e;
	return 0;
}

static void name(void *ctx, uint32_t id, struct buf *ret)
{
	(void)ctx;
	buf_addf(ret, "want %u", id);
	for (uint32_t i = 0; i < id; i++)
		buf_adds(ret, "/some\nlong path");
}

static int base(void *ctx, const struct digest *digest, uint32_t size,
	unsigned char *into, struct error *e)
{
	(void)ctx;
	if (digest->b[0] == 0xff)
		return err_set(e, E_SYSTEM, "cannot be read");
	if (digest->b[0] % 2)
		return 0;
	/* Its ends are in the shared memory; all of it would be slow. */
	if (size > 0)
		into[0] = into[size - 1] = 1;
	return 1;
}

static void try_contents(struct store *s, struct error *e)
{
	struct receiver r = { 0 };
	const struct contents c = { next, begin, take, end, idle, name, base, &r };
	struct oid commit = { { 1 } };

	if (store_contents(s, &commit, &c, e) < 0)
		return;
	for (size_t i = 0; i < WANTS; i++)
		assert(r.got[i]);
}

static void try_forecast(struct store *s, struct error *e)
{
	struct receiver r = { 0 };
	const struct contents c = { .next = next, .ctx = &r };
	struct oid commit = { { 1 } };
	uint64_t bytes;
	int got = store_forecast(s, &commit, &c, &bytes, e);

	assert(got <= 1);
}

/* --- the other questions ---------------------------------------------------------- */

static int each(void *ctx, struct bytes commit, struct error *e)
{
	unsigned *left = ctx;

	assert(*left > 0 && commit.size <= FRAME_COMMIT_MAX);
	if (--*left == 0)
		return err_set(e, E_NOTHING, "enough");
	return 0;
}

static void try_log(struct store *s, struct error *e)
{
	unsigned left = 3;
	int r = store_log(s, "stable", 4, each, &left, e);

	assert(left > 0 || r == E_NOTHING);
}

static void try_release(struct store *s, struct error *e)
{
	autoraw raw = { 0 };

	if (store_release(s, "serial:1", &raw, e) < 0)
		return;
	assert(raw.commit.size > 0 && raw.n_tags <= FRAME_TAGS_MAX);
	for (size_t i = 0; i < raw.n_tags; i++)
		assert(raw.tags[i].data >= (unsigned char *)raw.tags_text.data &&
			raw.tags[i].data + raw.tags[i].size <=
				(unsigned char *)raw.tags_text.data + raw.tags_text.size);
}

static void try_manifest(struct store *s, struct error *e)
{
	static const char text[] = "osupdate-manifest 1\n";
	const struct digest digest = digest_of(bytes_of(text));
	struct oid commit = { { 1 } };
	autofd fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)store_manifest(s, &commit, &digest, sizeof(text) - 1, fd, e);
}

static void ask(struct store *s, unsigned what)
{
	struct error e = { 0 };
	struct oid oid;

	switch (what) {
	case 0:
		(void)store_list(s, "stable", &oid, &e);
		break;
	case 1:
		(void)store_fetch(s, "stable", &oid, &e);
		break;
	case 2:
		(void)store_bring(s, "stable", "serial:1", &oid, &e);
		break;
	case 3:
		try_release(s, &e);
		break;
	case 4:
		try_log(s, &e);
		break;
	case 5:
		try_manifest(s, &e);
		break;
	case 6:
		try_contents(s, &e);
		break;
	default:
		try_forecast(s, &e);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	assert(digest_init_once(NULL) == 0);
	return 0;
}

/* Bits 0-2: the question; bit 3: an option first; bit 4: a second question; bit 5
 * alone: slowly; bit 7 alone: no end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const options[] = { "url=https://me:secret@host/x", NULL };
	static const volatile sig_atomic_t stop = 0;
	static const struct progress progress = { .stop = &stop };
	struct store_options o = { .stall_timeout_ms = 60000, .progress = &progress };
	autostore s = NULL;
	struct error e;

	if (size == 0)
		return 0;
	sent = (struct bytes){ data + 1, size - 1 };
	slow = (data[0] & ~7) == 32;
	silent = (data[0] & ~7) == 128;
	if (silent)
		o.stall_timeout_ms = 1;
	o.options = data[0] & 8 ? options : NULL;
	if (store_open(&o, &s, &e) < 0)
		return 0;
	ask(s, data[0] & 7);
	if (data[0] & 16)
		ask(s, (data[0] >> 5) & 7);
	return 0;
}
