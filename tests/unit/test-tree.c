/* SPDX-License-Identifier: MIT */
/* From a manifest to git's tree: places, order, and ids that git itself computes. */
#include <criterion/criterion.h>

#include "build/tree.h"
#include "scratch.h"

#define D(path) "d 0755 0 0 0.000000000 - - " path "\n"
#define OWN	D("usr") D("usr/lib") D("usr/lib/osupdate")

#define ROOT  D(".")
#define NODES D("dev") "c 0666 0 0 0.000000000 - 1:3 dev/null\n" D("empty") D("git")
#define REST                                                                             \
	"h - - - - - git/.gitmodules git/plain\n"                                        \
	"l 0777 0 0 0.000000000 - target link\nh - - - - - link link2\n"                 \
	"h - - - - - dev/null null\np 0644 0 0 0.000000000 - - pipe\n" OWN

static char hex_x[DIGEST_HEX_MAX];
static struct oid own;

static void init(void)
{
	struct digest x;

	cr_assert_eq(digest_init_once(NULL), 0);
	x = digest_of(bytes_of("x"));
	digest_hex(&x, hex_x);
	own = oid_of("blob", bytes_of("manifest"));
	scratch_enter();
}
TestSuite(tree, .init = init, .fini = scratch_leave);

/* Every content of the manifests here is "x" or a link's text. */
static void know(struct blobs *blobs, const char *contents)
{
	struct digest d = digest_of(bytes_of(contents));
	struct blob *blob = blobs_add(blobs, &d);

	blob->oid = oid_of("blob", bytes_of(contents));
	blob->size = strlen(contents);
}

static char *file(const char *mode, const char *path)
{
	return xasprintf("f %s 0 0 0.000000000 1 %s %s\n", mode, hex_x, path);
}

static int leaves(const char *text, struct leaves *ret, struct error *e)
{
	autoblobs blobs = { 0 };
	struct manifest_sums sums;

	cr_assert_eq(manifest_check(bytes_of(text), &sums, e), 0, "%s", e->text);
	know(&blobs, "x");
	know(&blobs, "target");
	return leaves_of_manifest(bytes_of(text), &blobs, &own, ret, e);
}

static void show(const struct leaves *l, struct buf *out)
{
	for (size_t i = 0; i < l->n; i++)
		buf_addf(out, "%o %s\n", l->at[i].mode, l->at[i].path);
}

Test(tree, places_contents_by_the_rules)
{
	autofree char *a = file("0755", "a");
	autofree char *git = file("0755", "git/.gitmodules");
	autofree char *group = file("0655", "z"); /* executable, but not for its owner */
	autofree char *text =
		xasprintf(MANIFEST_HEADER ROOT "%s" NODES "%s" REST "%s", a, git, group);
	autofree char *want =
		xasprintf("100755 a\n100755 git/plain\n120000 link\n"
			  "120000 link2\n100644 usr/lib/osupdate/blobs/%.2s/%s\n"
			  "100644 usr/lib/osupdate/manifest\n100644 z\n",
			hex_x, hex_x);
	struct error e = { 0 };
	autoleaves l = { 0 };
	autobuf shown = { 0 };

	cr_assert_eq(leaves(text, &l, &e), 0, "%s", e.text);
	show(&l, &shown);
	cr_assert_str_eq(shown.data, want);
}

Test(tree, puts_pieces_below_blobs_once)
{
	autofree char *text =
		xasprintf(MANIFEST_HEADER D(".") "f 0644 0 0 0.000000000 16777217 %s "
						 "big\n+ 16777216 %s\n+ 1 %s\n" OWN,
			hex_x, hex_x, hex_x);
	struct error e = { 0 };
	autoleaves l = { 0 };

	cr_assert_eq(leaves(text, &l, &e), 0, "%s", e.text);
	cr_assert_eq(l.n, 2);
	cr_assert_eq(strncmp(l.at[0].path, PATH_BLOBS "/", strlen(PATH_BLOBS) + 1), 0);
}

Test(tree, says_which_contents_are_missing)
{
	autofree char *text = xasprintf(
		MANIFEST_HEADER D(".") "l 0777 0 0 0.000000000 - nowhere lost\n" OWN);
	struct error e = { 0 };
	autoleaves l = { 0 };

	cr_assert_eq(leaves(text, &l, &e), E_INPUT);
	cr_assert_not_null(
		strstr(e.text, "lost: its contents are not there"), "%s", e.text);
}

/* git sorts a directory as if its name ended in '/'. */
Test(tree, has_the_id_git_computes)
{
	static const char *const names[] = { "a", "a!/x", "a-b", "a.c/y", "a0", "b/a/c",
		"b.", "b/a.c", "b-/z", "\xff/\x01", "dir with space/new\nline" };
	const char *const init[] = { "git", "init", "-q", "--bare", ".", NULL };
	const char *const mktree[] = { "git", "update-index", "-z", "--index-info",
		NULL };
	const char *const write[] = { "git", "write-tree", "--missing-ok", NULL };
	struct oid blob = oid_of("blob", bytes_of("x"));
	char hex[OID_HEX_MAX];
	autoleaves l = { 0 };
	autobuf index = { 0 };
	autobuf out = { 0 };
	struct oid tree;

	oid_hex(&blob, hex);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		buf_addf(&index, "100644 %s\t%s", hex, names[i]);
		buf_add(&index, "", 1);
		ARRAY_GROW(l.at, l.n, l.cap);
		l.at[l.n++] = (struct leaf){ xstrdup(names[i]), LEAF_FILE, blob };
	}
	for (size_t i = 1; i < l.n; i++) /* as leaves_of_manifest leaves them */
		for (size_t k = i; k > 0 && strcmp(l.at[k - 1].path, l.at[k].path) > 0;
			k--) {
			struct leaf swap = l.at[k];

			l.at[k] = l.at[k - 1];
			l.at[k - 1] = swap;
		}
	scratch_put("index-info", buf_bytes(&index));
	cr_assert_eq(scratch_run(init, NULL, &out), 0);
	cr_assert_eq(scratch_run(mktree, "index-info", &out), 0);
	buf_reset(&out);
	cr_assert_eq(scratch_run(write, NULL, &out), 0);
	cr_assert_eq(tree_build(&l, &tree_name_only, &tree, NULL), 0);
	oid_hex(&tree, hex);
	cr_assert_eq(
		strncmp(out.data, hex, strlen(hex)), 0, "%s is not %s", hex, out.data);
}
