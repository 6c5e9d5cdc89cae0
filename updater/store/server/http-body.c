/* SPDX-License-Identifier: MIT */
/*
 * Large files: see http.h.  A body is pulled: libcurl is paused while nobody reads, so
 * that a slow slot slows the server down instead of filling memory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/text.h"
#include "store/server/http-internal.h"
#include "store/url.h"

#define BUFFER_MAX   (512u << 10) /* of a body, read ahead */
#define TRIES_MAX    6		  /* in a row without a byte */
#define PAUSE_MS     200	  /* doubled from try to try */
#define PAUSE_MS_MAX 8000

struct body {
	struct http *h;
	char *path;
	uint64_t at;		  /* of the next byte in `data` */
	uint64_t end;		  /* 0: open */
	uint64_t total;		  /* 0: not known yet */
	size_t place;		  /* that is being asked */
	char etag[HTTP_ETAG_MAX]; /* of etag_place */
	size_t etag_place;
	unsigned tries;			  /* without a byte since */
	bool absent[HTTP_PLACES_MAX + 1]; /* places that do not have it */
	CURL *easy;			  /* NULL: not connected */
	int fd;				  /* of a place on this machine, instead; or -1 */
	struct curl_slist *headers;
	char range[48];
	bool checked; /* the answer's head fits */
	bool differs; /* it is another file's */
	bool another; /* so was some place's */
	bool paused;
	struct http_end over;
	char why[CURL_ERROR_SIZE];
	unsigned char *data;
	size_t start;
	size_t fill;
	uint64_t offered_start; /* Content-Range */
	uint64_t offered_total;
};

struct body *body_open(struct http *h, const char *path, uint64_t at, uint64_t end)
{
	struct body *b = xcalloc(1, sizeof(*b));

	b->h = h;
	b->path = xstrdup(path);
	b->at = at;
	b->end = end;
	b->fd = -1;
	b->data = xmalloc(BUFFER_MAX);
	return b;
}

static void disconnect(struct body *b)
{
	cleanup_fd(&b->fd);
	b->fd = -1;
	if (!b->easy)
		return;
	(void)curl.multi_remove_handle(b->h->multi, b->easy);
	curl.easy_cleanup(b->easy);
	curl.slist_free_all(b->headers);
	b->easy = NULL;
	b->headers = NULL;
}

static int pump(struct body *b, struct error *e);

void body_close(struct body *b)
{
	struct error ignored;

	if (!b)
		return;
	/* Read to its end, the connection can be used again: let libcurl see it. */
	if (b->easy && !b->over.is_there && b->end && b->at == b->end) {
		b->start = b->fill = 0; /* more than was asked for */
		(void)pump(b, &ignored);
	}
	disconnect(b);
	free(b->path);
	free(b->data);
	free(b);
}

uint64_t body_at(const struct body *b)
{
	return b->at;
}

uint64_t body_end(const struct body *b)
{
	return b->end;
}

uint64_t body_total(const struct body *b)
{
	return b->total;
}

void body_expect(struct body *b, uint64_t total)
{
	b->total = total;
}

static size_t on_body_header(char *data, size_t size, size_t n, void *ctx)
{
	struct body *b = ctx;
	const char *value;
	size_t k;

	(void)size;
	value = http_header(data, n, "etag", &k);
	if (value && http_keep_etag(value, k, b->etag))
		b->etag_place = b->place;
	value = http_header(data, n, "content-range", &k);
	if (value && k > 6 && strncasecmp(value, "bytes ", 6) == 0) {
		const char *dash = memchr(value, '-', k);
		const char *slash = memchr(value, '/', k);

		if (dash && slash &&
			text_u64(value + 6, (size_t)(dash - value) - 6, UINT64_MAX,
				&b->offered_start) &&
			text_u64(slash + 1, k - (size_t)(slash - value) - 1, UINT64_MAX,
				&b->offered_total))
			return n;
		b->offered_total = 0;
	}
	return n;
}

/* Is this the part of the file we asked for, and still the same file? */
static bool fits(struct body *b)
{
	uint64_t next = b->at + b->fill - b->start;
	long status = 0;

	(void)curl.easy_getinfo(b->easy, CURLINFO_RESPONSE_CODE, &status);
	b->differs = status == 206 && b->offered_total != 0 && b->total != 0 &&
		     b->total != b->offered_total;
	b->another |= b->differs;
	if (status != 206 || b->offered_start != next || b->offered_total == 0 ||
		b->differs) {
		(void)snprintf(b->why, sizeof(b->why),
			status == 206 ? "another file than before"
				      : "the server does not serve ranges");
		return false;
	}
	b->total = b->offered_total;
	return true;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct body *b = ctx;

	(void)size;
	if (!b->checked && !fits(b))
		return 0;
	b->checked = true;
	if (n > BUFFER_MAX - b->fill) {
		b->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	memcpy(b->data + b->fill, data, n);
	b->fill += n;
	b->h->ss->done[0] += n;
	b->tries = 0;
	return n;
}

static int connect_body(struct body *b, struct error *e)
{
	uint64_t next = b->at + b->fill - b->start;
	autofree char *if_range = xasprintf("If-Range: %s", b->etag);

	b->easy = http_request(b->h, b->place, b->path, b->why, &b->over);
	if (!b->easy)
		return err_set(e, E_SYSTEM, "libcurl: out of memory");
	http_expect_speed(b->easy);
	if (b->end)
		(void)snprintf(b->range, sizeof(b->range), "%llu-%llu",
			(unsigned long long)next, (unsigned long long)b->end - 1);
	else
		(void)snprintf(
			b->range, sizeof(b->range), "%llu-", (unsigned long long)next);
	if (b->etag[0] && b->etag_place == b->place)
		b->headers = curl.slist_append(b->headers, if_range);
	(void)curl.easy_setopt(b->easy, CURLOPT_RANGE, b->range);
	(void)curl.easy_setopt(b->easy, CURLOPT_HTTPHEADER, b->headers);
	(void)curl.easy_setopt(b->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl.easy_setopt(b->easy, CURLOPT_WRITEDATA, b);
	(void)curl.easy_setopt(b->easy, CURLOPT_HEADERFUNCTION, on_body_header);
	(void)curl.easy_setopt(b->easy, CURLOPT_HEADERDATA, b);
	b->checked = false;
	b->differs = false;
	b->paused = false;
	b->offered_total = 0;
	(void)curl.multi_add_handle(b->h->multi, b->easy);
	return 0;
}

/* A pause before the next try, which root sees as no progress. */
static int back_off(struct body *b, struct error *e)
{
	long ms = PAUSE_MS;
	int64_t until;

	for (size_t i = b->h->n_places; i < b->tries && ms < PAUSE_MS_MAX; i++)
		ms *= 2;
	ms = ms / 2 + (long)randombytes_uniform((uint32_t)ms);
	until = http_now_ms() + ms;
	while (http_now_ms() < until) {
		struct timespec nap = { .tv_nsec = 50000000 };
		int r = reply_progress(b->h->ss, e);

		if (r < 0)
			return r;
		(void)nanosleep(&nap, NULL); /* cut short: the clock decides */
	}
	return 0;
}

/* On to the next place, or the same again; `e` says why. */
static int carry_on(struct body *b, bool absent, struct error *e)
{
	size_t n = b->h->n_places;
	size_t left = n;
	size_t there = 0;

	disconnect(b);
	b->absent[b->place] = absent;
	do {
		if (left-- == 0)
			return E_NOTFOUND;
		b->place = (b->place + 1) % n;
	} while (b->absent[b->place]);
	if (absent)
		return 0;
	b->tries++;
	for (size_t i = 0; i < n; i++)
		there += !b->absent[i];
	if (b->another && b->tries >= there)
		return E_NOTFOUND;
	if (b->tries >= TRIES_MAX + n)
		return E_REMOTE;
	return b->tries >= n ? back_off(b, e) : 0;
}

/* The connection has ended before its time. */
static int broken(struct body *b, struct error *e)
{
	bool absent = http_is_absent(b->easy, b->over.code) || b->differs;

	(void)err_set(e, absent ? E_NOTFOUND : E_REMOTE, "%s/%s: %s",
		http_shown(b->h, b->place), b->path,
		b->over.code == CURLE_OK ? "ended too early"
					 : http_reason(b->over.code, b->why));
	return carry_on(b, absent, e);
}

/* A file of this machine: libcurl cannot pause those. */
static int open_local(struct body *b, struct error *e)
{
	autofree char *url = xasprintf("%s/%s", b->h->places[b->place], b->path);
	autofree char *path = url_local_path(url);
	struct stat st = { 0 };
	bool there;

	b->fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	there = b->fd >= 0 && fstat(b->fd, &st) == 0 && S_ISREG(st.st_mode);
	b->differs = there && b->total != 0 && b->total != (uint64_t)st.st_size;
	b->another |= b->differs;
	if (!there || b->differs) {
		(void)err_set(e, E_NOTFOUND, "%s: cannot be read", url);
		return carry_on(b, true, e);
	}
	b->total = (uint64_t)st.st_size;
	return 0;
}

static int read_local(struct body *b, void *data, size_t n, struct error *e)
{
	int r = io_pread_full(b->fd, data, n, b->at, e);

	if (r < 0) {
		(void)err_prefix(e, r, "%s/%s", b->h->places[b->place], b->path);
		return carry_on(b, false, e);
	}
	b->at += n;
	b->h->ss->done[0] += n;
	return 1;
}

static bool is_local(const struct body *b)
{
	return strncmp(b->h->places[b->place], "file://", 7) == 0;
}

/* Until there is a byte more to read, or the connection has ended. */
static int pump(struct body *b, struct error *e)
{
	size_t had = b->fill - b->start;
	int64_t since = http_now_ms();
	int running;

	if (b->paused) {
		b->paused = false;
		(void)curl.easy_pause(b->easy, CURLPAUSE_CONT);
	}
	for (;;) {
		int r = reply_progress(b->h->ss, e);

		if (r < 0)
			return r;
		(void)curl.multi_perform(b->h->multi, &running);
		http_see_ends(b->h);
		if (b->over.is_there)
			return 0;
		if (b->fill - b->start > had)
			return 0;
		if (http_is_stalled(since)) {
			(void)snprintf(b->why, sizeof(b->why), "silence for %d s",
				HTTP_STALL_MS / 1000);
			b->over.code = CURLE_OPERATION_TIMEDOUT;
			b->over.is_there = true;
			return 0;
		}
		(void)curl.multi_poll(b->h->multi, NULL, 0, 200, NULL);
	}
}

static void take(struct body *b, void *data, size_t n)
{
	memcpy(data, b->data + b->start, n);
	b->start += n;
	b->at += n;
	if (b->start == b->fill)
		b->start = b->fill = 0;
}

int body_some(struct body *b, void *data, size_t max, size_t *ret_n, struct error *e)
{
	for (;;) {
		size_t have = b->fill - b->start;
		int r = 0;

		if (have > 0) {
			*ret_n = have < max ? have : max;
			take(b, data, *ret_n);
			return 0;
		}
		if (b->fd >= 0) {
			r = read_local(b, data, max, e);
			if (r == 1) {
				*ret_n = max;
				return 0;
			}
		} else if (!b->easy) {
			r = is_local(b) ? open_local(b, e) : connect_body(b, e);
		} else if (b->over.is_there) {
			r = broken(b, e);
		}
		if (r == 0 && b->easy && !b->over.is_there)
			r = pump(b, e);
		if (r < 0)
			return r;
	}
}

int body_read(struct body *b, void *data, size_t n, struct error *e)
{
	unsigned char *to = data;

	while (n > 0) {
		size_t got;
		int r = body_some(b, to, n, &got, e);

		if (r < 0)
			return r;
		to += got;
		n -= got;
	}
	return 0;
}
