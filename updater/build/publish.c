/* SPDX-License-Identifier: MIT */
/* See publish.h. */
#include "build/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "build/published.h"
#include "build/stream-write.h"

#define CHAIN_SHOWN_MAX 64 /* releases of which a full stream carries the commits */
#define NAME_FULL	"full"
#define NAME_INDEX	"index"
#define FILE_MODE	0644
#define DIR_MODE	0755

struct publishing {
	git_repository *repo;
	const struct publish_options *o;
	struct committed target;
	int top;      /* o->to, locked */
	int releases; /* release/ */
	int dir;      /* release/<commit> */
	struct publish_sums sums;
};

/* --- places ----------------------------------------------------------------------- */

static int open_dir(int at, const char *name, int *ret, struct error *e)
{
	if (mkdirat(at, name, DIR_MODE) < 0 && errno != EEXIST)
		return err_sys(e, "%s", name);
	*ret = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? err_sys(e, "%s", name) : 0;
}

static int open_places(struct publishing *p, struct error *e)
{
	char hex[OID_HEX_MAX];
	int r = open_dir(AT_FDCWD, p->o->to, &p->top, e);

	if (r < 0)
		return r;
	if (flock(p->top, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, E_BUSY, "%s: somebody else is publishing there: %s",
			p->o->to, strerror(errno));
	oid_hex(&p->target.id, hex);
	r = open_dir(p->top, "release", &p->releases, e);
	return r < 0 ? r : open_dir(p->releases, hex, &p->dir, e);
}

static void publishing_release(struct publishing *p)
{
	committed_release(&p->target);
	cleanup_fd(&p->dir);
	cleanup_fd(&p->releases);
	cleanup_fd(&p->top);
}

/* --- history ---------------------------------------------------------------------- */

/* The release before `id` by first parents: 1, or 0 when there is none. */
static int release_before(
	git_repository *repo, const struct oid *id, struct oid *ret, struct error *e)
{
	autocommitted c = { 0 };
	git_commit *commit = NULL;
	const git_oid *parent;
	int r = 0;

	if (git_commit_lookup(&commit, repo, git_id(id)) < 0)
		return err_git(e, E_INPUT, "history");
	parent = git_commit_parent_id(commit, 0);
	if (parent) {
		*ret = oid_of_git(parent);
		r = 1;
	}
	git_commit_free(commit);
	/* A branch may have begun as something else than releases. */
	if (r == 1 && committed_open(repo, ret, &c, NULL) < 0)
		return 0;
	return r;
}

static void add_tag(void *ctx, struct bytes raw)
{
	stream_head_add(ctx, STREAM_TAG, raw);
}

/* Commits from `c` down to `until` (not it), or as many as a full stream shows. */
static int make_head(git_repository *repo, struct committed *first,
	const struct oid *until, struct buf *head, struct error *e)
{
	struct oid id = first->id;
	int max = until ? STREAM_COMMITS_MAX : CHAIN_SHOWN_MAX;
	int r = 1;

	for (int n = 0; r == 1 && n < max && head->size < STREAM_HEAD_MAX / 2; n++) {
		autocommitted c = { 0 };

		if (until && oid_equal(&id, until))
			break;
		r = committed_open(repo, &id, &c, e);
		if (r < 0)
			return r;
		stream_head_add(head, STREAM_COMMIT, buf_bytes(&c.raw));
		r = committed_tags(repo, &c.id, add_tag, head, e);
		if (r == 0)
			r = release_before(repo, &id, &id, e);
	}
	return r < 0 ? r : 0;
}

/* --- streams ---------------------------------------------------------------------- */

/* What is there already: 1, 0 when nothing is. */
static int look(int dir, const char *name, const struct oid *target,
	struct catalog_stream *ret, struct error *e)
{
	autopublished f = { .fd = -1 };
	int r = published_open(dir, name, &f, e);

	if (r == E_NOTFOUND)
		return 0;
	if (r == 0 && !oid_equal(&f.prologue.target, target))
		r = err_set(e, E_INPUT, "%s: a stream to another release", name);
	if (r < 0)
		return r;
	*ret = published_line(&f);
	return 1;
}

/* NULL when there is no release before. */
static char *full_before(struct publishing *p)
{
	struct oid id;
	char hex[OID_HEX_MAX];

	if (release_before(p->repo, &p->target.id, &id, NULL) <= 0)
		return NULL;
	oid_hex(&id, hex);
	return xasprintf("../%s/" NAME_FULL, hex);
}

static int make_stream(struct publishing *p, const struct oid *source_id,
	struct catalog *catalog, struct error *e)
{
	autocommitted source = { 0 };
	autobuf head = { 0 };
	autofree char *name = NULL;
	autofree char *before = NULL;
	char hex[OID_HEX_MAX];
	uint64_t copied = 0;
	struct catalog_stream made = { 0 };
	struct stream_write w = {
		.repo = p->repo,
		.target = &p->target,
		.source = source_id ? &source : NULL,
		.level = p->o->level,
		.dir = p->dir,
		.progress = p->o->progress,
	};
	int r = 0;

	if (source_id) {
		oid_hex(source_id, hex);
		r = committed_open(p->repo, source_id, &source, e);
		if (r == 0 && strcmp(source.info.product, p->target.info.product) != 0)
			r = err_set(e, E_UNTRUSTED,
				"commit %.12s is of product %s, not %s", hex,
				source.info.product, p->target.info.product);
		if (r < 0)
			return r;
	}
	name = source_id ? xasprintf("from-%s", hex) : xstrdup(NAME_FULL);
	w.name = name;
	r = look(p->dir, name, &p->target.id, &made, e);
	if (r == 1) {
		p->sums.kept++;
		catalog_put(catalog, &made);
	}
	if (r != 0)
		return r < 0 ? r : 0;
	before = source_id ? NULL : full_before(p);
	w.before = before;
	r = make_head(p->repo, &p->target, source_id, &head, e);
	w.head = buf_bytes(&head);
	if (r == 0)
		r = stream_write(&w, &made, &copied, e);
	if (r < 0)
		return r;
	p->sums.made++;
	p->sums.bytes += made.size;
	p->sums.copied += copied;
	catalog_put(catalog, &made);
	return 0;
}

static int make_streams(struct publishing *p, struct catalog *catalog, struct error *e)
{
	struct oid before = p->target.id;
	int r = make_stream(p, NULL, catalog, e);

	for (unsigned i = 0; r == 0 && i < p->o->last; i++) {
		int more = release_before(p->repo, &before, &before, e);

		if (more <= 0) {
			r = more;
			break;
		}
		r = make_stream(p, &before, catalog, e);
	}
	for (size_t i = 0; r == 0 && i < p->o->n_from; i++) {
		struct oid id;

		r = repo_resolve(p->repo, p->o->from[i], &id, e);
		if (r == 0 && !oid_equal(&id, &p->target.id))
			r = make_stream(p, &id, catalog, e);
	}
	return r;
}

/* Streams that were made before, and asked for no more, stay. */
static int add_known(struct publishing *p, struct catalog *catalog, struct error *e)
{
	autobuf text = { 0 };
	autocatalog old = { 0 };
	int r = io_read_file_at(p->dir, NAME_INDEX, CATALOG_MAX, &text, e);

	if (r == E_NOTFOUND)
		return 0;
	if (r == 0)
		r = catalog_parse(buf_bytes(&text), &old, e);
	if (r < 0)
		return err_prefix(e, r, "%s", NAME_INDEX);
	for (size_t i = 0; i < old.n; i++) {
		char hex[OID_HEX_MAX];
		autofree char *name = NULL;

		oid_hex(&old.streams[i].source, hex);
		name = i == 0 ? xstrdup(NAME_FULL) : xasprintf("from-%s", hex);
		if (faccessat(p->dir, name, F_OK, 0) == 0)
			catalog_put(catalog, &old.streams[i]);
	}
	return 0;
}

/*
 * Replace `name` unless that is what stands there.  Web servers tell files from each
 * other by size and the second of their change: another file is of another second.
 */
static int put_file(int dir, const char *name, struct bytes data, struct error *e)
{
	autobuf there = { 0 };
	struct stat before = { 0 };
	struct stat after;
	int r;

	if (io_read_file_at(dir, name, CATALOG_MAX, &there, NULL) == 0 &&
		there.size == data.size && memcmp(there.data, data.data, data.size) == 0)
		return 0;
	(void)fstatat(dir, name, &before, 0); /* or there is none */
	r = io_replace_at(dir, name, data, FILE_MODE, e);
	if (r == 0 && fstatat(dir, name, &after, 0) == 0 &&
		after.st_mtim.tv_sec <= before.st_mtim.tv_sec) {
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
			{ .tv_sec = before.st_mtim.tv_sec + 1 } };

		if (utimensat(dir, name, times, 0) < 0)
			r = err_sys(e, "%s: time of change", name);
	}
	return r;
}

static int write_catalog(struct publishing *p, struct error *e)
{
	autocatalog catalog = { 0 };
	autobuf text = { 0 };
	int r = add_known(p, &catalog, e);

	if (r == 0)
		r = make_streams(p, &catalog, e);
	if (r == 0)
		r = io_sync(p->dir, e);
	if (r < 0)
		return r;
	catalog_print(&catalog, &text);
	return put_file(p->dir, NAME_INDEX, buf_bytes(&text), e);
}

/* --- channel ---------------------------------------------------------------------- */

static int channel_name(const struct publish_options *o, git_repository *repo, char **ret,
	struct error *e)
{
	autofree char *ref = xasprintf("refs/heads/%s", o->rev);
	git_oid id;

	if (!o->channel && git_reference_name_to_id(&id, repo, ref) < 0)
		return err_set(e, E_USAGE,
			"%s is no branch: name the channel with --channel", o->rev);
	*ret = xstrdup(o->channel ? o->channel : o->rev);
	if (path_fault(*ret, strlen(*ret)))
		return err_set(e, E_USAGE, "%s: no name for a channel", *ret);
	return 0;
}

/* A branch may be called a/b. */
static int write_channel(struct publishing *p, struct error *e)
{
	char *name = p->sums.channel;
	autofd dir = -1;
	int r = open_dir(p->top, "channel", &dir, e);

	for (char *slash; r == 0 && (slash = strchr(name, '/')); name = slash + 1) {
		autofree char *part = xstrndup(name, (size_t)(slash - name));
		int below = -1;

		r = open_dir(dir, part, &below, e);
		cleanup_fd(&dir);
		dir = below;
	}
	return r < 0 ? r : put_file(dir, name, buf_bytes(&p->target.raw), e);
}

/* --- pruning ---------------------------------------------------------------------- */

static int remove_release(struct publishing *p, const struct oid *id, struct error *e)
{
	char hex[OID_HEX_MAX];
	autofd fd = -1;
	autodir d = NULL;
	struct dirent *entry;

	oid_hex(id, hex);
	fd = openat(p->releases, hex, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "release/%s", hex);
	/* Who still asks for it finds no list, rather than a list of what is gone. */
	(void)unlinkat(fd, NAME_INDEX, 0);
	d = fdopendir(dup(fd));
	while (d && (entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			unlinkat(fd, entry->d_name, 0) < 0)
			return err_sys(e, "release/%s/%s", hex, entry->d_name);
	if (unlinkat(p->releases, hex, AT_REMOVEDIR) < 0)
		return err_sys(e, "release/%s", hex);
	p->sums.pruned++;
	return 0;
}

/* Releases before the `keep` newest, as the branch has them. */
static int prune(struct publishing *p, struct error *e)
{
	struct oid id = p->target.id;
	int r = 1;

	if (p->o->keep == 0)
		return 0;
	for (unsigned n = 1; r == 1; n++) {
		r = release_before(p->repo, &id, &id, e);
		if (r == 1 && n >= p->o->keep) {
			int removed = remove_release(p, &id, e);

			if (removed < 0)
				return removed;
		}
	}
	return r;
}

int publish(git_repository *repo, const struct publish_options *o,
	struct publish_sums *ret, struct error *e)
{
	CLEANUP(publishing_release)
	struct publishing p = {
		.repo = repo, .o = o, .top = -1, .releases = -1, .dir = -1
	};
	struct oid id;
	int r = repo_resolve(repo, o->rev, &id, e);

	if (r == 0)
		r = channel_name(o, repo, &p.sums.channel, e);
	if (r == 0)
		r = committed_open(repo, &id, &p.target, e);
	if (r == 0)
		r = open_places(&p, e);
	if (r == 0)
		r = write_catalog(&p, e);
	if (r == 0)
		r = write_channel(&p, e);
	if (r == 0)
		r = prune(&p, e);
	if (r < 0) {
		free(p.sums.channel);
		return r;
	}
	p.sums.commit = id;
	p.sums.serial = p.target.info.serial;
	*ret = p.sums;
	return 0;
}
