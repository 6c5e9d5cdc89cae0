/* SPDX-License-Identifier: MIT */
/* Where releases come from: see url.h. */
#include "store/url.h"

#include "base/text.h"

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

enum url_kind url_kind(const char *url)
{
	static const struct {
		const char *scheme;
		enum url_kind kind;
	} schemes[] = {
		{ "https://", URL_HTTP },
		{ "http://", URL_HTTP },
		{ "git://", URL_GIT },
		{ "ssh://", URL_SSH },
		{ "file://", URL_LOCAL },
	};
	const char *colon;
	const char *slash;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (starts(url, schemes[i].scheme))
			return schemes[i].kind;
	if (url[0] == '/')
		return URL_LOCAL;
	if (strstr(url, "://"))
		return URL_UNKNOWN;
	/* git's own rule: a colon before the first slash is host:path. */
	colon = strchr(url, ':');
	slash = strchr(url, '/');
	return colon && colon != url && (!slash || colon < slash) ? URL_SSH : URL_UNKNOWN;
}

char *url_local_path(const char *url)
{
	autobuf path = { 0 };

	if (!starts(url, "file://"))
		return xstrdup(url);
	url += strlen("file://");
	if (starts(url, "localhost/"))
		url += strlen("localhost");
	if (url[0] != '/')
		return NULL;
	while (*url) {
		unsigned char c = (unsigned char)*url;
		char lower[2];

		if (c != '%') {
			buf_add(&path, url++, 1);
			continue;
		}
		for (int i = 0; i < 2; i++) {
			lower[i] = url[1] && (i == 0 || url[2]) ? url[1 + i] : '\0';
			if (lower[i] >= 'A' && lower[i] <= 'F')
				lower[i] = (char)(lower[i] + ('a' - 'A'));
		}
		if (!text_unhex(lower, 2, &c, 1) || c == '\0')
			return NULL;
		buf_add(&path, &c, 1);
		url += 3;
	}
	return buf_take(&path);
}

void url_print(const char *url, struct buf *out)
{
	autobuf shown = { 0 };
	const char *host = strstr(url, "://");
	size_t user_size;
	const char *at = NULL;

	host = host ? host + 3 : url;
	for (const char *p = host; *p && *p != '/'; p++)
		if (*p == '@')
			at = p; /* the last one: a password may hold an @ */
	user_size = at ? (size_t)(at - host) : 0;
	buf_add(&shown, url, (size_t)(host - url));
	if (user_size) {
		const char *colon = memchr(host, ':', user_size);

		buf_add(&shown, host, colon ? (size_t)(colon - host) : user_size);
		buf_adds(&shown, colon ? ":***" : "");
		host = at;
	}
	buf_adds(&shown, host);
	text_escape(out, buf_bytes(&shown), false);
}
