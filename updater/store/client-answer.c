/* SPDX-License-Identifier: MIT */
/*
 * What the store process answers, frame by frame: see client-internal.h.  However it
 * behaves, waiting for it ends.
 */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "base/text.h"
#include "store/client-internal.h"

#define TICK_MS	       200 /* how soon a signal is noticed while nothing arrives */
#define IDLE_MS	       20  /* without anything to read: a pause */
#define TEXT_SHOWN_MAX 600 /* bytes of a text the store sent */

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The store process has closed its end, or sent nonsense and is being ended. */
static int ended(struct store *s, struct error *e)
{
	autobuf why = { 0 };

	process_end(&s->process, CLOSE_GRACE_MS, &why);
	return err_set(
		e, E_REMOTE, "the store process ended early%s", why.data ? why.data : "");
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
			client_flush(s);
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
