/* SPDX-License-Identifier: MIT */
/* A request and its answer: see http-answer.h. */
#include "store/server/http-answer.h"

#include <stdio.h>

#include "store/server/http-internal.h"

#define BUFFER_MAX (256u << 10) /* of an answer, read ahead */

struct answer {
	struct http *h;
	char *path;
	CURL *easy;
	struct curl_slist *headers;
	unsigned char *data;
	size_t start;
	size_t fill;
	bool paused;
	struct http_end over;
	char why[CURL_ERROR_SIZE];
};

static size_t on_answer(char *data, size_t size, size_t n, void *ctx)
{
	struct answer *a = ctx;

	(void)size;
	if (n > BUFFER_MAX - a->fill) {
		a->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	memcpy(a->data + a->fill, data, n);
	a->fill += n;
	a->h->ss->done[0] += n;
	return n;
}

static void set_body(CURL *easy, struct bytes body)
{
	if (body.size == 0)
		return;
	(void)curl.easy_setopt(easy, CURLOPT_POST, 1l);
	(void)curl.easy_setopt(easy, CURLOPT_POSTFIELDS, body.data);
	(void)curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
	/* Would become a GET of something else. */
	(void)curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0l);
}

struct answer *answer_open(
	struct http *h, const char *path, const char *const *headers, struct bytes body)
{
	struct answer *a = xcalloc(1, sizeof(*a));

	a->h = h;
	a->path = xstrdup(path);
	a->data = xmalloc(BUFFER_MAX);
	a->easy = http_request(h, 0, path, a->why, &a->over);
	if (!a->easy)
		return a;
	for (size_t i = 0; headers[i]; i++)
		a->headers = curl.slist_append(a->headers, headers[i]);
	(void)curl.easy_setopt(a->easy, CURLOPT_HTTPHEADER, a->headers);
	(void)curl.easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, on_answer);
	(void)curl.easy_setopt(a->easy, CURLOPT_WRITEDATA, a);
	/* An early 401 to a POST can end it with a "stream error" by version 2. */
	(void)curl.easy_setopt(
		a->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (strncmp(h->places[0], "https:", 6) == 0)
		(void)curl.easy_setopt(a->easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	set_body(a->easy, body);
	(void)curl.multi_add_handle(h->multi, a->easy);
	return a;
}

void answer_close(struct answer *a)
{
	if (!a)
		return;
	if (a->easy) {
		(void)curl.multi_remove_handle(a->h->multi, a->easy);
		curl.easy_cleanup(a->easy);
	}
	curl.slist_free_all(a->headers);
	free(a->path);
	free(a->data);
	free(a);
}

/* Until there is something to read, or the answer has ended. */
static int pump(struct answer *a, struct error *e)
{
	int running;

	if (a->paused) {
		a->paused = false;
		(void)curl.easy_pause(a->easy, CURLPAUSE_CONT);
	}
	for (;;) {
		int r = reply_progress(a->h->ss, e);

		if (r < 0)
			return r;
		(void)curl.multi_perform(a->h->multi, &running);
		http_see_ends(a->h);
		if (a->over.is_there)
			return 0;
		if (a->fill > a->start)
			return 0;
		(void)curl.multi_poll(a->h->multi, NULL, 0, 200, NULL);
	}
}

/* With FAILONERROR all from 400 on are errors of libcurl's. */
static int check_end(struct answer *a, struct error *e)
{
	long status = 0;

	if (a->over.code != CURLE_OK)
		return err_set(e, E_REMOTE, "%s", http_reason(a->over.code, a->why));
	(void)curl.easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return err_set(e, E_REMOTE, "the server answers with status %ld", status);
	return 0;
}

int answer_some(void *ctx, void *data, size_t max, size_t *ret_n, struct error *e)
{
	struct answer *a = ctx;
	size_t have;
	int r = 0;

	if (!a->easy)
		return err_set(e, E_SYSTEM, "libcurl: out of memory");
	if (a->fill == a->start && !a->over.is_there) {
		a->fill = a->start = 0;
		r = pump(a, e);
	}
	if (r == 0 && a->over.is_there)
		r = check_end(a, e);
	if (r < 0)
		return r;
	have = a->fill - a->start;
	*ret_n = have < max ? have : max;
	memcpy(data, a->data + a->start, *ret_n);
	a->start += *ret_n;
	return 0;
}

const char *answer_type(const struct answer *a)
{
	char *type = NULL;

	(void)curl.easy_getinfo(a->easy, CURLINFO_CONTENT_TYPE, &type);
	return type ? type : "";
}

/* --- redirects -------------------------------------------------------------------- */

/* What stands between :// and the port or path, without a login. */
static struct bytes host_of(const char *url)
{
	const char *host = strstr(url, "://");
	const char *at;
	size_t n;

	host = host ? host + 3 : url;
	n = strcspn(host, "/?#");
	at = memchr(host, '@', n);
	if (at) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	/* The colon of a port stands behind the ] of an IPv6 address. */
	for (size_t i = n; i > 0 && host[i - 1] != ']'; i--)
		if (host[i - 1] == ':')
			n = i - 1;
	return (struct bytes){ (const unsigned char *)host, n };
}

static bool has_login(const struct http *h)
{
	const struct options *o = &h->ss->options;
	const char *host = strstr(h->places[0], "://");

	return o->username || o->netrc || o->client_certificate ||
	       (host && memchr(host, '@', strcspn(host + 3, "/") + 3));
}

int answer_follow(struct answer *a, struct error *e)
{
	struct http *h = a->h;
	autofree char *asked = xasprintf("%s/%s", h->places[0], a->path);
	char *url = NULL;
	struct bytes from;
	struct bytes to;
	size_t n;

	if (curl.easy_getinfo(a->easy, CURLINFO_EFFECTIVE_URL, &url) != CURLE_OK ||
		!url || strcmp(url, asked) == 0)
		return 0;
	n = strlen(url);
	if (n <= strlen(a->path) || strcmp(url + n - strlen(a->path), a->path) != 0 ||
		url[n - strlen(a->path) - 1] != '/')
		return err_set(e, E_REMOTE,
			"%s: the server redirects to something that is no repository",
			http_shown(h, 0));
	from = host_of(h->places[0]);
	to = host_of(url);
	if (has_login(h) &&
		(from.size != to.size || strncasecmp((const char *)from.data,
						 (const char *)to.data, to.size) != 0))
		return err_set(e, E_REMOTE,
			"%s: the server redirects to host %.*s, which must not see the "
			"login: if it is right, configure its url",
			http_shown(h, 0), (int)(to.size < 100 ? to.size : 100),
			(const char *)to.data);
	free(h->places[0]);
	h->places[0] = xstrndup(url, n - strlen(a->path) - 1);
	return 0;
}
