/* SPDX-License-Identifier: MIT */
/* A git server that speaks version 2: see git-v2.h.  Packs are git-v2-fetch.c's. */
#include "build-config.h"
#include "store/server/git-v2-internal.h"

#define ADVERTISED "info/refs?service=git-upload-pack"
#define TYPE_FIRST "application/x-git-upload-pack-advertisement"
#define TYPE_REST  "application/x-git-upload-pack-result"
#define LINES_MAX  1000	  /* capabilities */
#define REFS_MAX   100000 /* of a list */
#define REF_MAX	   255	  /* bytes of a name that we would have a use for */
#define SHOWN_MAX  200	  /* bytes of a text of the server's */

int git_v2_says(
	const struct git_v2 *g, const char *what, struct bytes text, struct error *e)
{
	if (text.size == 0)
		return err_set(e, E_REMOTE, "%s: %s", g->ss->shown_url, what);
	if (text.size > SHOWN_MAX)
		text.size = SHOWN_MAX;
	return err_set(e, E_REMOTE, "%s: %s: %.*s", g->ss->shown_url, what,
		(int)text.size, (const char *)text.data);
}

static int out_of_order(const struct git_v2 *g, struct bytes line, struct error *e)
{
	return git_v2_says(g, "the server answers out of order", pktline_text(line), e);
}

/* --- commands --------------------------------------------------------------------- */

void git_v2_command(const struct git_v2 *g, const char *name, struct buf *out)
{
	pktline_add(out, "command=%s", name);
	pktline_add(out, "agent=osupdate/%s", OSUPDATE_VERSION);
	if (g->says_format)
		pktline_add(out, "object-format=sha1");
	pktline_add_delim(out);
}

static void answer_of(struct git_v2 *g, struct answer *a)
{
	answer_close(g->answer);
	g->answer = a;
	g->in.some = answer_some;
	g->in.ctx = a;
	g->in.start = g->in.fill = 0;
}

void git_v2_ask(struct git_v2 *g, const struct buf *command)
{
	static const char *const headers[] = { "Git-Protocol: version=2",
		"Content-Type: application/x-git-upload-pack-request",
		/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one in two parts */
		"Accept: " TYPE_REST, "Expect:", NULL };

	answer_of(g, answer_open(g->h, "git-upload-pack", headers, buf_bytes(command)));
}

int git_v2_next(
	struct git_v2 *g, enum pktline_kind *ret_kind, struct bytes *ret, struct error *e)
{
	struct bytes text;
	int r = pktline_next(&g->in, ret_kind, ret, e);

	if (r < 0)
		return err_prefix(e, r, "%s", g->ss->shown_url);
	if (*ret_kind == PKTLINE_DATA && pktline_starts(*ret, "ERR ", &text))
		return git_v2_says(g, "the server says", pktline_text(text), e);
	return 0;
}

static int check_type(const struct git_v2 *g, const char *want, struct error *e)
{
	const char *type = answer_type(g->answer);
	size_t n = strlen(want);

	if (strncmp(type, want, n) == 0 && (type[n] == '\0' || type[n] == ';'))
		return 0;
	return git_v2_says(g, "no git repository answers there, but", bytes_of(type), e);
}

int git_v2_done(struct git_v2 *g, int r, struct error *e)
{
	enum pktline_kind kind = PKTLINE_EOF;
	struct bytes line = { 0 };

	if (r >= 0)
		r = check_type(g, TYPE_REST, e);
	if (r >= 0)
		r = git_v2_next(g, &kind, &line, e);
	if (r >= 0 && kind != PKTLINE_EOF)
		r = out_of_order(g, line, e);
	answer_of(g, NULL);
	return r < 0 ? r : 0;
}

/* --- what it can do --------------------------------------------------------------- */

/* Is `word` among those of `list`, which blanks separate? */
static bool lists(struct bytes list, const char *word)
{
	size_t n = strlen(word);

	while (list.size > 0) {
		const unsigned char *blank = memchr(list.data, ' ', list.size);
		size_t k = blank ? (size_t)(blank - list.data) : list.size;

		if (k == n && memcmp(list.data, word, n) == 0)
			return true;
		list.data += blank ? k + 1 : k;
		list.size -= blank ? k + 1 : k;
	}
	return false;
}

static int take_capability(struct git_v2 *g, struct bytes text, struct error *e)
{
	struct bytes value;

	if (pktline_starts(text, "fetch=", &value)) {
		g->shallow = lists(value, "shallow");
		g->filter = lists(value, "filter");
	} else if (pktline_starts(text, "ls-refs", NULL)) {
		g->ls_refs = true;
	} else if (pktline_starts(text, "object-format=", &value)) {
		g->says_format = true;
		if (!lists(value, "sha1"))
			return git_v2_says(g, "objects are named by", value, e);
	}
	return 0;
}

/* The first line of its own; a service line and a flush may stand before it. */
static int first_line(struct git_v2 *g, struct bytes *ret, struct error *e)
{
	enum pktline_kind kind;
	int r = git_v2_next(g, &kind, ret, e);

	if (r == 0)
		r = answer_follow(g->answer, e);
	if (r == 0)
		r = check_type(g, TYPE_FIRST, e);
	if (r == 0 && kind == PKTLINE_DATA && pktline_starts(*ret, "# service=", NULL)) {
		r = git_v2_next(g, &kind, ret, e);
		if (r == 0 && kind == PKTLINE_FLUSH)
			r = git_v2_next(g, &kind, ret, e);
	}
	if (r == 0 && kind != PKTLINE_DATA && kind != PKTLINE_FLUSH)
		r = out_of_order(g, (struct bytes){ 0 }, e);
	return r;
}

/* 1, 0 it speaks an older version. */
static int read_capabilities(struct git_v2 *g, struct error *e)
{
	struct bytes line;
	int r = first_line(g, &line, e);

	if (r < 0)
		return r;
	line = pktline_text(line);
	if (line.size != strlen("version 2") || !pktline_starts(line, "version 2", NULL))
		return 0;
	for (int n = 0; n < LINES_MAX; n++) {
		enum pktline_kind kind;

		r = git_v2_next(g, &kind, &line, e);
		if (r == 0 && kind == PKTLINE_FLUSH)
			return g->ls_refs && g->shallow;
		if (r == 0 && kind != PKTLINE_DATA)
			r = out_of_order(g, line, e);
		if (r == 0)
			r = take_capability(g, pktline_text(line), e);
		if (r < 0)
			return r;
	}
	return out_of_order(g, (struct bytes){ 0 }, e);
}

int git_v2_open(struct session *ss, struct git_v2 **ret, struct error *e)
{
	static const char *const headers[] = { "Git-Protocol: version=2",
		"Accept: " TYPE_FIRST, NULL };
	struct git_v2 *g = xcalloc(1, sizeof(*g));
	int r;

	g->ss = ss;
	r = http_open(ss, "", ss->options.url, &g->h, e);
	if (r == 0) {
		answer_of(g, answer_open(g->h, ADVERTISED, headers, (struct bytes){ 0 }));
		r = read_capabilities(g, e);
		answer_of(g, NULL);
	}
	if (r <= 0) {
		git_v2_close(g);
		return r;
	}
	*ret = g;
	return 1;
}

void git_v2_close(struct git_v2 *g)
{
	if (!g)
		return;
	answer_close(g->answer);
	http_close(g->h);
	free(g);
}

bool git_v2_filters(const struct git_v2 *g)
{
	return g->filter;
}

/* --- refs ------------------------------------------------------------------------- */

static bool read_id(struct bytes *text, git_oid *ret)
{
	char hex[GIT_OID_HEXSZ + 1];

	if (text->size < GIT_OID_HEXSZ)
		return false;
	memcpy(hex, text->data, GIT_OID_HEXSZ);
	hex[GIT_OID_HEXSZ] = '\0';
	text->data += GIT_OID_HEXSZ;
	text->size -= GIT_OID_HEXSZ;
	return strspn(hex, "0123456789abcdef") == GIT_OID_HEXSZ &&
	       git_oid_fromstr(ret, hex) == 0;
}

/* "<id> <name>[ <attribute>]…" */
static bool read_ref(struct bytes line, struct git_v2_ref *ret)
{
	const unsigned char *blank;
	struct bytes peeled;
	size_t n;

	if (!read_id(&line, &ret->id) || !pktline_starts(line, " ", &line))
		return false;
	blank = memchr(line.data, ' ', line.size);
	n = blank ? (size_t)(blank - line.data) : line.size;
	if (n == 0 || memchr(line.data, '\0', n))
		return false;
	ret->name = xstrndup((const char *)line.data, n);
	while (blank) {
		line = (struct bytes){ blank + 1, line.size - n - 1 };
		blank = memchr(line.data, ' ', line.size);
		n = blank ? (size_t)(blank - line.data) : line.size;
		if (pktline_starts(line, "peeled:", &peeled) &&
			!read_id(&peeled, &ret->peeled))
			return false;
	}
	return true;
}

static int take_ref(
	struct git_v2 *g, struct bytes line, struct git_v2_refs *ret, struct error *e)
{
	struct git_v2_ref ref = { 0 };

	if (pktline_starts(line, "unborn ", NULL))
		return 0;
	if (!read_ref(line, &ref)) {
		free(ref.name);
		return git_v2_says(g, "no list of refs", line, e);
	}
	if (strlen(ref.name) > REF_MAX) {
		free(ref.name);
		return 0;
	}
	ARRAY_GROW(ret->refs, ret->n, ret->cap);
	ret->refs[ret->n++] = ref;
	return 0;
}

int git_v2_list(struct git_v2 *g, const char *const *prefixes, struct git_v2_refs *ret,
	struct error *e)
{
	autobuf command = { 0 };
	enum pktline_kind kind = PKTLINE_DATA;
	struct bytes line;
	int r = 0;

	git_v2_command(g, "ls-refs", &command);
	pktline_add(&command, "peel");
	for (size_t i = 0; prefixes[i]; i++)
		pktline_add(&command, "ref-prefix %s", prefixes[i]);
	pktline_add_flush(&command);
	git_v2_ask(g, &command);
	for (size_t n = 0; r == 0; n++) {
		r = git_v2_next(g, &kind, &line, e);
		if (r < 0 || kind == PKTLINE_FLUSH)
			break;
		if (n == REFS_MAX) {
			r = git_v2_says(
				g, "a list of refs without end", (struct bytes){ 0 }, e);
			break;
		}
		r = kind == PKTLINE_DATA ? take_ref(g, pktline_text(line), ret, e)
					 : out_of_order(g, line, e);
	}
	return git_v2_done(g, r, e);
}

void git_v2_refs_release(struct git_v2_refs *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->refs[i].name);
	free(r->refs);
	*r = (struct git_v2_refs){ 0 };
}
