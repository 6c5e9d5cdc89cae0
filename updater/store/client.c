/* SPDX-License-Identifier: MIT */
/*
 * Root's side of the store protocol: see client.h.  Everything that arrives is
 * untrusted: lengths are bounded, order is checked, text is escaped, silence ends it.
 */
#include "store/client-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "base/io.h"
#include "base/text.h"
#include "store/url.h"

#define TICK_MS	       200 /* how soon a signal is noticed while nothing arrives */
#define IDLE_MS	       20  /* without anything to read: a pause */
#define CLOSE_GRACE_MS 500
#define OUT_KEPT_MAX   (1u << 20) /* memory of what was sent, kept for more */
#define TEXT_SHOWN_MAX 600	  /* bytes of a text the store sent */

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int client_break(struct store *s, int r)
{
	process_end(&s->process, 0, NULL);
	return r;
}

int client_refuse(struct store *s, const struct frame *f, struct error *e)
{
	return client_break(
		s, err_set(e, E_REMOTE,
			   "the store process sent frame %u of %zu bytes out of order",
			   f->type, f->payload.size));
}

/* The store process has closed its end, or sent nonsense and is being ended. */
static int ended(struct store *s, struct error *e)
{
	autobuf why = { 0 };

	process_end(&s->process, CLOSE_GRACE_MS, &why);
	return err_set(
		e, E_REMOTE, "the store process ended early%s", why.data ? why.data : "");
}

/* Send what the socket takes without waiting. */
static void flush(struct store *s)
{
	while (s->out_done < s->out.size) {
		ssize_t n = send(s->process.fd, s->out.data + s->out_done,
			s->out.size - s->out_done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break; /* its last words may still be there to read; then comes
				  the end */
		s->out_done += (size_t)n;
	}
	if (s->out.size)
		sodium_memzero(
			s->out.data, s->out.size); /* passwords and keys pass here */
	if (s->out.cap > OUT_KEPT_MAX)
		buf_release(&s->out);
	buf_reset(&s->out);
	s->out_done = 0;
}

int client_ask(struct store *s, enum frame_type type, struct bytes a, struct bytes b,
	struct error *e)
{
	if (s->process.pid == 0)
		return err_set(e, E_REMOTE, "the store process has ended");
	if (a.size > FRAME_MAX || b.size > FRAME_MAX - a.size)
		return err_set(e, E_INPUT, "a request of more than %u bytes", FRAME_MAX);
	frame_put(&s->out, type, a, b);
	flush(s);
	return 0;
}

/* E_INTERRUPTED when asked to stop; nothing is reported, a caller may be in any step. */
static int check_stop(const struct store *s, struct error *e)
{
	static const struct progress_event none;
	struct progress quiet;

	if (!s->progress)
		return 0;
	quiet = (struct progress){ .stop = s->progress->stop };
	return progress_report(&quiet, &none, e);
}

static int stalled(struct store *s, struct error *e)
{
	autobuf span = { 0 };

	if (s->stall_timeout_ms % 1000)
		buf_addf(&span, "%d ms", s->stall_timeout_ms);
	else
		buf_addf(&span, "%d s", s->stall_timeout_ms / 1000);
	return err_set(e, E_REMOTE, "no progress for %s from %s", span.data, s->url);
}

/* It says something again and again, and gets nowhere; `waited_ms` we did nothing else.
 */
static int check_pace(struct store *s, int64_t waited_ms, struct error *e)
{
	int64_t spent = s->pace.spent_ms + now_ms() - s->answer_since_ms;

	if (spent > s->pace.total_ms)
		return err_set(e, E_REMOTE, "no end after %lld minutes of waiting for %s",
			(long long)(spent / 60000), s->url);
	if (s->busy == 0 && pace_waited(&s->pace, waited_ms))
		return err_set(e, E_REMOTE,
			"too slow: less than %d bytes a second for %d s from %s",
			PACE_RATE_MIN, s->pace.window_ms / 1000, s->url);
	return 0;
}

/* Until something can be read.  Sends what is queued meanwhile. */
static int await_input(struct store *s, struct error *e)
{
	const struct contents *idle =
		s->receiver && s->receiver->idle ? s->receiver : NULL;

	for (;;) {
		bool sending = s->out_done < s->out.size;
		struct pollfd pfd[3] = {
			{ .fd = s->process.fd,
				.events = (short)(POLLIN | (sending ? POLLOUT : 0)) },
			{ .fd = s->process.err_fd, .events = POLLIN },
			{ .fd = s->wake_fd, .events = POLLIN },
		};
		int wait_ms = TICK_MS;
		int64_t before = now_ms();
		int r = check_stop(s, e);
		int ready;

		if (r < 0)
			return r;
		if (s->busy > 0) /* it waits for us */
			s->quiet_since_ms = now_ms();
		if (s->stall_timeout_ms > 0) {
			int64_t left = s->quiet_since_ms + s->stall_timeout_ms - now_ms();

			if (left <= 0)
				return stalled(s, e);
			wait_ms = left < TICK_MS ? (int)left : TICK_MS;
		}
		if (idle && wait_ms > IDLE_MS)
			wait_ms = IDLE_MS;
		ready = poll(pfd, 3, wait_ms);
		if (ready < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (ready == 0 && idle) {
			int64_t ours = now_ms();

			r = idle->idle(idle->ctx, e);
			if (r < 0)
				return r;
			idle = NULL; /* once a pause */
			/* That was no silence of the store's. */
			ours = now_ms() - ours;
			before += ours;
			s->quiet_since_ms += ours;
		}
		if (pfd[1].revents)
			process_drain(&s->process);
		r = check_pace(s, now_ms() - before, e);
		if (r == 0 && pfd[2].revents)
			r = s->wake(s->wake_ctx, e);
		if (r < 0)
			return r;
		if (pfd[0].revents & POLLOUT)
			flush(s);
		if (pfd[0].revents & (POLLIN | POLLHUP | POLLERR))
			return 0;
	}
}

static int next_frame(struct store *s, struct frame *ret, struct error *e)
{
	for (;;) {
		size_t n = 0;
		int r = frame_next(&s->in, ret, e);

		if (r != 0)
			return r;
		if (s->quiet_since_ms == 0)
			s->quiet_since_ms = now_ms();
		r = await_input(s, e);
		if (r == 0)
			r = frame_fill(&s->in, s->process.fd, &n, e);
		if (r < 0 && e && e->sys == EAGAIN)
			continue;
		/* Unread bytes at its death reset the connection. */
		if (r < 0 && e && e->sys == ECONNRESET)
			return ended(s, e);
		if (r < 0)
			return r;
		if (n == 0)
			return ended(s, e);
	}
}

static int fault_code(uint8_t fault)
{
	switch ((enum store_fault)fault) {
	case STORE_FAULT_NOTFOUND:
		return E_NOTFOUND;
	case STORE_FAULT_LOCAL:
		return E_SYSTEM;
	case STORE_FAULT_USAGE:
		return E_INPUT;
	case STORE_FAULT_SPACE:
		return E_SPACE;
	case STORE_FAULT_SERVER:
		return E_REMOTE;
	}
	return E_REMOTE; /* a number we do not know */
}

/* The conversation stays in step: the error ends one request. */
static int reported_error(struct store *s, const struct frame *f, struct error *e)
{
	autobuf text = { 0 };
	struct bytes foreign = { f->payload.data + 1, f->payload.size - 1 };

	if (f->payload.size < 1)
		return client_refuse(s, f, e);
	if (foreign.size > TEXT_SHOWN_MAX)
		foreign.size = TEXT_SHOWN_MAX;
	text_escape(&text, foreign, false);
	return err_set(e, fault_code(f->payload.data[0]), "%s",
		text.size ? text.data : "the store process gives no reason");
}

static int take_progress(struct store *s, const struct frame *f, struct error *e)
{
	struct progress_event event = { .step = "fetch", .unit = "bytes" };
	uint64_t now[3];

	if (f->payload.size != sizeof(now))
		return client_refuse(s, f, e);
	for (size_t i = 0; i < 3; i++)
		now[i] = le64_get(f->payload.data + 8 * i);
	if (memcmp(now, s->seen, sizeof(now)) != 0)
		s->quiet_since_ms = 0;
	memcpy(s->seen, now, sizeof(now));
	pace_progress(&s->pace, now[0], now[1]);
	event.done = now[0];
	return s->is_fetch ? progress_report(s->progress, &event, e) : check_stop(s, e);
}

static int next_answer(struct store *s, struct frame *ret, struct error *e)
{
	for (;;) {
		int r = next_frame(s, ret, e);

		if (r < 0)
			return client_break(s, r);
		if (ret->type == FRAME_PROGRESS) {
			r = take_progress(s, ret, e);
			if (r < 0)
				return client_break(s, r);
			continue;
		}
		s->quiet_since_ms = 0;
		pace_came(&s->pace, ret->payload.size);
		if (ret->type == FRAME_ERROR)
			return reported_error(s, ret, e);
		return 0;
	}
}

int client_answer(struct store *s, struct frame *ret, struct error *e)
{
	int r;

	if (s->process.pid == 0)
		return err_set(e, E_REMOTE, "the store process has ended");
	s->answer_since_ms = now_ms();
	r = next_answer(s, ret, e);
	s->pace.spent_ms += now_ms() - s->answer_since_ms;
	return r;
}

static int expect_done(struct store *s, struct error *e)
{
	struct frame f = { 0 };
	int r = client_answer(s, &f, e);

	if (r < 0)
		return r;
	return f.type == FRAME_DONE ? 0 : client_refuse(s, &f, e);
}

static int send_options(struct store *s, const char *const *options, struct error *e)
{
	for (size_t i = 0; options && options[i]; i++) {
		int r;

		if (strncmp(options[i], "url=", 4) == 0) {
			autobuf shown = { 0 };

			url_print(options[i] + 4, &shown);
			free(s->url);
			s->url = buf_take(&shown);
		}
		r = client_ask(
			s, FRAME_OPTION, bytes_of(options[i]), (struct bytes){ 0 }, e);
		if (r == 0)
			r = expect_done(s, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Memory that the store process can read and only we can write. */
static int share_base(struct store *s, int *ret_fd, struct error *e)
{
	autofd fd = memfd_create("osupdate-bases", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	if (fd < 0 || ftruncate(fd, BASE_MAX) < 0)
		return err_sys(e, "memory for bases");
	p = mmap(NULL, BASE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "memory for bases");
	s->base = p;
	if (fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
		return err_sys(e, "memory for bases: seal");
	*ret_fd = take_fd(&fd);
	return 0;
}

int store_open(const struct store_options *o, struct store **ret, struct error *e)
{
	autostore s = xcalloc(1, sizeof(*s));
	autofd base = -1;
	int r;

	s->process.fd = -1;
	s->process.err_fd = -1;
	s->wake_fd = -1;
	s->progress = o->progress;
	s->stall_timeout_ms = o->stall_timeout_ms;
	pace_start(&s->pace, o->pace_window_ms, o->pace_total_ms);
	s->url = xstrdup("the store process");
	frame_reader_init(&s->in);
	r = share_base(s, &base, e);
	if (r == 0)
		r = process_start(
			o->program, o->user, o->state_dirfd, base, &s->process, e);
	if (r == 0)
		r = send_options(s, o->options, e);
	if (r < 0)
		return r;
	*ret = take_ptr(&s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	process_end(&s->process, CLOSE_GRACE_MS, NULL);
	frame_reader_release(&s->in);
	if (s->base)
		(void)munmap(s->base, BASE_MAX); /* our own mapping */
	if (s->out.cap)
		sodium_memzero(s->out.data, s->out.cap);
	buf_release(&s->out);
	free(s->url);
	free(s);
}

/* LIST and FETCH: at most one TIP. */
static int ask_tip(struct store *s, enum frame_type type, const char *channel,
	struct oid *ret_tip, struct error *e)
{
	struct oid tip;
	bool found = false;
	int r = client_ask(s, type, bytes_of(channel), (struct bytes){ 0 }, e);

	while (r == 0) {
		struct frame f = { 0 };

		r = client_answer(s, &f, e);
		if (r < 0)
			break;
		if (f.type == FRAME_DONE) {
			if (found)
				*ret_tip = tip;
			else
				r = err_set(e, E_NOTFOUND, "%s has no channel %s", s->url,
					channel);
			break;
		}
		if (f.type != FRAME_TIP || found || f.payload.size != OID_SIZE)
			return client_refuse(s, &f, e);
		memcpy(tip.b, f.payload.data, OID_SIZE);
		found = true;
	}
	return r;
}

int store_list(struct store *s, const char *channel, struct oid *ret_tip, struct error *e)
{
	return ask_tip(s, FRAME_LIST, channel, ret_tip, e);
}

int store_fetch(
	struct store *s, const char *channel, struct oid *ret_tip, struct error *e)
{
	int r;

	s->is_fetch = true;
	r = ask_tip(s, FRAME_FETCH, channel, ret_tip, e);
	s->is_fetch = false;
	return r;
}

int store_bring(struct store *s, const char *channel, const char *selector,
	struct oid *ret, struct error *e)
{
	autofree char *what = xasprintf("%s %s", channel, selector);
	int r;

	s->is_fetch = true;
	r = ask_tip(s, FRAME_BRING, what, ret, e);
	s->is_fetch = false;
	return r;
}

void raw_release_release(struct raw_release *r)
{
	if (!r)
		return;
	buf_release(&r->commit);
	buf_release(&r->tags_text);
	free(r->tags);
	*r = (struct raw_release){ 0 };
}

/* Takes COMMIT or TAG; false when it must not come here. */
static bool take_release_frame(struct raw_release *into, const struct frame *f)
{
	if (f->payload.size == 0 || f->payload.size > FRAME_COMMIT_MAX)
		return false;
	if (f->type == FRAME_COMMIT && !into->commit.data) {
		buf_add(&into->commit, f->payload.data, f->payload.size);
		return true;
	}
	if (f->type != FRAME_TAG || !into->commit.data || into->n_tags == FRAME_TAGS_MAX)
		return false;
	/* The text still moves while it grows: addresses follow at the end. */
	buf_add(&into->tags_text, f->payload.data, f->payload.size);
	into->tags[into->n_tags++].size = f->payload.size;
	return true;
}

int store_release(
	struct store *s, const char *selector, struct raw_release *ret, struct error *e)
{
	autoraw got = { .tags = xcalloc(FRAME_TAGS_MAX, sizeof(struct bytes)) };
	size_t at = 0;
	int r = client_ask(s, FRAME_RELEASE, bytes_of(selector), (struct bytes){ 0 }, e);

	while (r == 0) {
		struct frame f = { 0 };

		r = client_answer(s, &f, e);
		if (r < 0)
			return r;
		if (f.type == FRAME_DONE && got.commit.data)
			break;
		if (!take_release_frame(&got, &f))
			return client_refuse(s, &f, e);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < got.n_tags; i++) {
		got.tags[i].data = (const unsigned char *)got.tags_text.data + at;
		at += got.tags[i].size;
	}
	*ret = got;
	got = (struct raw_release){ 0 };
	return 0;
}

int store_log(struct store *s, const char *channel, uint32_t max,
	int (*each)(void *ctx, struct bytes commit, struct error *e), void *ctx,
	struct error *e)
{
	unsigned char head[4];
	uint32_t n = 0;
	int told = 0;
	int r;

	le32_put(head, max);
	r = client_ask(
		s, FRAME_LOG, (struct bytes){ head, sizeof(head) }, bytes_of(channel), e);
	while (r == 0) {
		struct error
			ignored; /* when the callback has already said what is wrong */
		struct frame f = { 0 };

		r = client_answer(s, &f, told < 0 ? &ignored : e);
		if (r < 0 || f.type == FRAME_DONE)
			break;
		if (f.type != FRAME_COMMIT || f.payload.size > FRAME_COMMIT_MAX ||
			n++ == max) {
			r = client_refuse(s, &f, told < 0 ? NULL : e);
			break;
		}
		if (told == 0)
			told = each(ctx, f.payload, e);
	}
	return told < 0 ? told : r;
}

int store_manifest(struct store *s, const struct oid *commit, const struct digest *digest,
	uint64_t size, int fd, struct error *e)
{
	struct digest_state st;
	struct digest got;
	uint64_t left = size;
	int r = client_ask(s, FRAME_MANIFEST, (struct bytes){ commit->b, OID_SIZE },
		(struct bytes){ 0 }, e);

	digest_start(&st);
	while (r == 0) {
		struct frame f = { 0 };

		r = client_answer(s, &f, e);
		if (r < 0)
			return err_prefix(e, r, "manifest");
		if (f.type == FRAME_DONE)
			break;
		if (f.type != FRAME_DATA)
			return client_refuse(s, &f, e);
		if (f.payload.size > left)
			return client_break(
				s, err_unsigned(e, err_set(e, E_REMOTE,
							   "manifest: longer than the "
							   "signed %llu bytes",
							   (unsigned long long)size)));
		left -= f.payload.size;
		digest_update(&st, f.payload.data, f.payload.size);
		r = io_write_full(fd, f.payload.data, f.payload.size, e);
		if (r < 0)
			return client_break(s, err_prefix(e, r, "manifest"));
	}
	if (r < 0)
		return r;
	digest_finish(&st, &got);
	if (left > 0)
		return err_unsigned(
			e, err_set(e, E_REMOTE,
				   "manifest: shorter than the signed %llu bytes",
				   (unsigned long long)size));
	if (!digest_equal(&got, digest))
		return err_unsigned(
			e, err_set(e, E_REMOTE, "manifest: differs from the signed one"));
	return 0;
}
