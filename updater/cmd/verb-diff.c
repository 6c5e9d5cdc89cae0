/* SPDX-License-Identifier: MIT */
/* diff: what changed between two releases, by manifest; of one path the text too. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/subprocess.h"
#include "cmd/lookup.h"
#include "manifest/diff.h"

#define DIFF_TEXT_MAX	(64u << 20)
#define DIFF_TIMEOUT_MS 60000

static const char usage[] = "diff A [B] [-- PATH]";

struct names {
	const char *a; /* NULL: the booted slot */
	const char *b;
	const char *path;
};

static void print_path(const char *path)
{
	output_foreign(stdout, path);
}

static void print_flags(const struct change *c)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = {
		{ CHANGE_TYPE, "type" },
		{ CHANGE_CONTENT, "content" },
		{ CHANGE_MODE, "mode" },
		{ CHANGE_OWNER, "owner" },
		{ CHANGE_XATTR, "xattr" },
		{ CHANGE_MTIME, "mtime" },
	};
	const char *between = "  (";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(c->flags & names[i].flag))
			continue;
		(void)printf("%s%s", between, names[i].name);
		if (names[i].flag == CHANGE_TYPE)
			(void)printf(" %c -> %c", (char)c->a->type, (char)c->b->type);
		else if (names[i].flag == CHANGE_MODE)
			(void)printf(" %04o -> %04o", c->a->mode, c->b->mode);
		else if (names[i].flag == CHANGE_OWNER)
			(void)printf(" %u:%u -> %u:%u", c->a->uid, c->a->gid, c->b->uid,
				c->b->gid);
		between = ", ";
	}
	(void)putchar(')');
}

/* A change of the time alone is how images are built, not what changed in them. */
static int print_change(void *ctx, const struct change *c, struct error *e)
{
	uint64_t *count = ctx;

	(void)e;
	if (c->a && c->b && c->flags == CHANGE_MTIME)
		return 0;
	(*count)++;
	(void)fputs(!c->a ? "added    " : !c->b ? "removed  " : "changed  ", stdout);
	print_path(c->a ? c->a->path : c->b->path);
	if (c->a && c->b)
		print_flags(c);
	(void)putchar('\n');
	return 0;
}

static int spool_text(struct device *d, const struct found *f, const char *path,
	int *ret_fd, struct error *e)
{
	autobuf text = { 0 };
	autofd fd = memfd_create("diff", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(e, "memfd");
	r = lookup_file(d, f, path, &text, e);
	if (r == E_NOTFOUND)
		r = 0; /* added or removed: compared with nothing */
	if (r == 0)
		r = io_write_full(fd, text.data, text.size, e);
	*ret_fd = take_fd(&fd);
	return r;
}

static int run_diff(const struct found *a, const struct found *b, const char *path,
	int fa, int fb, struct error *e)
{
	autofree char *label_a =
		xasprintf("%s\t%s", path, release_info(a->release)->version);
	autofree char *label_b =
		xasprintf("%s\t%s", path, release_info(b->release)->version);
	autofree char *file_a = xasprintf("/proc/%d/fd/%d", getpid(), fa);
	autofree char *file_b = xasprintf("/proc/%d/fd/%d", getpid(), fb);
	const char *const argv[] = { "diff", "-u", "--label", label_a, "--label", label_b,
		"--", file_a, file_b, NULL };
	const struct subprocess p = { .argv = argv,
		.stdin_fd = -1,
		.stdout_max = DIFF_TEXT_MAX,
		.timeout_ms = DIFF_TIMEOUT_MS };
	autobuf out = { 0 };
	autobuf err = { 0 };
	int status;
	int r = subprocess_run(&p, &out, &err, &status, e);

	if (r < 0)
		return r;
	if (status > 1)
		return err_set(e, E_SYSTEM, "diff: %s", err.data ? err.data : "failed");
	if (status == 0)
		return err_set(e, E_NOTHING, "%s: the same text in both", path);
	/* It goes where the person sent it: a file keeps its bytes. */
	if (isatty(STDOUT_FILENO)) {
		for (char *line = out.data; line && *line;) {
			char *end = strchrnul(line, '\n');
			char was = *end;

			*end = '\0';
			output_foreign(stdout, line);
			(void)putchar('\n');
			line = was ? end + 1 : end;
		}
	} else {
		(void)fwrite(out.data, 1, out.size, stdout);
	}
	return 0;
}

static int diff_text(struct device *d, const struct found *a, const struct found *b,
	const char *path, struct error *e)
{
	struct entry entry;
	autoreader ra = manifest_reader_new(a->manifest);
	autoreader rb = manifest_reader_new(b->manifest);
	autofd fa = -1;
	autofd fb = -1;
	int in_a = manifest_find(ra, path, &entry, e);
	int in_b = in_a < 0 ? in_a : manifest_find(rb, path, &entry, e);
	int r = in_b < 0 ? in_b : 0;

	if (r == 0 && !in_a && !in_b)
		return err_set(e, E_NOTFOUND, "%s is in neither release", path);
	if (r == 0)
		r = spool_text(d, a, path, &fa, e);
	if (r == 0)
		r = spool_text(d, b, path, &fb, e);
	return r < 0 ? r : run_diff(a, b, path, fa, fb, e);
}

static int diff(struct device *d, const struct names *n, struct error *e)
{
	autofound a = { .slot = SLOT_NONE };
	autofound b = { .slot = SLOT_NONE };
	const char *name_a = n->a	      ? n->a
			     : d->booted >= 0 ? d->config.slots[d->booted].name
					      : NULL;
	uint64_t count = 0;
	int r;

	if (!name_a)
		return err_set(e, E_USAGE, "nothing is booted: name two releases");
	r = lookup_manifest(d, name_a, &a, e);
	if (r == 0)
		r = lookup_manifest(d, n->b, &b, e);
	if (r < 0)
		return r;
	if (n->path)
		return diff_text(d, &a, &b, n->path, e);
	r = manifest_diff(a.manifest, b.manifest, print_change, &count, e);
	if (r == 0 && count == 0)
		return err_set(e, E_NOTHING, "no differences");
	return r;
}

/* `diff A` is from what is booted to A; `diff A B` from A to B. */
static int parse(int argc, char **argv, struct names *ret)
{
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	if (i == 2)
		ret->b = argv[1];
	else if (i == 3) {
		ret->a = argv[1];
		ret->b = argv[2];
	} else
		return -1;
	if (i == argc)
		return 0;
	if (argc - i != 2)
		return -1;
	ret->path = argv[i + 1];
	while (*ret->path == '/')
		ret->path++;
	return 0;
}

int verb_diff(struct cli *cli, int argc, char **argv, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	struct names names = { 0 };
	int r;

	if (parse(argc, argv, &names) < 0)
		return cli_usage(usage, e);
	r = cli_open(cli, false, &d, e);
	return r < 0 ? r : diff(&d, &names, e);
}
