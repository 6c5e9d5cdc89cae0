/* SPDX-License-Identifier: MIT */
/* Many packs become few, with every object that git found in them before. */
#include <git2.h>

#include "scratch.h"
#include "store/server/gather.h"
#include "store/server/repack.h"

static void git(const char *script, struct buf *out)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=.",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_DIR=git", "GIT_AUTHOR_NAME=b",
		"GIT_AUTHOR_EMAIL=b@example.org", "GIT_COMMITTER_NAME=b",
		"GIT_COMMITTER_EMAIL=b@example.org", NULL };
	const char *const argv[] = { "bash", "-euc", script, NULL };
	autobuf ignored = { 0 };

	cr_assert_eq(
		scratch_run_env(argv, env, NULL, out ? out : &ignored), 0, "%s", script);
}

/*
 * Twelve commits of a text that deltifies, a pack each: deltas by distance in even ones,
 * by id in odd ones.  Every third has all objects so far once more, in other chains.
 */
static void enter(void)
{
	scratch_enter();
	git("git init -q --bare git; seq 1 5000 >t; echo small >small; mkdir packs; "
	    "past=\n"
	    "for i in $(seq 1 12); do sed -i \"${i}00s/.*/changed in $i/;$i d\" t; : "
	    ">e$i\n"
	    "git --work-tree=. add t small e$i; git --work-tree=. commit -qm $i\n"
	    "git tag -a -m tag-$i t$i; new=$(git rev-parse t$i)\n"
	    "[ $((i % 3)) = 0 ] && past=; [ $((i % 2)) = 0 ] && o=--delta-base-offset || "
	    "o=\n"
	    "git rev-list --objects $new $past | cut -d' ' -f1 |\n"
	    "git pack-objects -q $o --no-reuse-delta packs/pack >>made; past=^$new; "
	    "done\n"
	    "rm -rf git/objects/[0-9a-f][0-9a-f]; mv packs/* git/objects/pack/",
		NULL);
}

TestSuite(repack, .init = enter, .fini = scratch_leave);

static size_t count(const char *script)
{
	autobuf out = { 0 };

	git(script, &out);
	return strtoul(out.data, NULL, 10);
}

static size_t packs(void)
{
	return count("ls git/objects/pack/*.idx | wc -l");
}

/* Every object with its type and size, and the digest of all contents. */
static void objects(struct buf *out)
{
	git("git cat-file --batch-all-objects --batch-check; "
	    "git cat-file --batch-all-objects --batch | sha256sum",
		out);
}

static void same_objects(const struct buf *before)
{
	autobuf after = { 0 };

	objects(&after);
	cr_assert_str_eq(before->data, after.data);
	git("git fsck --full --strict; for p in git/objects/pack/*.idx; do "
	    "git verify-pack $p; done",
		NULL);
	/* Nothing but pairs. */
	cr_assert_eq(count("ls -A git/objects/pack | wc -l"), 2 * packs());
}

Test(repack, gathers_packs_with_all_that_was_in_them)
{
	autobuf before = { 0 };

	objects(&before);
	cr_assert_eq(packs(), 12);
	/* There are deltas of both kinds, and objects that stand in several packs. */
	cr_assert_gt(
		count("for p in git/objects/pack/*.idx; do git verify-pack -v $p; done"
		      " | grep -c ' [0-9a-f]\\{40\\}$'"),
		10);
	cr_assert_gt(count("for p in git/objects/pack/*.idx; do git show-index <$p; done"
			   " | cut -d' ' -f2 | sort | uniq -d | wc -l"),
		20);
	cr_assert(repack());
	cr_assert_leq(packs(), REPACK_MAX / 2);
	same_objects(&before);
	cr_assert_not(repack());
}

/* As those of packs over 2 GiB are. */
Test(repack, reads_offsets_of_8_bytes)
{
	autobuf before = { 0 };

	objects(&before);
	git("cd git/objects/pack; chmod u+w *; for p in *.pack; do rm ${p%.pack}.idx; "
	    "git index-pack --index-version=2,0x40 $p; done",
		NULL);
	cr_assert(repack());
	cr_assert_lt(packs(), 12);
	same_objects(&before);
}

Test(repack, takes_a_pack_of_no_objects_for_what_it_is)
{
	autobuf before = { 0 };

	objects(&before);
	git("git pack-objects -q git/objects/pack/pack </dev/null", NULL);
	cr_assert(repack());
	same_objects(&before);
}

Test(repack, leaves_few_packs_alone)
{
	git("cd git/objects/pack; for p in $(ls *.idx | tail -n 4); do rm ${p%.idx}.*; "
	    "done",
		NULL);
	cr_assert_eq(packs(), REPACK_MAX);
	cr_assert_not(repack());
	cr_assert_eq(packs(), REPACK_MAX);
}

Test(repack, leaves_a_large_pack_alone_while_the_small_ones_are_few)
{
	autobuf before = { 0 };

	/* Cannot be squeezed: larger than all the others together. */
	git("head -c 3000000 /dev/urandom >large; id=$(git hash-object -w large); "
	    "echo $id | git pack-objects -q git/objects/pack/pack >name; "
	    "rm -rf git/objects/[0-9a-f][0-9a-f]",
		NULL);
	objects(&before);
	cr_assert(repack());
	git("test -e git/objects/pack/pack-$(cat name).pack", NULL);
	cr_assert_leq(packs(), REPACK_MAX / 2);
	same_objects(&before);
}

/* The new pack then has the bytes, and so the name, of an old one. */
Test(repack, keeps_a_pack_that_had_everything)
{
	autobuf before = { 0 };

	git("rm -rf git; git init -q --bare git; for i in $(seq 1 9); do "
	    "head -c $((i * 1000)) /dev/urandom | git hash-object -w --stdin >>ids; "
	    "git pack-objects -q git/objects/pack/pack <ids >last; done; "
	    "rm -rf git/objects/[0-9a-f][0-9a-f]",
		NULL);
	objects(&before);
	cr_assert_eq(packs(), 9);
	cr_assert(repack());
	same_objects(&before);
	cr_assert_eq(packs(), 1);
	git("test -e git/objects/pack/pack-$(cat last).pack", NULL);
}

static void release_object(struct gather_whole *w)
{
	git_odb_object_free(w->owner);
}

static int read_whole(void *ctx, const unsigned char *id, struct gather_whole *ret)
{
	git_odb_object *object = NULL;
	git_oid oid;

	memcpy(oid.id, id, OID_SIZE);
	cr_assert_eq(git_odb_read(&object, ctx, &oid), 0);
	*ret = (struct gather_whole){ (unsigned)git_odb_object_type(object),
		{ git_odb_object_data(object), git_odb_object_size(object) },
		release_object, object };
	return 0;
}

/* The size of an object in more bytes than it takes, as a server may send it. */
Test(repack, gathers_what_only_git_reads_when_that_is_asked)
{
	struct gather g = { .whole = read_whole };
	autobuf before = { 0 };
	git_odb *odb = NULL;

	git("python3 -c 'import hashlib, sys, zlib\n"
	    "pack = b\"PACK\\0\\0\\0\\2\\0\\0\\0\\1\\xb5\\x80\\x80\\x80\\x80\\0\" + "
	    "zlib.compress(b\"hello\")\n"
	    "sys.stdout.buffer.write(pack + hashlib.sha1(pack).digest())' >long.pack\n"
	    "git index-pack -o git/objects/pack/pack-long.idx long.pack\n"
	    "mv long.pack git/objects/pack/pack-long.pack",
		NULL);
	objects(&before);
	cr_assert_eq(packs(), 13);
	cr_assert(git_libgit2_init() > 0);
	cr_assert_eq(git_odb_open(&odb, "git/objects"), 0);
	g.ctx = odb;
	cr_assert(gather_open(&g, SIZE_MAX));
	cr_assert(gather_survey(&g));
	cr_expect(gather_write(&g));
	gather_close(&g);
	git_odb_free(odb);
	(void)git_libgit2_shutdown();
	cr_assert_eq(packs(), 1);
	same_objects(&before);
}

/* Whatever an index or a pack says: nothing is lost that was readable before. */
static void damage(const char *suffix, size_t step)
{
	autofree char *find = xasprintf(
		"f=$(ls -S git/objects/pack/*.%s | sed -n 2p); chmod u+w $f; cp $f bad; "
		"echo $f | tr -d '\\n' >victim; cp -al git/objects/pack all",
		suffix);
	autobuf victim = { 0 };
	autobuf data = { 0 };

	git(find, NULL);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "victim", 4096, &victim, NULL), 0);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "bad", 1 << 24, &data, NULL), 0);
	for (size_t at = 0; at < data.size; at += step) {
		data.data[at] ^= (char)(1 << at % 8);
		git("rm -rf git/objects/pack; cp -al all git/objects/pack; rm $(cat "
		    "victim)",
			NULL);
		scratch_put(victim.data, buf_bytes(&data));
		data.data[at] ^= (char)(1 << at % 8);
		if (!repack())
			cr_assert_eq(packs(), 12);
		else
			cr_assert_leq(packs(), REPACK_MAX);
	}
}

Test(repack, of_a_damaged_index_does_no_harm)
{
	damage("idx", 29);
}

Test(repack, of_a_damaged_pack_does_no_harm)
{
	damage("pack", 151);
}
