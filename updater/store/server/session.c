/* SPDX-License-Identifier: MIT */
/* Replies and errors of osupdate-store: see session.h. */
#include "store/server/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "store/url.h"

#define PROGRESS_MS 100

int reply(const struct session *ss, enum frame_type type, struct bytes payload,
	struct error *e)
{
	return frame_send(ss->fd, type, payload, (struct bytes){ 0 }, e);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int reply_progress(struct session *ss, struct error *e)
{
	unsigned char payload[24];
	int64_t now = now_ms();

	if (now - ss->told_ms < PROGRESS_MS)
		return 0;
	ss->told_ms = now;
	for (size_t i = 0; i < 3; i++)
		le64_put(payload + 8 * i, ss->done[i]);
	return reply(ss, FRAME_PROGRESS, (struct bytes){ payload, sizeof(payload) }, e);
}

int reply_indexed(const git_indexer_progress *stats, void *payload)
{
	struct session *ss = payload;
	struct error gone;

	ss->done[1] = (uint64_t)stats->indexed_objects + stats->indexed_deltas;
	ss->done[2] = (uint64_t)stats->total_objects + stats->total_deltas;
	return reply_progress(ss, &gone) < 0 ? GIT_EUSER : 0;
}

int announce(struct session *ss, struct error *e)
{
	if (ss->done[0] == 0)
		ss->done[0] = 1;
	ss->told_ms = 0;
	return reply_progress(ss, e);
}

int reply_data(
	const struct session *ss, struct bytes head, struct bytes data, struct error *e)
{
	unsigned char frame[FRAME_HEAD];
	int r = 0;

	do {
		size_t n = data.size < FRAME_MAX ? data.size : FRAME_MAX;
		/* writev only reads; the type has no const. */
		struct iovec iov[] = {
			{ (void *)(uintptr_t)head.data, head.size },
			{ frame, n ? sizeof(frame) : 0 },
			{ (void *)(uintptr_t)data.data, n },
		};

		frame_head(frame, FRAME_DATA, n);
		r = frame_writev(ss->fd, iov, 3, e);
		head.size = 0;
		data.data += n;
		data.size -= n;
	} while (r == 0 && data.size > 0);
	return r;
}

int reply_content(
	const struct session *ss, uint32_t id, struct bytes data, struct error *e)
{
	unsigned char frame[FRAME_HEAD + 12];

	frame_head(frame, FRAME_CONTENT, 12);
	le32_put(frame + FRAME_HEAD, id);
	le64_put(frame + FRAME_HEAD + 4, data.size);
	return reply_data(ss, (struct bytes){ frame, sizeof(frame) }, data, e);
}

int session_next(struct session *ss, struct frame *ret, struct error *e)
{
	for (;;) {
		size_t n = 0;
		int r = frame_next(&ss->in, ret, e);

		if (r != 0)
			return r;
		r = frame_fill(&ss->in, ss->fd, &n, e);
		if (r < 0 || n == 0)
			return r;
	}
}

int session_base(
	struct session *ss, size_t place, size_t size, struct bytes *ret, struct error *e)
{
	void *p;

	if (!ss->base.data) {
		p = mmap(NULL, BASE_MAX, PROT_READ, MAP_SHARED, BASE_FD, 0);
		if (p == MAP_FAILED)
			return err_set(
				e, E_SYSTEM, "memory for bases: %s", strerror(errno));
		ss->base = (struct bytes){ p, BASE_MAX };
	}
	*ret = (struct bytes){ ss->base.data + place, size };
	return 0;
}

static enum store_fault fault_of(int code)
{
	switch ((enum err_code)code) {
	case E_REMOTE:
	case E_UNTRUSTED:
		return STORE_FAULT_SERVER;
	case E_NOTFOUND:
		return STORE_FAULT_NOTFOUND;
	case E_SPACE:
		return STORE_FAULT_SPACE;
	case E_USAGE:
	case E_INPUT:
		return STORE_FAULT_USAGE;
	case E_SYSTEM:
	case E_NOTHING:
	case E_BUSY:
	case E_STALE:
	case E_INTERRUPTED:
		return STORE_FAULT_LOCAL;
	}
	return STORE_FAULT_LOCAL;
}

int reply_error(const struct session *ss, const struct error *e)
{
	unsigned char fault = (unsigned char)fault_of(e->code);
	struct error gone; /* nobody is left to tell */

	return frame_send(ss->fd, FRAME_ERROR, (struct bytes){ &fault, 1 },
		bytes_of(e->text), &gone);
}

int err_git(struct error *e, enum err_code code, const char *fmt, ...)
{
	const git_error *g = git_error_last();
	const char *why = g && g->message ? g->message : "libgit2 gives no reason";
	char context[sizeof(e->text) / 2];
	va_list ap;

	/* The locale is C, so libgit2 and we spell errors alike. */
	if (strstr(why, strerror(ENOSPC)) || strstr(why, strerror(EDQUOT)))
		code = E_SPACE;
	va_start(ap, fmt);
	if (vsnprintf(context, sizeof(context), fmt, ap) < 0)
		context[0] = '\0';
	va_end(ap);
	return err_set(e, code, "%s: %s", context, why);
}

static char **option_field(struct options *o, const char *key, size_t n)
{
	const struct {
		const char *key;
		char **field;
	} known[] = {
		{ "url", &o->url },
		{ "proxy", &o->proxy },
		{ "ca", &o->ca },
		{ "username", &o->username },
		{ "password", &o->password },
		{ "ssh-key", &o->ssh_key },
		{ "known-hosts", &o->known_hosts },
		{ "stream", &o->stream },
		{ "have", &o->have },
		{ "keep", &o->keep },
		{ "ahead", &o->ahead },
		{ "doubt", &o->doubt },
		{ "rate-limit", &o->rate_limit },
		{ "netrc", &o->netrc },
		{ "client-certificate", &o->client_certificate },
		{ "client-key", &o->client_key },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].key) == n && memcmp(known[i].key, key, n) == 0)
			return known[i].field;
	return NULL;
}

int options_set(struct options *o, const char *text, struct error *e)
{
	const char *equals = strchr(text, '=');
	size_t n = equals ? (size_t)(equals - text) : strlen(text);
	char **field = option_field(o, text, n);

	if (!equals || !field)
		return err_set(
			e, E_USAGE, "osupdate-store knows no option %.*s", (int)n, text);
	if (*field)
		return err_set(e, E_USAGE, "option %.*s is given twice", (int)n, text);
	if (field == &o->url && url_kind(equals + 1) == URL_UNKNOWN)
		return err_set(e, E_USAGE,
			"url: %s: not http://, https://, git://, ssh://, host:path, "
			"file:// or an "
			"absolute path",
			equals + 1);
	*field = xstrdup(equals + 1);
	return 0;
}

void options_release(struct options *o)
{
	char *secrets[] = { o->password, o->ssh_key, o->netrc, o->client_certificate,
		o->client_key };
	char *others[] = { o->url, o->proxy, o->ca, o->username, o->known_hosts,
		o->stream, o->have, o->keep, o->ahead, o->doubt, o->rate_limit };

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (secrets[i])
			sodium_memzero(secrets[i], strlen(secrets[i]));
		free(secrets[i]);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		free(others[i]);
	*o = (struct options){ 0 };
}
