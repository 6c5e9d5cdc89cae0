/* SPDX-License-Identifier: MIT */
/* Places, and small files from them: see http.h.  Bodies are http-body.c's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "store/server/http-internal.h"
#include "store/url.h"

#define CONNECT_MS 10000l
#define REDIRECTS  5l

int64_t http_now_ms(void)
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
const char *http_shown(struct http *h, size_t place)
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

/* libcurl reads it by its name. */
static int write_netrc(const struct options *o, struct error *e)
{
	autofd dir = -1;

	if (!o->netrc) {
		(void)unlink("home/.netrc"); /* of a login that was configured once */
		return 0;
	}
	if (mkdir("home", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "store/home");
	dir = open("home", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "store/home");
	return io_replace_at(dir, ".netrc", bytes_of(o->netrc), 0600, e);
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
	if (r == 0)
		r = write_netrc(&ss->options, e);
	if (r == 0)
		r = libcurl_load(e);
	if (r == 0 && !(h->multi = curl.multi_init()))
		r = err_set(e, E_SYSTEM, "libcurl: out of memory");
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
		(void)curl.multi_cleanup(h->multi); /* no handle is left in it */
	for (size_t i = 0; i < h->n_places; i++)
		free(h->places[i]);
	buf_release(&h->shown);
	free(h);
}

/* --- one request ------------------------------------------------------------------ */

static void set_login(CURL *easy, const struct options *o)
{
	if (o->username) {
		(void)curl.easy_setopt(easy, CURLOPT_USERNAME, o->username);
		(void)curl.easy_setopt(
			easy, CURLOPT_PASSWORD, o->password ? o->password : "");
		(void)curl.easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_ANY);
	}
	if (o->netrc) {
		(void)curl.easy_setopt(easy, CURLOPT_NETRC, CURL_NETRC_REQUIRED);
		(void)curl.easy_setopt(easy, CURLOPT_NETRC_FILE, "home/.netrc");
	}
	if (o->client_certificate) {
		struct curl_blob cert = { o->client_certificate,
			strlen(o->client_certificate), CURL_BLOB_COPY };
		const char *key_text =
			o->client_key ? o->client_key : o->client_certificate;
		struct curl_blob key = { (void *)(uintptr_t)key_text, strlen(key_text),
			CURL_BLOB_COPY };

		(void)curl.easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &cert);
		(void)curl.easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
	}
}

/* An option that libcurl does not take shows when the request fails. */
CURL *http_request(
	struct http *h, size_t place, const char *path, char *why, struct http_end *end)
{
	const struct options *o = &h->ss->options;
	autofree char *url = xasprintf("%s/%s", h->places[place], path);
	CURL *easy = curl.easy_init();

	*end = (struct http_end){ .is_there = false };
	if (!easy)
		return NULL;
	(void)curl.easy_setopt(easy, CURLOPT_URL, url);
	(void)curl.easy_setopt(easy, CURLOPT_PRIVATE, end);
	(void)curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
	(void)curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,file");
	(void)curl.easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	(void)curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1l);
	(void)curl.easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS);
	(void)curl.easy_setopt(easy, CURLOPT_FAILONERROR, 1l);
	(void)curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1l);
	(void)curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl.easy_setopt(easy, CURLOPT_BUFFERSIZE, HTTP_CHUNK);
	(void)curl.easy_setopt(easy, CURLOPT_USERAGENT, "osupdate");
	if (o->proxy)
		(void)curl.easy_setopt(easy, CURLOPT_PROXY, o->proxy);
	if (o->ca)
		(void)curl.easy_setopt(easy, CURLOPT_CAINFO, o->ca);
	if (o->rate_limit)
		(void)curl.easy_setopt(easy, CURLOPT_MAX_RECV_SPEED_LARGE,
			(curl_off_t)strtoull(o->rate_limit, NULL, 10));
	set_login(easy, o);
	why[0] = '\0';
	return easy;
}

void http_expect_speed(CURL *easy)
{
	(void)curl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, HTTP_SLOW_BYTES);
	(void)curl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, HTTP_SLOW_S);
}

/* The value of header `name` in the line `p`, or NULL. */
const char *http_header(const char *p, size_t n, const char *name, size_t *ret_n)
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

bool http_keep_etag(const char *value, size_t n, char *etag)
{
	/* A weak one promises too little for If-Range (RFC 9110, 13.1.5). */
	if (n == 0 || n >= HTTP_ETAG_MAX || *value == 'W')
		return false;
	for (size_t i = 0; i < n; i++)
		if (value[i] < '!' || value[i] > '~')
			return false; /* no server has to take it back */
	memcpy(etag, value, n);
	etag[n] = '\0';
	return true;
}

/* Silence for longer than `since_ms` + HTTP_STALL_MS? */
bool http_is_stalled(int64_t since_ms)
{
	return http_now_ms() - since_ms > HTTP_STALL_MS;
}

void http_see_ends(struct http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl.multi_info_read(h->multi, &left))) {
		struct http_end *end = NULL;

		if (m->msg != CURLMSG_DONE ||
			curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &end) !=
				CURLE_OK ||
			!end)
			continue;
		*end = (struct http_end){ true, m->data.result };
	}
}

const char *http_reason(CURLcode code, const char *why)
{
	return why[0] ? why : curl.easy_strerror(code);
}

bool http_is_absent(CURL *easy, CURLcode code)
{
	long status = 0;

	(void)curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status == 404 || status == 410 || status == 416 ||
	       code == CURLE_FILE_COULDNT_READ_FILE;
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
	s->heard_ms = http_now_ms();
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
	const char *value = http_header(data, n, "etag", &k);

	(void)size;
	s->heard_ms = http_now_ms();
	if (value)
		(void)http_keep_etag(value, k, s->etag);
	return n;
}

static void run_small(
	struct http *h, CURL *easy, struct small *s, char *why, struct http_end *end)
{
	int running;

	s->heard_ms = http_now_ms();
	(void)curl.multi_add_handle(h->multi, easy);
	for (;;) {
		struct error gone;

		(void)curl.multi_perform(h->multi, &running);
		http_see_ends(h);
		if (end->is_there)
			break;
		if (reply_progress(h->ss, &gone) < 0 || http_is_stalled(s->heard_ms)) {
			(void)snprintf(why, CURL_ERROR_SIZE, "silence for %d s",
				HTTP_STALL_MS / 1000);
			end->code = CURLE_OPERATION_TIMEDOUT;
			break;
		}
		(void)curl.multi_poll(h->multi, NULL, 0, 200, NULL);
	}
	(void)curl.multi_remove_handle(h->multi, easy);
}

/* 0, 1 not changed, E_NOTFOUND, E_REMOTE. */
static int get_from(struct http *h, size_t place, const char *path, struct small *s,
	const char *etag, struct error *e)
{
	char why[CURL_ERROR_SIZE];
	struct http_end end;
	CURL *easy = http_request(h, place, path, why, &end);
	struct curl_slist *headers = NULL;
	autofree char *known = xasprintf("If-None-Match: %s", etag ? etag : "");
	long status = 0;
	int r = 0;

	if (!easy)
		return err_set(e, E_SYSTEM, "libcurl: out of memory");
	http_expect_speed(easy);
	if (etag && etag[0])
		headers = curl.slist_append(headers, known);
	(void)curl.easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	(void)curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_small);
	(void)curl.easy_setopt(easy, CURLOPT_WRITEDATA, s);
	(void)curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_small_header);
	(void)curl.easy_setopt(easy, CURLOPT_HEADERDATA, s);
	run_small(h, easy, s, why, &end);
	(void)curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (end.code != CURLE_OK)
		r = err_set(e, http_is_absent(easy, end.code) ? E_NOTFOUND : E_REMOTE,
			"%s/%s: %s", http_shown(h, place), path,
			http_reason(end.code, why));
	else if (status == 304 && headers)
		r = 1;
	else if (status == 304)
		r = err_set(e, E_REMOTE, "%s/%s: \"not changed\", which was not asked",
			http_shown(h, place), path);
	curl.easy_cleanup(easy);
	curl.slist_free_all(headers);
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
		if (r == E_SYSTEM)
			return r;
		absent += r == E_NOTFOUND;
	}
	return absent == (int)h->n_places ? E_NOTFOUND : E_REMOTE;
}
