/* SPDX-License-Identifier: MIT */
/*
 * osupdate-store: the only process that sees the network or parses git objects.  It runs
 * without privileges in its own directory, takes requests on descriptor 3 (protocol.h)
 * and knows nothing of slots or trust.  Whatever it says, root checks.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "store/server/contents.h"
#include "store/server/fetch.h"
#include "store/server/history.h"
#include "store/server/kept.h"
#include "store/server/local.h"
#include "store/server/partial.h"
#include "store/server/remote.h"
#include "store/server/repository.h"
#include "store/server/sandbox.h"
#include "store/server/smart.h"
#include "store/server/streams.h"
#include "store/server/sweep.h"
#include "store/url.h"

struct server {
	struct session ss;
	struct wanted *wanted;
	struct streams *streams; /* NULL until they are needed */
	bool by_stream; /* the WANTs that come are of a release that streams have */
	bool started;	/* libgit2 is */
	bool contents;	/* git serves them: all that was to come is here */
	struct sandbox sandbox;
};

#define ROOM_MIN ((uint64_t)4 << 20) /* bytes; with fewer the disk counts as full */

/* Nobody else is there to tell, and nothing can be done but to end. */
static void end_with(enum store_fault fault, const char *text)
{
	unsigned char frame[FRAME_HEAD + 1 + 128];
	size_t n = strlen(text);

	frame_head(frame, FRAME_ERROR, 1 + n);
	frame[FRAME_HEAD] = (unsigned char)fault;
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): frames have a length */
	memcpy(frame + FRAME_HEAD + 1, text, n);
	(void)!write(STORE_FD, frame, FRAME_HEAD + 1 + n);
	_exit(1);
}

/*
 * libgit2 writes packs through a mapping of a sparse file: a full disk is SIGBUS.  So is
 * a sector that cannot be read, of a pack; a store on others is the remedy.  It never
 * strikes in the middle of one of our own frames, which copy no mapping.
 */
static void on_bus_error(int sig)
{
	struct statvfs fs;

	(void)sig;
	if (statvfs(".", &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < ROOM_MIN)
		end_with(STORE_FAULT_SPACE, "the disk that holds the store is full");
	damage_set();
	partial_remove(); /* it is mapped, too */
	end_with(STORE_FAULT_LOCAL,
		"the disk that holds the store is failing; the next fetch makes it anew");
}

/* libgit2 resolves paths from the root, so every directory above us must let us through.
 */
static int check_way(const char *dir, struct error *e)
{
	autofree char *path = xstrdup(dir);

	for (char *p = path + 1;; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (access(path, X_OK) < 0)
			return err_set(e, E_SYSTEM,
				"%s: %s: user osupdate must be able to pass it (chmod "
				"a+x)",
				path, strerror(errno));
		*p = was;
		if (was == '\0')
			return 0;
	}
}

static int find_directory(struct session *ss, struct error *e)
{
	ss->dir = getcwd(NULL, 0);
	if (!ss->dir)
		return err_set(e, E_SYSTEM, "getcwd: %s", strerror(errno));
	return check_way(ss->dir, e);
}

/* Before the first request that needs the repository. */
static int start(struct server *s, struct error *e)
{
	autobuf shown = { 0 };
	int r;

	if (s->started)
		return 0;
	r = find_directory(&s->ss, e);
	if (r == 0)
		r = sandbox_enter(&s->sandbox, &s->ss.options, e);
	if (r == 0)
		r = library_start(&s->ss, e);
	if (r < 0)
		return r;
	url_print(s->ss.options.url ? s->ss.options.url : "", &shown);
	s->ss.shown_url = buf_take(&shown);
	s->started = true;
	return 0;
}

static int send_tip(struct session *ss, int found, const git_oid *id, struct error *e)
{
	return found <= 0 ? found
			  : reply(ss, FRAME_TIP, (struct bytes){ id->id, OID_SIZE }, e);
}

static int need_url(const struct session *ss, struct error *e)
{
	return ss->options.url ? 0 : err_set(e, E_USAGE, "no url is configured");
}

static int list_git(
	struct session *ss, const char *channel, git_oid *ret, struct error *e)
{
	int r = need_url(ss, e);

	if (r == 0)
		r = repository_open(ss, e);
	if (r < 0)
		return r;
	if (url_kind(ss->options.url) == URL_LOCAL)
		return local_list(ss, channel, ret, e);
	if (url_kind(ss->options.url) == URL_HTTP)
		r = smart_list(ss, channel, ret, e);
	else
		r = E_NOTHING;
	return r == E_NOTHING ? remote_list(ss, channel, ret, e) : r;
}

static int fetch_git(struct server *s, const char *channel, git_oid *ret, struct error *e)
{
	int r = need_url(&s->ss, e);

	wanted_forget(s->wanted);
	return r < 0 ? r : fetch_channel(&s->ss, channel, ret, e);
}

static int need_streams(struct server *s, struct error *e)
{
	if (s->streams)
		return 0;
	return streams_open(&s->ss, &s->streams, e);
}

/* LIST and FETCH: streams first, and git where they fail and it is configured, too. */
static int serve_tip(struct server *s, bool fetch, const char *channel, struct error *e)
{
	git_oid tip;
	int r = E_REMOTE;

	if (streams_configured(&s->ss)) {
		r = need_streams(s, e);
		if (r == 0)
			r = fetch ? streams_fetch(s->streams, channel, &tip, e)
				  : streams_list(s->streams, channel, &tip, e);
		if (r > 0 || !s->ss.options.url || r == E_USAGE)
			return send_tip(&s->ss, r, &tip, e);
	}
	r = fetch ? fetch_git(s, channel, &tip, e) : list_git(&s->ss, channel, &tip, e);
	return send_tip(&s->ss, r, &tip, e);
}

static int commit_id(const struct frame *f, git_oid *ret, struct error *e)
{
	if (f->payload.size != OID_SIZE)
		return err_set(e, E_USAGE, "request %u: no commit id", f->type);
	memcpy(ret->id, f->payload.data, OID_SIZE);
	return 0;
}

/* What streams have needs none, and costs less by them. */
static int serve_bring(struct server *s, const char *what, struct error *e)
{
	git_oid id;
	int r;

	if (!s->ss.options.url || streams_configured(&s->ss))
		return err_set(e, E_NOTFOUND, "streams have no release %s",
			what + strcspn(what, " "));
	wanted_forget(s->wanted);
	r = fetch_release(&s->ss, what, &id, e);
	return send_tip(&s->ss, r, &id, e);
}

static bool git_has(struct session *ss, const git_oid *id)
{
	autogit(git_odb) odb = NULL;
	struct error ignored;

	return ss->options.url && access(GIT_DIR, F_OK) == 0 &&
	       repository_open(ss, &ignored) == 0 &&
	       git_repository_odb(&odb, ss->repo) == 0 && git_odb_exists(odb, id);
}

/* How many WANTs at a time?  Streams are read once, and want to know all of them; git has
 * them all here, and is done with the network. */
static int serve_wants(struct server *s, const git_oid *id, struct error *e)
{
	unsigned char room[5];

	/* What is kept here is no promise that contents are served: git may have brought
	 * them. */
	s->by_stream = streams_configured(&s->ss) && need_streams(s, e) == 0 &&
		       streams_has(s->streams, id) &&
		       (!git_has(&s->ss, id) || streams_serve(s->streams, id));
	if (!streams_configured(&s->ss)) {
		int r = sandbox_end_network(&s->sandbox, e);

		if (r < 0)
			return r;
		s->contents = true;
	}
	le32_put(room, s->by_stream ? FRAME_WANTS_MAX : FRAME_BATCH);
	room[4] = !s->by_stream;
	return reply(&s->ss, FRAME_ROOM, (struct bytes){ room, sizeof(room) }, e);
}

static int serve_manifest(struct server *s, const git_oid *id, struct error *e)
{
	int r;

	if (streams_configured(&s->ss) && need_streams(s, e) == 0 &&
		streams_has(s->streams, id)) {
		r = streams_manifest(s->streams, id, e);
		if (r == 0 || !s->ss.options.url)
			return r;
	}
	r = repository_open(&s->ss, e);
	return r < 0 ? r : contents_manifest(&s->ss, id, e);
}

/* Requests about one commit. */
static int serve_commit(struct server *s, const struct frame *f, struct error *e)
{
	git_oid id;
	int r = commit_id(f, &id, e);

	if (r < 0)
		return r;
	if (f->type == FRAME_MANIFEST)
		return serve_manifest(s, &id, e);
	if (f->type == FRAME_WANTS)
		return serve_wants(s, &id, e);
	if (s->by_stream)
		return f->type == FRAME_WANT_END ? streams_send(s->streams, &id, e)
						 : streams_forecast(s->streams, &id, e);
	if (f->type == FRAME_WANT_COUNT) {
		wanted_empty(s->wanted);
		return 0;
	}
	r = repository_open(&s->ss, e);
	return r < 0 ? r : wanted_send(s->wanted, &s->ss, &id, e);
}

/* RELEASE and LOG: what streams left here, else the repository. */
static int serve_history(
	struct server *s, const struct frame *f, const char *text, struct error *e)
{
	int r = 0;

	if (streams_configured(&s->ss)) {
		r = need_streams(s, e);
		if (r == 0)
			r = f->type == FRAME_RELEASE
				    ? streams_release(s->streams, text, e)
				    : streams_log(s->streams, le32_get(f->payload.data),
					      text + 4, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = repository_open(&s->ss, e);
	if (r < 0)
		return r;
	return f->type == FRAME_RELEASE
		       ? history_release(&s->ss, text, e)
		       : history_log(&s->ss, le32_get(f->payload.data), text + 4, e);
}

static int serve_option(struct server *s, const char *text, struct error *e)
{
	bool known = s->ss.options.doubt != NULL;
	int r;

	if (s->started)
		return err_set(e, E_USAGE, "options come first");
	r = options_set(&s->ss.options, text, e);
	if (r < 0 || known || !s->ss.options.doubt)
		return r;
	if (strcmp(s->ss.options.doubt, "streams") != 0)
		damage_set();
	return remove_tree(KEPT_DIR, e);
}

/* `text` is the payload with a NUL behind it. */
static int serve_request(
	struct server *s, const struct frame *f, const char *text, struct error *e)
{
	int r = start(s, e);

	if (r < 0)
		return r;
	if (s->contents && (f->type == FRAME_LIST || f->type == FRAME_FETCH ||
				   f->type == FRAME_BRING))
		return err_set(e, E_USAGE, "LIST, FETCH and BRING come before contents");
	switch (f->type) {
	case FRAME_LIST:
	case FRAME_FETCH:
		return serve_tip(s, f->type == FRAME_FETCH, text, e);
	case FRAME_BRING:
		return serve_bring(s, text, e);
	case FRAME_RELEASE:
		return serve_history(s, f, text, e);
	case FRAME_LOG:
		return f->payload.size < 4 ? err_set(e, E_USAGE, "LOG: too short")
					   : serve_history(s, f, text, e);
	case FRAME_MANIFEST:
	case FRAME_WANTS:
	case FRAME_WANT_END:
	case FRAME_WANT_COUNT:
		return serve_commit(s, f, e);
	default:
		break;
	}
	return err_set(e, E_USAGE, "unknown request %u", f->type);
}

/* Answer one request.  Negative: root is gone. */
static int serve(struct server *s, const struct frame *f)
{
	autobuf text = { 0 };
	struct error e = { 0 };
	int r;

	buf_add(&text, f->payload.data, f->payload.size);
	if (f->type == FRAME_WANT) {
		r = s->by_stream ? streams_want(s->streams, f->payload, &e)
				 : wanted_add(s->wanted, f->payload, &e);
		return r < 0 ? reply_error(&s->ss, &e) : 0; /* answered by its WANT_END */
	}
	/* Names and options are text; ids are 20 bytes that may hold a NUL. */
	if ((f->type == FRAME_OPTION || f->type == FRAME_LIST || f->type == FRAME_FETCH ||
		    f->type == FRAME_RELEASE || f->type == FRAME_BRING) &&
		memchr(text.data, '\0', text.size))
		r = err_set(&e, E_USAGE, "a request with a NUL");
	else if (f->type == FRAME_OPTION)
		r = serve_option(s, text.data, &e);
	else
		r = serve_request(s, f, text.data, &e);
	if (f->type == FRAME_OPTION)
		sodium_memzero(text.data, text.size);
	return r < 0 ? reply_error(&s->ss, &e)
		     : reply(&s->ss, FRAME_DONE, (struct bytes){ 0 }, &e);
}

static int run(struct server *s)
{
	for (;;) {
		struct error e;
		struct frame f;
		int r = session_next(&s->ss, &f, &e);

		if (r > 0)
			r = serve(s, &f) < 0 ? E_SYSTEM : 1;
		if (r <= 0)
			return r;
	}
}

int main(void)
{
	static const struct rlimit no_core = { 0, 0 };
	struct server s = { .ss = { .fd = STORE_FD } };
	struct sigaction bus = { .sa_handler = on_bus_error };
	struct stat st;
	int r;

	if (fstat(STORE_FD, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		(void)fprintf(
			stderr, "osupdate-store is started by osupdate, not by hand\n");
		return 64;
	}
	umask(077);
	(void)setrlimit(RLIMIT_CORE, &no_core); /* root has done so already */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* an error of the write, instead */
	(void)sigaction(SIGBUS, &bus, NULL);
	frame_reader_init(&s.ss.in);
	s.wanted = wanted_new();
	r = run(&s);
	wanted_free(s.wanted);
	streams_close(s.streams);
	frame_reader_release(&s.ss.in);
	git_repository_free(s.ss.repo);
	options_release(&s.ss.options);
	free(s.ss.shown_url);
	free(s.ss.dir);
	if (s.started)
		(void)git_libgit2_shutdown(); /* leaving anyway */
	return r < 0;
}
