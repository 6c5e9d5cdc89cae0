/* SPDX-License-Identifier: MIT */
/* Command lines of the verbs, and what they print: see verbs.h, git-osupdate(1). */
#include "build/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/text.h"
#include "build/commit.h"
#include "build/export.h"
#include "build/publish.h"
#include "build/stream-write.h"
#include "build/verify.h"

/* getopt has said what is wrong; this says what would be right. */
static int usage(const char *text, struct error *e)
{
	return err_set(e, E_USAGE, "usage: git osupdate %s", text);
}

/* --- init ------------------------------------------------------------------------- */

int verb_init(struct term *t, int argc, char **argv, struct error *e)
{
	static const struct option options[] = { { "bare", no_argument, NULL, 'b' },
		{ 0 } };
	autogit(git_repository) repo = NULL;
	bool bare = false;
	const char *dir;
	int c;
	int r;

	(void)t;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'b')
			return usage("init [--bare] [DIR]", e);
		bare = true;
	}
	if (argc - optind > 1)
		return usage("init [--bare] [DIR]", e);
	dir = optind < argc ? argv[optind] : ".";
	r = repo_init(dir, bare, &repo, e);
	if (r < 0)
		return r;
	(void)fputs("made ", stdout);
	term_foreign(stdout, git_repository_path(repo));
	(void)putchar('\n');
	return 0;
}

/* --- commit ----------------------------------------------------------------------- */

#define COMMIT_USAGE                                                                     \
	"commit --branch B --product P --version V --key KEY [--serial N] "              \
	"[--channel C]... [--valid-until TIME|DAYSd] [-m MSG] [--repo DIR] SOURCE"

struct commit_args {
	struct commit_options o;
	const char *repo;
	const char *channels[RELEASE_CHANNELS_MAX + 1];
};

static int commit_option(struct commit_args *a, int c, const char *value, struct error *e)
{
	struct stamp *s = &a->o.stamp;

	switch (c) {
	case 'b':
		a->o.branch = value;
		return 0;
	case 'p':
		s->product = value;
		return 0;
	case 'v':
		s->version = value;
		return 0;
	case 'k':
		a->o.key = value;
		return 0;
	case 'm':
		s->message = value;
		return 0;
	case 'r':
		a->repo = value;
		return 0;
	case 'u':
		s->valid_until = value;
		return 0;
	case 'c':
		if (s->n_channels == RELEASE_CHANNELS_MAX)
			return err_set(e, E_USAGE, "more than %d channels",
				RELEASE_CHANNELS_MAX);
		a->channels[s->n_channels++] = value;
		return 0;
	case 's':
		if (text_u64(value, strlen(value), UINT64_MAX, &a->o.serial) &&
			a->o.serial > 0)
			return 0;
		return err_set(
			e, E_USAGE, "--serial %.40s: not a number of 1 or more", value);
	default:
		return usage(COMMIT_USAGE, e);
	}
}

static int commit_arguments(struct commit_args *a, int argc, char **argv, struct error *e)
{
	static const struct option options[] = {
		{ "branch", required_argument, NULL, 'b' },
		{ "product", required_argument, NULL, 'p' },
		{ "version", required_argument, NULL, 'v' },
		{ "key", required_argument, NULL, 'k' },
		{ "serial", required_argument, NULL, 's' },
		{ "channel", required_argument, NULL, 'c' },
		{ "valid-until", required_argument, NULL, 'u' },
		{ "message", required_argument, NULL, 'm' },
		{ "repo", required_argument, NULL, 'r' },
		{ 0 },
	};
	const struct commit_options *o = &a->o;
	int c;

	while ((c = getopt_long(argc, argv, "m:", options, NULL)) != -1) {
		int r = commit_option(a, c, optarg, e);

		if (r < 0)
			return r;
	}
	if (!o->branch || !o->stamp.product || !o->stamp.version || !o->key ||
		argc - optind != 1)
		return usage(COMMIT_USAGE, e);
	a->o.stamp.channels = a->channels;
	a->o.source = argv[optind];
	return 0;
}

static void print_commit(const struct commit_args *a, const struct commit_sums *sums)
{
	char hex[OID_HEX_MAX];
	char bytes[TEXT_SIZE_MAX];
	char packed[TEXT_SIZE_MAX];

	oid_hex(&sums->commit, hex);
	text_size(sums->bytes, bytes);
	text_size(sums->pack.bytes, packed);
	(void)printf("commit   %s\nversion  ", hex);
	term_foreign(stdout, a->o.stamp.version);
	(void)printf("\nserial   %" PRIu64 "\nentries  %" PRIu64 "\nfiles    %" PRIu64
		     " (%s), %" PRIu64 " with contents that were there already\n"
		     "stored   %s in %" PRIu64 " objects\n",
		sums->serial, sums->entries, sums->files, bytes, sums->files_reused,
		packed, sums->pack.objects);
	if (sums->early)
		(void)printf(
			"note     its time is before that of the release it follows: "
			"devices that\n         confirmed that one take it only when "
			"a person installs it\n");
	if (sums->checked_out)
		(void)printf("note     %s is checked out here; the work tree was not "
			     "touched\n",
			a->o.branch);
}

int verb_commit(struct term *t, int argc, char **argv, struct error *e)
{
	struct commit_args args = { .o = { .progress = &t->progress } };
	autogit(git_repository) repo = NULL;
	struct commit_sums sums = { 0 };
	int r = commit_arguments(&args, argc, argv, e);

	if (r == 0)
		r = repo_open(args.repo, &repo, e);
	if (r == 0)
		r = commit_source(repo, &args.o, &sums, e);
	if (r < 0)
		return r;
	term_settle(t);
	print_commit(&args, &sums);
	return 0;
}

/* --- verify ----------------------------------------------------------------------- */

static int open_rev(const char *dir, const char *rev, git_repository **ret_repo,
	struct oid *ret_id, struct error *e)
{
	int r = repo_open(dir, ret_repo, e);

	return r < 0 ? r : repo_resolve(*ret_repo, rev, ret_id, e);
}

static void print_verified(const struct verify_sums *sums)
{
	char hex[OID_HEX_MAX];
	char bytes[TEXT_SIZE_MAX];
	char when[TEXT_TIME_MAX];

	oid_hex(&sums->info.commit, hex);
	text_size(sums->bytes, bytes);
	text_time(sums->info.time, when);
	(void)printf("good     %s\nsigner   ", hex);
	term_foreign(stdout, sums->principal);
	(void)printf("\nproduct  %s\nversion  ", sums->info.product);
	term_foreign(stdout, sums->info.version);
	(void)printf("\nserial   %" PRIu64 "\ntime     %s\nentries  %" PRIu64
		     "\ncontents %" PRIu64 " (%s)\n",
		sums->info.serial, when, sums->entries, sums->contents, bytes);
}

int verb_verify(struct term *t, int argc, char **argv, struct error *e)
{
	static const char text[] = "verify [--repo DIR] [--signers FILE] REV";
	static const struct option options[] = {
		{ "repo", required_argument, NULL, 'r' },
		{ "signers", required_argument, NULL, 's' },
		{ 0 },
	};
	autogit(git_repository) repo = NULL;
	autosigners signers = NULL;
	struct verify_sums sums = { 0 };
	const char *dir = NULL;
	const char *file = NULL;
	struct oid id;
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			dir = optarg;
		else if (c == 's')
			file = optarg;
		else
			return usage(text, e);
	}
	if (argc - optind != 1)
		return usage(text, e);
	r = open_rev(dir, argv[optind], &repo, &id, e);
	if (r == 0)
		r = verify_signers(repo, file, &signers, e);
	if (r == 0)
		r = verify_release(repo, &id, signers, &t->progress, &sums, e);
	if (r < 0)
		return r;
	term_settle(t);
	print_verified(&sums);
	free(sums.principal);
	return 0;
}

/* --- export ----------------------------------------------------------------------- */

/* A half written tar must not stand there as if it were one. */
static int export_file(git_repository *repo, const struct oid *id, const char *path,
	const struct progress *progress, struct error *e)
{
	autofree char *tmp = xasprintf("%s.part", path);
	autofd fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666);
	int r;

	if (fd < 0)
		return err_sys(e, "%s", tmp);
	r = export_release(repo, id, fd, progress, e);
	if (r == 0 && close(take_fd(&fd)) < 0)
		r = err_sys(e, "%s: close", tmp);
	if (r == 0 && rename(tmp, path) < 0)
		r = err_sys(e, "%s: rename", path);
	if (r < 0)
		(void)unlink(tmp); /* the error before is the one to tell */
	return r;
}

int verb_export(struct term *t, int argc, char **argv, struct error *e)
{
	static const char text[] = "export [--repo DIR] [-o FILE] REV";
	static const struct option options[] = {
		{ "repo", required_argument, NULL, 'r' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	autogit(git_repository) repo = NULL;
	const char *dir = NULL;
	const char *file = NULL;
	struct oid id;
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'r')
			dir = optarg;
		else if (c == 'o')
			file = optarg;
		else
			return usage(text, e);
	}
	if (argc - optind != 1)
		return usage(text, e);
	if (!file && isatty(STDOUT_FILENO))
		return err_set(
			e, E_USAGE, "a tar does not belong on a terminal; use -o FILE");
	r = open_rev(dir, argv[optind], &repo, &id, e);
	if (r < 0)
		return r;
	if (file)
		return export_file(repo, &id, file, &t->progress, e);
	return export_release(repo, &id, STDOUT_FILENO, &t->progress, e);
}

/* --- publish ---------------------------------------------------------------------- */

#define PUBLISH_USAGE                                                                    \
	"publish --to DIR [--from REV]... [--last N] [--level L] [--keep N] "            \
	"[--channel C] [--repo DIR] REV"
#define FROM_MAX 64

struct publish_args {
	struct publish_options o;
	const char *repo;
	const char *from[FROM_MAX];
};

static int number(const char *value, unsigned min, unsigned max, const char *option,
	unsigned *ret, struct error *e)
{
	uint64_t n;

	if (!text_u64(value, strlen(value), max, &n) || n < min)
		return err_set(e, E_USAGE, "--%s %.40s: not a number from %u to %u",
			option, value, min, max);
	*ret = (unsigned)n;
	return 0;
}

static int publish_option(
	struct publish_args *a, int c, const char *value, struct error *e)
{
	unsigned level = 0;
	int r;

	switch (c) {
	case 't':
		a->o.to = value;
		return 0;
	case 'r':
		a->repo = value;
		return 0;
	case 'c':
		a->o.channel = value;
		return 0;
	case 'f':
		if (a->o.n_from == FROM_MAX)
			return err_set(e, E_USAGE, "more than %d --from", FROM_MAX);
		a->from[a->o.n_from++] = value;
		return 0;
	case 'n':
		return number(value, 0, CATALOG_STREAMS_MAX / 2, "last", &a->o.last, e);
	case 'k':
		return number(value, 1, UINT32_MAX, "keep", &a->o.keep, e);
	case 'l':
		r = number(value, 1, STREAM_LEVEL_MAX, "level", &level, e);
		a->o.level = (int)level;
		return r;
	default:
		return usage(PUBLISH_USAGE, e);
	}
}

static void print_published(const struct publish_sums *sums)
{
	char hex[OID_HEX_MAX];
	char bytes[TEXT_SIZE_MAX];
	char copied[TEXT_SIZE_MAX];

	oid_hex(&sums->commit, hex);
	text_size(sums->bytes, bytes);
	text_size(sums->copied, copied);
	(void)printf("channel  ");
	term_foreign(stdout, sums->channel);
	(void)printf("\ncommit   %s\nserial   %" PRIu64
		     "\nstreams  %zu made (%s, of which %s as in the release before), "
		     "%zu there already\n",
		hex, sums->serial, sums->made, bytes, copied, sums->kept);
	if (sums->pruned > 0)
		(void)printf("pruned   %zu releases\n", sums->pruned);
}

int verb_publish(struct term *t, int argc, char **argv, struct error *e)
{
	static const struct option options[] = {
		{ "to", required_argument, NULL, 't' },
		{ "from", required_argument, NULL, 'f' },
		{ "last", required_argument, NULL, 'n' },
		{ "level", required_argument, NULL, 'l' },
		{ "keep", required_argument, NULL, 'k' },
		{ "channel", required_argument, NULL, 'c' },
		{ "repo", required_argument, NULL, 'r' },
		{ 0 },
	};
	struct publish_args a = { .o = { .level = STREAM_LEVEL_DEFAULT,
					  .progress = &t->progress } };
	autogit(git_repository) repo = NULL;
	struct publish_sums sums = { 0 };
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = publish_option(&a, c, optarg, e);
		if (r < 0)
			return r;
	}
	if (!a.o.to || argc - optind != 1)
		return usage(PUBLISH_USAGE, e);
	a.o.from = a.from;
	a.o.rev = argv[optind];
	r = repo_open(a.repo, &repo, e);
	if (r == 0)
		r = publish(repo, &a.o, &sums, e);
	if (r < 0)
		return r;
	term_settle(t);
	print_published(&sums);
	free(sums.channel);
	return 0;
}
