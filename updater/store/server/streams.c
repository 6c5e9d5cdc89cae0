/* SPDX-License-Identifier: MIT */
/* Following a channel of release streams: see streams.h.  Contents are stream-send.c's.
 */
#include "store/server/streams-internal.h"

#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "store/server/history.h"
#include "store/server/kept.h"
#include "store/server/sweep.h"

#define SERIAL	"Osupdate-Serial: "
#define VERSION "Osupdate-Version: "

bool streams_configured(const struct session *ss)
{
	return ss->options.stream != NULL;
}

int streams_open(struct session *ss, struct streams **ret, struct error *e)
{
	struct streams *s = xcalloc(1, sizeof(*s));
	autofree char *ahead = xasprintf("file://%s/%s", ss->dir, KEPT_AHEAD_DIR);
	const char *have = ss->options.have ? ss->options.have : "";
	int r;

	s->ss = ss;
	s->lock = -1;
	while (*have && s->n_have < HAVE_MAX) {
		size_t n = strcspn(have, " ");

		if (oid_parse(have, n, &s->have[s->n_have]))
			s->n_have++;
		have += n + strspn(have + n, " ");
	}
	r = http_open(
		ss, ss->options.stream ? ss->options.stream : "", ahead, &s->http, e);
	if (r < 0) {
		streams_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void streams_close(struct streams *s)
{
	if (!s)
		return;
	stream_file_close(&s->main);
	stream_file_close(&s->full);
	catalog_release(&s->catalog);
	http_close(s->http);
	cleanup_fd(&s->lock);
	free(s->asked);
	free(s);
}

/* --- the channel ------------------------------------------------------------------ */

/* Does a slot hold this commit? */
static bool is_held(const struct streams *s, const struct buf *commit)
{
	struct oid id = oid_of("commit", buf_bytes(commit));

	for (size_t i = 0; i < s->n_have; i++)
		if (oid_equal(&id, &s->have[i]))
			return true;
	return false;
}

static int get_channel(
	struct streams *s, const char *channel, struct buf *ret, struct error *e)
{
	autofree char *path = xasprintf("channel/%s", channel);
	char etag[HTTP_ETAG_MAX] = "";
	autobuf known = { 0 };
	int r;

	/* An etag is a server's word: it counts for what was proven since, and is of no
	 * use to another server. */
	if (kept_channel(channel, &known, etag, NULL) < 0 || !is_held(s, &known) ||
		strchr(s->ss->options.stream, ' '))
		etag[0] = '\0';
	r = http_get(s->http, path, FRAME_COMMIT_MAX, etag, ret, e);
	if (r == E_NOTFOUND)
		return 0;
	if (r < 0)
		return r;
	if (r == 1)
		buf_add(ret, known.data, known.size);
	else
		r = kept_save_channel(channel, buf_bytes(ret), etag, e);
	return r < 0 ? r : 1;
}

int streams_make_room(struct streams *s, int r)
{
	if (r != E_SPACE || streams_lock(s, NULL) < 0)
		return r;
	stream_file_close(&s->main);
	stream_file_close(&s->full);
	(void)remove_tree(KEPT_DIR, NULL); /* the next attempt tries again */
	return r;
}

int streams_list(struct streams *s, const char *channel, git_oid *ret, struct error *e)
{
	autobuf raw = { 0 };
	struct oid id;
	int r = streams_make_room(s, get_channel(s, channel, &raw, e));

	if (r <= 0)
		return r;
	id = oid_of("commit", buf_bytes(&raw));
	memcpy(ret->id, id.b, OID_SIZE);
	return 1;
}

/* What cannot be read there is no file of a person's. */
static int of_server(int r, struct error *e)
{
	if (r == E_INPUT && e)
		e->code = E_REMOTE;
	return r == E_INPUT ? E_REMOTE : r;
}

int streams_distrust(const struct oid *id, int r, struct error *e)
{
	if (r == E_INPUT || r == E_NOTFOUND)
		kept_forget_streams(id);
	return of_server(r, e);
}

/* --- which stream ----------------------------------------------------------------- */

int streams_catalog(struct streams *s, const struct oid *id, struct error *e)
{
	char path[64 + OID_HEX_MAX];
	char hex[OID_HEX_MAX];
	autobuf text = { 0 };
	int r;

	if (s->catalog.n > 0 && oid_equal(&s->catalog_of, id))
		return 0;
	s->only_full = false;
	stream_file_close(&s->main);
	stream_file_close(&s->full);
	catalog_release(&s->catalog);
	oid_hex(id, hex);
	(void)snprintf(path, sizeof(path), "release/%s/index", hex);
	r = http_get(s->http, path, CATALOG_MAX, NULL, &text, e);
	if (r == 0)
		r = catalog_parse(buf_bytes(&text), &s->catalog, e);
	if (r == 0)
		s->catalog_of = *id;
	return r == E_INPUT ? err_prefix(e, of_server(r, e), "%s", path) : r;
}

char *streams_path(const struct oid *id, const struct oid *source)
{
	char hex[OID_HEX_MAX];
	char from[OID_HEX_MAX];

	oid_hex(id, hex);
	if (!source)
		return xasprintf("release/%s/full", hex);
	oid_hex(source, from);
	return xasprintf("release/%s/from-%s", hex, from);
}

/* The first release that a slot holds and there is a stream from, or NULL: the full one.
 */
const struct oid *streams_choose(const struct streams *s)
{
	for (size_t i = 0; i < s->n_have && !s->only_full; i++)
		if (catalog_find(&s->catalog, &s->have[i]))
			return &s->have[i];
	return NULL;
}

int streams_lock(struct streams *s, struct error *e)
{
	return s->lock >= 0 ? 0 : fetch_lock(&s->lock, e);
}

static int open_stream(struct streams *s, const struct oid *id, const struct oid *source,
	uint64_t end, struct stream_file *ret, struct error *e)
{
	autofree char *path = streams_path(id, source);
	autobuf beginning = { 0 };
	bool known = kept_beginning(id, source, &beginning, NULL) == 0;
	int r = streams_lock(s, e);

	if (r == 0)
		r = stream_file_open(s->http, path, id, source, end, &beginning, ret, e);
	return r < 0 || known ? r
			      : kept_save_beginning(id, source, buf_bytes(&beginning), e);
}

/*
 * Open the chosen stream.  One from a release is read through; of the full one everything
 * only when nothing is here, so ranges of it are asked for.
 */
int streams_open_main(struct streams *s, const struct oid *id, struct error *e)
{
	const struct oid *source;
	uint64_t end = STREAM_PROLOGUE;
	int r = streams_catalog(s, id, e);

	if (r < 0 || s->main.path)
		return r;
	source = streams_choose(s);
	if (!kept_has(id))
		end = source || s->n_have == 0 ? 0 : s->catalog.streams[0].start;
	r = open_stream(s, id, source, end, &s->main, e);
	if (source && (r == E_INPUT || r == E_NOTFOUND)) {
		/* Gone, or not what it should be: ranges of the full one do as well. */
		s->only_full = true;
		if (r == E_INPUT)
			kept_forget_streams(id);
		return streams_open_main(s, id, e);
	}
	return streams_distrust(id, r, e);
}

/* The full stream's index, for what the chosen one does not give. */
int streams_open_full(struct streams *s, const struct oid *id, struct error *e)
{
	int r = streams_catalog(s, id, e);

	if (r < 0 || s->full.path)
		return r;
	return streams_distrust(
		id, open_stream(s, id, NULL, STREAM_PROLOGUE, &s->full, e), e);
}

/* --- commits and manifest --------------------------------------------------------- */

/* By the full stream, where the source's manifest is not here. */
static int manifest_of_full(
	struct streams *s, const struct oid *id, int fd, struct error *e)
{
	struct stream_file full = { 0 };
	int r = open_stream(s, id, NULL, s->catalog.streams[0].start, &full, e);

	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		r = err_sys(e, "store: manifest");
	if (r == 0)
		r = stream_file_manifest(&full, -1, fd, e);
	stream_file_close(&full);
	return streams_distrust(id, r, e);
}

int streams_keep(struct streams *s, const struct oid *id, struct error *e)
{
	autofd source = -1;
	autofd fd = -1;
	int r;

	if (kept_has(id) && !s->ss->options.ahead)
		return 0;
	r = kept_has(id) ? 0 : announce(s->ss, e);
	if (r == 0 && s->ss->options.ahead)
		r = streams_ahead(s, id, e);
	if (r == E_SPACE)
		kept_sweep(id, s->have, s->n_have);
	if (r < 0 || kept_has(id))
		return r;
	r = streams_open_main(s, id, e);
	if (r == 0)
		r = kept_begin(id, &fd, e);
	if (r < 0)
		return streams_make_room(s, r);
	if (stream_has_source(&s->main.prologue))
		(void)kept_manifest(&s->main.prologue.source, &source, NULL);
	r = stream_file_manifest(&s->main, source, fd, e);
	if (r == E_INPUT)
		kept_forget_streams(id);
	if (r == E_NOTFOUND || r == E_INPUT)
		r = manifest_of_full(s, id, fd, e);
	else
		r = streams_distrust(id, r, e);
	if (r == 0)
		r = kept_save(id, fd, buf_bytes(&s->main.head), e);
	if (r < 0)
		kept_give_up(id);
	return streams_make_room(s, r);
}

int streams_fetch(struct streams *s, const char *channel, git_oid *ret, struct error *e)
{
	struct oid id;
	int r = streams_list(s, channel, ret, e);

	if (r <= 0)
		return r;
	memcpy(id.b, ret->id, OID_SIZE);
	r = streams_keep(s, &id, e);
	if (r < 0)
		return r;
	kept_sweep(&id, s->have, s->n_have);
	return 1;
}

/* --- what is kept ----------------------------------------------------------------- */

static int reply_release(
	struct session *ss, struct bytes commit, struct bytes tags, struct error *e)
{
	autobuf head = { 0 }; /* in which tags follow their commit */
	enum stream_item kind;
	struct bytes raw;
	size_t at = 0;
	int n = 0;
	int r = reply(ss, FRAME_COMMIT, commit, e);

	stream_head_add(&head, STREAM_COMMIT, commit);
	buf_add(&head, tags.data, tags.size);
	while (r == 0 && n < FRAME_TAGS_MAX &&
		stream_head_next(buf_bytes(&head), &at, &kind, &raw, NULL) == 1) {
		if (kind != STREAM_TAG || raw.size == 0 || raw.size > FRAME_COMMIT_MAX)
			continue;
		r = reply(ss, FRAME_TAG, raw, e);
		n++;
	}
	return r;
}

static int find(struct streams *s, const char *selector, struct buf *commit,
	struct buf *tags, struct error *e)
{
	char etag[HTTP_ETAG_MAX];
	struct oid id;
	autobuf raw = { 0 };

	(void)s;
	if (strncmp(selector, "commit:", 7) == 0)
		return oid_parse(selector + 7, strlen(selector + 7), &id)
			       ? kept_find(&id, NULL, NULL, commit, tags, e)
			       : 0;
	if (strncmp(selector, "serial:", 7) == 0)
		return kept_find(NULL, SERIAL, selector + 7, commit, tags, e);
	if (strncmp(selector, "version:", 8) == 0)
		return kept_find(NULL, VERSION, selector + 8, commit, tags, e);
	if (strncmp(selector, "channel:", 8) != 0 ||
		kept_channel(selector + 8, &raw, etag, NULL) < 0)
		return 0;
	id = oid_of("commit", buf_bytes(&raw));
	if (kept_find(&id, NULL, NULL, commit, tags, e) == 0)
		buf_add(commit, raw.data,
			raw.size); /* not fetched yet, and without tags */
	return 1;
}

int streams_release(struct streams *s, const char *selector, struct error *e)
{
	autobuf commit = { 0 };
	autobuf tags = { 0 };
	struct oid id;
	int r = find(s, selector, &commit, &tags, e);

	/* Named by its id, it may be on the server though nothing here knows of it. */
	if (r == 0 && strncmp(selector, "commit:", 7) == 0 &&
		oid_parse(selector + 7, strlen(selector + 7), &id) &&
		streams_keep(s, &id, NULL) == 0)
		r = find(s, selector, &commit, &tags, e);
	if (r <= 0)
		return r;
	r = reply_release(s->ss, buf_bytes(&commit), buf_bytes(&tags), e);
	return r < 0 ? r : 1;
}

bool streams_serve(struct streams *s, const git_oid *commit)
{
	struct oid id;

	memcpy(id.b, commit->id, OID_SIZE);
	return streams_open_main(s, &id, NULL) == 0;
}

bool streams_has(struct streams *s, const git_oid *commit)
{
	struct oid id;

	memcpy(id.b, commit->id, OID_SIZE);
	return kept_has(&id) || streams_catalog(s, &id, NULL) == 0;
}

/* The first parent of a raw commit. */
static bool parent_of(const struct buf *commit, struct oid *ret)
{
	const char *end = strstr(commit->data, "\n\n");
	const char *line = strstr(commit->data, "\nparent ");

	return line && end && line < end &&
	       oid_parse(line + 8, strcspn(line + 8, "\n"), ret);
}

int streams_log(struct streams *s, uint32_t max, const char *channel, struct error *e)
{
	char etag[HTTP_ETAG_MAX];
	autobuf commit = { 0 };
	struct oid id;
	int r = kept_channel(channel, &commit, etag, NULL);

	(void)s;
	if (r < 0)
		return 0;
	for (uint32_t n = 0; r >= 0 && n < max; n++) {
		r = reply(s->ss, FRAME_COMMIT, buf_bytes(&commit), e);
		if (r < 0 || !parent_of(&commit, &id))
			break;
		buf_reset(&commit);
		r = kept_find(&id, NULL, NULL, &commit, NULL, e);
		if (r <= 0)
			break;
	}
	return r < 0 ? r : 1;
}

int streams_manifest(struct streams *s, const git_oid *commit, struct error *e)
{
	automap map = { 0 };
	autofd fd = -1;
	struct oid id;
	int r;

	memcpy(id.b, commit->id, OID_SIZE);
	r = streams_keep(s, &id, e);
	if (r == 0)
		r = kept_manifest(&id, &fd, e);
	if (r == 0)
		r = io_map(fd, &map, e);
	return r < 0 ? r : reply_data(s->ss, (struct bytes){ 0 }, map, e);
}
