/* SPDX-License-Identifier: MIT */
/* Blobs straight out of packs, against what git says; and packs that lie. */
#include "scratch.h"
#include "store/server/packs.h"

#define VERSIONS 12
#define IDS	 64

static git_oid ids[IDS];
static size_t n_ids;

static void git(const char *script)
{
	const char *const argv[] = { "sh", "-ec", script, NULL };
	const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=.",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_DIR=git", "GIT_AUTHOR_NAME=b",
		"GIT_AUTHOR_EMAIL=b@example.org", "GIT_COMMITTER_NAME=b",
		"GIT_COMMITTER_EMAIL=b@example.org", NULL };
	autobuf out = { 0 };

	cr_assert_eq(scratch_run_env(argv, env, NULL, &out), 0, "%s", script);
}

/* Versions of one large text, which deltify in chains, and a small and an empty blob. */
static void enter(void)
{
	autobuf list = { 0 };

	scratch_enter();
	git("git init -q --bare git; seq 1 20000 >t; : >empty; echo small >small\n"
	    "for i in $(seq 1 12); do sed -i \"${i}00s/.*/changed in $i/;$i d\" t\n"
	    "git --work-tree=. add t small empty; git --work-tree=. commit -qm $i; done\n"
	    "git repack -adfq --depth=50 --window=20\n"
	    "git cat-file --batch-all-objects --batch-check | sed -n 's/ blob.*//p' >ids");
	cr_assert_eq(io_read_file_at(AT_FDCWD, "ids", 1 << 16, &list, NULL), 0);
	for (char *p = list.data; *p && n_ids < IDS; p += 41)
		cr_assert_eq(git_oid_fromstrn(&ids[n_ids++], p, 40), 0);
	cr_assert_eq(n_ids, VERSIONS + 2);
}

TestSuite(packs, .init = enter, .fini = scratch_leave);

static void real_blob(const git_oid *id, struct buf *out)
{
	char hex[GIT_OID_HEXSZ + 1];
	const char *const argv[] = { "git", "--git-dir=git", "cat-file", "blob",
		git_oid_tostr(hex, sizeof(hex), id), NULL };

	cr_assert_eq(scratch_run(argv, NULL, out), 0);
}

Test(packs, give_what_git_gives_also_of_chains_of_deltas)
{
	struct packs *p = packs_open();
	struct inflater *i = inflater_new();

	for (size_t k = 0; k < n_ids; k++) {
		autobuf real = { 0 };
		struct bytes got;

		real_blob(&ids[k], &real);
		cr_assert(packs_blob(p, &ids[k], real.size, i, &got), "%zu", k);
		cr_assert_eq(got.size, real.size);
		cr_assert(real.size == 0 || memcmp(got.data, real.data, real.size) == 0);
		cr_assert_not(packs_blob(p, &ids[k], real.size + 1, i, &got));
		inflater_trim(i);
	}
	inflater_free(i);
	packs_close(p);
}

Test(packs, know_nothing_of_other_objects)
{
	struct packs *p = packs_open();
	struct inflater *i = inflater_new();
	git_oid id = { { 0 } };
	struct bytes got;

	cr_assert_not(packs_blob(p, &id, 5, i, &got));
	memset(id.id, 0xff, sizeof(id.id));
	cr_assert_not(packs_blob(p, &id, 5, i, &got));
	inflater_free(i);
	packs_close(p);
	cr_assert_eq(rename("git", "elsewhere"), 0);
	p = packs_open();
	cr_assert_not(packs_blob(p, &ids[0], 5, NULL, &got));
	packs_close(p);
	packs_close(NULL);
	inflater_free(NULL);
}

static void read_all(void)
{
	struct packs *p = packs_open();
	struct inflater *i = inflater_new();
	struct bytes got;

	/* What comes of it does not matter: whoever asked checks its digest. */
	for (size_t k = 0; k < n_ids; k++)
		for (size_t size = 0; size < 120000; size += 59999)
			(void)packs_blob(p, &ids[k], size, i, &got);
	inflater_free(i);
	packs_close(p);
}

static void damage(const char *suffix, size_t step)
{
	autofree char *find =
		xasprintf("f=$(ls git/objects/pack/*.%s); chmod u+w $f; cp $f good; "
			  "mv $f real; ln real $f",
			suffix);
	autobuf data = { 0 };

	git(find);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "good", 1 << 24, &data, NULL), 0);
	for (size_t at = 0; at < data.size; at += step) {
		autofd fd = open("real", O_WRONLY | O_CLOEXEC);
		char bad = (char)(data.data[at] ^ (char)(1 << at % 8));

		cr_assert_eq(pwrite(fd, &bad, 1, (off_t)at), 1);
		read_all();
		cr_assert_eq(pwrite(fd, data.data + at, 1, (off_t)at), 1);
	}
	for (size_t size = 0; size < data.size; size += data.size / 50) {
		cr_assert_eq(truncate("real", (off_t)size), 0);
		read_all();
	}
}

Test(packs, that_are_damaged_do_no_harm)
{
	damage("pack", 997);
}

Test(packs, whose_index_lies_do_no_harm)
{
	damage("idx", 7);
}
