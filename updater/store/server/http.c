/* SPDX-License-Identifier: MIT */
/*
 * See http.h.  A body is pulled: libcurl is paused while nobody reads, so that a slow
 * slot slows the server down instead of filling memory.
 */
#include "store/server/http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/text.h"
#include "store/url.h"

#define BUFFER_MAX   (512u << 10) /* of a body, read ahead */
#define CHUNK	     (128l << 10) /* libcurl's own */
#define STALL_MS     15000	  /* silence that ends a connection; root waits longer */
#define CONNECT_MS   10000l
#define TRIES_MAX    6	 /* in a row without a byte */
#define PAUSE_MS     200 /* doubled from try to try */
#define PAUSE_MS_MAX 8000
#define REDIRECTS    5l

struct http {
	struct session *ss;
	CURLM *multi;
	char *places[HTTP_PLACES_MAX + 1];
	size_t n_places;
	struct buf shown; /* a place as messages have it */
};

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
	bool paused;
	bool ended;
	CURLcode result;
	char why[CURL_ERROR_SIZE];
	unsigned char *data;
	size_t start;
	size_t fill;
	uint64_t offered_start; /* Content-Range */
	uint64_t offered_total;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- places ----------------------------------------------------------------------- */

static bool is_place(const char *url)
{
	return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0 ||
	       strncmp(url, "file:///", 8) == 0;
}

static int add_place(struct http *h, const char *url, size_t n, struct error *e)
{
	char *place = xstrndup(url, n);

	while (n > 0 && place[n - 1] == '/')
		place[--n] = '\0';
	h->places[h->n_places++] = place;
	if (is_place(place))
		return 0;
	return err_set(
		e, E_USAGE, "stream: %.200s: not http://, https:// or file:///", place);
}

/* For messages: without a password. */
static const char *shown(struct http *h, size_t place)
{
	buf_reset(&h->shown);
	url_print(h->places[place], &h->shown);
	return h->shown.data;
}

static void shuffle(char **list, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = randombytes_uniform((uint32_t)i);
		char *swap = list[k];

		list[k] = list[i - 1];
		list[i - 1] = swap;
	}
}

int http_open(struct session *ss, const char *places, const char *first,
	struct http **ret, struct error *e)
{
	struct http *h = xcalloc(1, sizeof(*h));
	size_t fixed = first ? 1 : 0;
	int r = 0;

	h->ss = ss;
	if (first)
		r = add_place(h, first, strlen(first), e);
	for (const char *p = places + strspn(places, " "); r == 0 && *p;) {
		size_t n = strcspn(p, " ");

		if (h->n_places == HTTP_PLACES_MAX)
			r = err_set(e, E_USAGE, "stream: more than %d places",
				HTTP_PLACES_MAX);
		else
			r = add_place(h, p, n, e);
		p += n + strspn(p + n, " ");
	}
	if (r == 0 && (h->n_places == 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
			      !(h->multi = curl_multi_init())))
		r = err_set(e, E_SYSTEM, "libcurl cannot be initialised");
	if (r < 0) {
		http_close(h);
		return r;
	}
	shuffle(h->places + fixed, h->n_places - fixed);
	*ret = h;
	return 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	if (h->multi)
		(void)curl_multi_cleanup(h->multi); /* no handle is left in it */
	for (size_t i = 0; i < h->n_places; i++)
		free(h->places[i]);
	buf_release(&h->shown);
	free(h);
}

/* --- one request ------------------------------------------------------------------ */

static void set_login(CURL *easy, const struct options *o)
{
	if (o->username) {
		(void)curl_easy_setopt(easy, CURLOPT_USERNAME, o->username);
		(void)curl_easy_setopt(
			easy, CURLOPT_PASSWORD, o->password ? o->password : "");
		(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_ANY);
	}
	if (o->netrc) {
		(void)curl_easy_setopt(easy, CURLOPT_NETRC, CURL_NETRC_REQUIRED);
		(void)curl_easy_setopt(easy, CURLOPT_NETRC_FILE, "home/.netrc");
	}
	if (o->client_certificate) {
		struct curl_blob cert = { o->client_certificate,
			strlen(o->client_certificate), CURL_BLOB_COPY };
		const char *key_text =
			o->client_key ? o->client_key : o->client_certificate;
		struct curl_blob key = { (void *)(uintptr_t)key_text, strlen(key_text),
			CURL_BLOB_COPY };

		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &cert);
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
	}
}

/* An option that libcurl does not take shows when the request fails. */
static CURL *request(struct http *h, size_t place, const char *path, char *why)
{
	const struct options *o = &h->ss->options;
	autofree char *url = xasprintf("%s/%s", h->places[place], path);
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	(void)curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,file");
	(void)curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS);
	(void)curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, CHUNK);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "osupdate");
	if (o->proxy)
		(void)curl_easy_setopt(easy, CURLOPT_PROXY, o->proxy);
	if (o->ca)
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca);
	if (o->rate_limit)
		(void)curl_easy_setopt(easy, CURLOPT_MAX_RECV_SPEED_LARGE,
			(curl_off_t)strtoull(o->rate_limit, NULL, 10));
	set_login(easy, o);
	why[0] = '\0';
	return easy;
}

/* The value of header `name` in the line `p`, or NULL. */
static const char *header_value(const char *p, size_t n, const char *name, size_t *ret_n)
{
	size_t k = strlen(name);

	if (n <= k || strncasecmp(p, name, k) != 0 || p[k] != ':')
		return NULL;
	p += k + 1;
	n -= k + 1;
	while (n > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	while (n > 0 && (p[n - 1] == '\r' || p[n - 1] == '\n' || p[n - 1] == ' '))
		n--;
	*ret_n = n;
	return p;
}

static void keep_etag(const char *value, size_t n, char *etag)
{
	/* A weak one promises too little for If-Range (RFC 9110, 13.1.5). */
	if (n == 0 || n >= HTTP_ETAG_MAX || *value == 'W')
		return;
	memcpy(etag, value, n);
	etag[n] = '\0';
}

/* Silence for longer than `since_ms` + STALL_MS? */
static bool is_stalled(int64_t since_ms)
{
	return now_ms() - since_ms > STALL_MS;
}

/* The result of `easy`, once it has ended. */
static bool take_result(CURLM *multi, CURL *easy, CURLcode *ret)
{
	bool found = false;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(multi, &left)))
		if (m->msg == CURLMSG_DONE && m->easy_handle == easy) {
			*ret = m->data.result;
			found = true;
		}
	return found;
}

static const char *reason(CURLcode code, const char *why)
{
	return why[0] ? why : curl_easy_strerror(code);
}

static bool is_absent(CURL *easy, CURLcode code)
{
	long status = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status == 404 || status == 410 || code == CURLE_FILE_COULDNT_READ_FILE;
}

/* --- small files ------------------------------------------------------------------ */

struct small {
	struct http *h;
	struct buf *into;
	size_t max;
	size_t size;
	char etag[HTTP_ETAG_MAX];
	int64_t heard_ms;
};

static size_t on_small(char *data, size_t size, size_t n, void *ctx)
{
	struct small *s = ctx;

	(void)size;
	s->heard_ms = now_ms();
	if (n > s->max - s->size)
		return 0;
	buf_add(s->into, data, n);
	s->size += n;
	s->h->ss->done[0] += n;
	return n;
}

static size_t on_small_header(char *data, size_t size, size_t n, void *ctx)
{
	struct small *s = ctx;
	size_t k;
	const char *value = header_value(data, n, "etag", &k);

	(void)size;
	s->heard_ms = now_ms();
	if (value)
		keep_etag(value, k, s->etag);
	return n;
}

static CURLcode run_small(struct http *h, CURL *easy, struct small *s, char *why)
{
	CURLcode code = CURLE_OK;
	int running;

	s->heard_ms = now_ms();
	(void)curl_multi_add_handle(h->multi, easy);
	for (;;) {
		struct error gone;

		(void)curl_multi_perform(h->multi, &running);
		if (take_result(h->multi, easy, &code))
			break;
		if (reply_progress(h->ss, &gone) < 0 || is_stalled(s->heard_ms)) {
			(void)snprintf(why, CURL_ERROR_SIZE, "silence for %d s",
				STALL_MS / 1000);
			code = CURLE_OPERATION_TIMEDOUT;
			break;
		}
		(void)curl_multi_poll(h->multi, NULL, 0, 200, NULL);
	}
	(void)curl_multi_remove_handle(h->multi, easy);
	return code;
}

/* 0, 1 not changed, E_NOTFOUND, E_REMOTE. */
static int get_from(struct http *h, size_t place, const char *path, struct small *s,
	const char *etag, struct error *e)
{
	char why[CURL_ERROR_SIZE];
	CURL *easy = request(h, place, path, why);
	struct curl_slist *headers = NULL;
	autofree char *known = xasprintf("If-None-Match: %s", etag ? etag : "");
	CURLcode code;
	long status = 0;
	int r = 0;

	if (!easy)
		return err_set(e, E_SYSTEM, "libcurl: out of memory");
	if (etag && etag[0])
		headers = curl_slist_append(headers, known);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_small);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, s);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_small_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, s);
	code = run_small(h, easy, s, why);
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		r = err_set(e, is_absent(easy, code) ? E_NOTFOUND : E_REMOTE, "%s/%s: %s",
			shown(h, place), path, reason(code, why));
	else if (status == 304)
		r = 1;
	curl_easy_cleanup(easy);
	curl_slist_free_all(headers);
	return r;
}

int http_get(struct http *h, const char *path, size_t max, char *etag, struct buf *ret,
	struct error *e)
{
	int absent = 0;
	int r = E_REMOTE;

	for (size_t i = 0; i < h->n_places; i++) {
		struct small s = { .h = h, .into = ret, .max = max };
		size_t before = ret->size;

		r = get_from(h, i, path, &s, etag, e);
		if (r >= 0) {
			if (etag && r == 0)
				memcpy(etag, s.etag, sizeof(s.etag));
			return r;
		}
		ret->size = before;
		absent += r == E_NOTFOUND;
	}
	return absent == (int)h->n_places ? E_NOTFOUND : E_REMOTE;
}

/* --- bodies ----------------------------------------------------------------------- */

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
	(void)curl_multi_remove_handle(b->h->multi, b->easy);
	curl_easy_cleanup(b->easy);
	curl_slist_free_all(b->headers);
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
	if (b->easy && !b->ended && b->end && b->at == b->end)
		(void)pump(b, &ignored);
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

static size_t on_body_header(char *data, size_t size, size_t n, void *ctx)
{
	struct body *b = ctx;
	const char *value;
	size_t k;

	(void)size;
	value = header_value(data, n, "etag", &k);
	if (value) {
		keep_etag(value, k, b->etag);
		b->etag_place = b->place;
	}
	value = header_value(data, n, "content-range", &k);
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

	(void)curl_easy_getinfo(b->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 206 || b->offered_start != next || b->offered_total == 0 ||
		(b->total != 0 && b->total != b->offered_total)) {
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
	if (n > BUFFER_MAX - b->fill && b->start > 0) {
		memmove(b->data, b->data + b->start, b->fill - b->start);
		b->fill -= b->start;
		b->start = 0;
	}
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

	b->easy = request(b->h, b->place, b->path, b->why);
	if (!b->easy)
		return err_set(e, E_SYSTEM, "libcurl: out of memory");
	if (b->end)
		(void)snprintf(b->range, sizeof(b->range), "%llu-%llu",
			(unsigned long long)next, (unsigned long long)b->end - 1);
	else
		(void)snprintf(
			b->range, sizeof(b->range), "%llu-", (unsigned long long)next);
	if (b->etag[0] && b->etag_place == b->place)
		b->headers = curl_slist_append(b->headers, if_range);
	(void)curl_easy_setopt(b->easy, CURLOPT_RANGE, b->range);
	(void)curl_easy_setopt(b->easy, CURLOPT_HTTPHEADER, b->headers);
	(void)curl_easy_setopt(b->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(b->easy, CURLOPT_WRITEDATA, b);
	(void)curl_easy_setopt(b->easy, CURLOPT_HEADERFUNCTION, on_body_header);
	(void)curl_easy_setopt(b->easy, CURLOPT_HEADERDATA, b);
	b->checked = false;
	b->paused = false;
	b->ended = false;
	b->offered_total = 0;
	(void)curl_multi_add_handle(b->h->multi, b->easy);
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
	until = now_ms() + ms;
	while (now_ms() < until) {
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
	if (b->tries >= TRIES_MAX + n)
		return E_REMOTE;
	return b->tries >= n ? back_off(b, e) : 0;
}

/* The connection has ended before its time. */
static int broken(struct body *b, struct error *e)
{
	bool absent = is_absent(b->easy, b->result);

	(void)err_set(e, absent ? E_NOTFOUND : E_REMOTE, "%s/%s: %s",
		shown(b->h, b->place), b->path,
		b->result == CURLE_OK ? "ended too early" : reason(b->result, b->why));
	return carry_on(b, absent, e);
}

/* A file of this machine: libcurl cannot pause those. */
static int open_local(struct body *b, struct error *e)
{
	autofree char *url = xasprintf("%s/%s", b->h->places[b->place], b->path);
	autofree char *path = url_local_path(url);
	struct stat st;

	b->fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	if (b->fd < 0 || fstat(b->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		(b->total != 0 && b->total != (uint64_t)st.st_size)) {
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
	int64_t since = now_ms();
	int running;

	if (b->paused) {
		b->paused = false;
		(void)curl_easy_pause(b->easy, CURLPAUSE_CONT);
	}
	for (;;) {
		int r = reply_progress(b->h->ss, e);

		if (r < 0)
			return r;
		(void)curl_multi_perform(b->h->multi, &running);
		if (take_result(b->h->multi, b->easy, &b->result)) {
			b->ended = true;
			return 0;
		}
		if (b->fill - b->start > had)
			return 0;
		if (is_stalled(since)) {
			(void)snprintf(b->why, sizeof(b->why), "silence for %d s",
				STALL_MS / 1000);
			b->result = CURLE_OPERATION_TIMEDOUT;
			b->ended = true;
			return 0;
		}
		(void)curl_multi_poll(b->h->multi, NULL, 0, 200, NULL);
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
		} else if (b->ended) {
			r = broken(b, e);
		}
		if (r == 0 && b->easy && !b->ended)
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
