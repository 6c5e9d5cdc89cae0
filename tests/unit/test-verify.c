/* SPDX-License-Identifier: MIT */
/* A slot against its manifest: every kind of difference is found, by its word. */
#include <sys/xattr.h>

#include "listing.h"
#include "scratch.h"
#include "slot/verify.h"

static struct buf manifest;
static struct buf found;

/* root/: a file, a directory with two, a link, a fifo, a device. */
static void enter(void)
{
	scratch_enter();
	cr_assert_eq(digest_init_once(NULL), 0);
	(void)umask(022);
	cr_assert_eq(mkdir("root", 0755), 0);
	cr_assert_eq(mkdir("root/dir", 0755), 0);
	scratch_put("root/file", bytes_of("contents"));
	scratch_put("root/dir/one", bytes_of("1"));
	scratch_put("root/dir/two", bytes_of("22"));
	cr_assert_eq(symlink("file", "root/link"), 0);
	cr_assert_eq(mkfifo("root/pipe", 0600), 0);
	cr_assert_eq(mknod("root/null", S_IFCHR | 0600, makedev(1, 3)), 0);
	cr_assert_eq(setxattr("root/file", "user.a", "1", 1, 0), 0);
}

static void leave(void)
{
	buf_release(&manifest);
	buf_release(&found);
	scratch_leave();
}

TestSuite(verify, .init = enter, .fini = leave);

static int note(void *ctx, const struct finding *f, struct error *e)
{
	(void)ctx;
	(void)e;
	buf_addf(&found, "%s %s%s\n", f->path, f->what, f->local ? " local" : "");
	return 0;
}

/* The listing knows no attributes: say that root/file has one. */
static void list(void)
{
	const char *file;
	struct buf out = { 0 };

	buf_reset(&manifest);
	listing_walk("root", ".", &manifest);
	file = strstr(manifest.data, " file\n");
	cr_assert_not_null(file);
	file += strlen(" file\n");
	buf_add(&out, manifest.data, (size_t)(file - manifest.data));
	buf_adds(&out, "= user.a MQ==\n");
	buf_adds(&out, file);
	buf_release(&manifest);
	manifest = out;
}

static struct verify_sums verify(void)
{
	autofd root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct verify_sums sums = { 0 };
	struct error e = { 0 };

	buf_reset(&found);
	cr_assert_eq(verify_slot(root, buf_bytes(&manifest), note, NULL, NULL, &sums, &e),
		0, "%s", e.text);
	return sums;
}

/* What `change` does to root/ is found as `expected`; times are put back. */
static void expect(const char *expected)
{
	struct verify_sums sums = verify();

	cr_assert_str_eq(found.data ? found.data : "", expected);
	cr_assert_gt(sums.entries, 0);
}

/* Set a name's time as it was, so that only the change itself shows. */
static void same_time(const char *path, const struct stat *st)
{
	const struct timespec times[2] = { st->st_mtim, st->st_mtim };

	cr_assert_eq(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

Test(verify, a_slot_that_is_its_manifest_has_no_differences)
{
	struct verify_sums sums;

	list();
	sums = verify();
	cr_assert_null(found.data, "%s", found.data);
	cr_assert_eq(sums.differences, 0);
	cr_assert_eq(sums.entries, 8);
	cr_assert_eq(sums.bytes, 11);
}

Test(verify, finds_other_contents_of_the_same_size_and_time)
{
	struct stat st;

	list();
	cr_assert_eq(stat("root/dir/one", &st), 0);
	scratch_put("root/dir/one", bytes_of("!"));
	same_time("root/dir/one", &st);
	expect("dir/one content\n");
}

Test(verify, finds_another_size)
{
	struct stat st;

	list();
	cr_assert_eq(stat("root/dir/one", &st), 0);
	scratch_put("root/dir/one", bytes_of("longer"));
	same_time("root/dir/one", &st);
	expect("dir/one size\n");
}

Test(verify, finds_mode_owner_time_and_attributes)
{
	list();
	cr_assert_eq(chmod("root/file", 04711), 0);
	cr_assert_eq(chown("root/dir/two", 5, 6), 0);
	cr_assert_eq(setxattr("root/dir/one", "user.more", "", 0, 0), 0);
	cr_assert_eq(setxattr("root/file", "user.a", "2", 1, 0), 0);
	same_time("root/pipe", &(struct stat){ .st_mtim = { 1, 2 } });
	expect("dir/one xattr\ndir/two owner\nfile mode\nfile xattr\npipe mtime\n");
}

Test(verify, finds_a_removed_attribute)
{
	list();
	cr_assert_eq(removexattr("root/file", "user.a"), 0);
	expect("file xattr\n");
}

Test(verify, finds_what_is_missing_and_what_is_too_much)
{
	struct stat dir;
	struct stat root;

	list();
	cr_assert_eq(stat("root/dir", &dir), 0);
	cr_assert_eq(stat("root", &root), 0);
	cr_assert_eq(unlink("root/dir/one"), 0);
	scratch_put("root/dir/three", bytes_of("3"));
	cr_assert_eq(mkdir("root/new", 0755), 0);
	scratch_put("root/new/below", bytes_of("counts with its directory"));
	same_time("root/dir", &dir);
	same_time("root", &root);
	expect("dir/one missing\ndir/three extra\nnew extra\n");
}

Test(verify, finds_another_type_target_and_device)
{
	struct stat st;
	struct stat root;

	list();
	cr_assert_eq(stat("root", &root), 0);
	cr_assert_eq(lstat("root/link", &st), 0);
	cr_assert_eq(unlink("root/link"), 0);
	cr_assert_eq(symlink("elsewhere", "root/link"), 0);
	same_time("root/link", &st);
	cr_assert_eq(lstat("root/null", &st), 0);
	cr_assert_eq(unlink("root/null"), 0);
	cr_assert_eq(mknod("root/null", S_IFCHR | 0600, makedev(1, 5)), 0);
	same_time("root/null", &st);
	cr_assert_eq(unlink("root/pipe"), 0);
	scratch_put("root/pipe", bytes_of(""));
	same_time("root", &root);
	expect("link target\nnull device\npipe type\n");
}

Test(verify, finds_links_that_are_broken_up_or_lead_outside)
{
	struct buf out = { 0 };
	char *two;

	list();
	/* The manifest says that dir/two is dir/one's second name; here they are two. */
	two = strstr(manifest.data, "f 0600");
	two = strstr(two, "dir/one\n") + strlen("dir/one\n");
	buf_add(&out, manifest.data, (size_t)(two - manifest.data));
	buf_adds(&out, "h - - - - - dir/one dir/two\n");
	buf_adds(&out, strchr(two, '\n') + 1);
	buf_release(&manifest);
	manifest = out;
	expect("dir/two links\n");
	cr_assert_eq(link("root/file", "outside"), 0);
	expect("dir/two links\nfile links\n");
}

Test(verify, leaves_its_own_files_and_lost_found_alone)
{
	struct stat st;

	cr_assert_eq(mkdir("root/usr", 0755), 0);
	cr_assert_eq(mkdir("root/usr/lib", 0755), 0);
	cr_assert_eq(mkdir("root/usr/lib/osupdate", 0755), 0);
	list();
	cr_assert_eq(stat("root/usr/lib/osupdate", &st), 0);
	scratch_put("root/usr/lib/osupdate/manifest", bytes_of("m"));
	scratch_put("root/usr/lib/osupdate/release", bytes_of("r"));
	same_time("root/usr/lib/osupdate", &st);
	cr_assert_eq(stat("root", &st), 0);
	cr_assert_eq(mkdir("root/lost+found", 0700), 0);
	same_time("root", &st);
	cr_assert_eq(verify().differences, 0, "%s", found.data);
}

Test(verify, a_lost_found_that_others_may_enter_or_that_holds_things_is_too_much)
{
	struct stat st;

	list();
	cr_assert_eq(stat("root", &st), 0);
	cr_assert_eq(mkdir("root/lost+found", 0755), 0);
	same_time("root", &st);
	expect("lost+found extra\n");
	cr_assert_eq(chmod("root/lost+found", 0700), 0);
	expect("");
	scratch_put("root/lost+found/shell", bytes_of("#!"));
	expect("lost+found extra\n");
	cr_assert_eq(unlink("root/lost+found/shell"), 0);
	cr_assert_eq(chown("root/lost+found", 1000, 0), 0);
	expect("lost+found extra\n");
	cr_assert_eq(rmdir("root/lost+found"), 0);
	scratch_put("root/lost+found", bytes_of("#!"));
	same_time("root", &st);
	expect("lost+found extra\n");
}

Test(verify, what_machines_fill_themselves_counts_apart)
{
	struct verify_sums sums;

	cr_assert_eq(mkdir("root/usr", 0755), 0);
	cr_assert_eq(mkdir("root/usr/lib", 0755), 0);
	cr_assert_eq(mkdir("root/usr/lib/osupdate", 0755), 0);
	scratch_put("root/usr/lib/osupdate/local", bytes_of("dir\n"));
	list();
	cr_assert_eq(chmod("root/dir/one", 0644), 0);
	cr_assert_eq(chmod("root/file", 0644), 0);
	sums = verify();
	cr_assert_str_eq(found.data, "dir/one mode local\nfile mode\n");
	cr_assert_eq(sums.local, 1);
	cr_assert_eq(sums.differences, 1);
}

Test(verify, a_list_of_local_prefixes_that_was_not_signed_excuses_nothing)
{
	struct verify_sums sums;

	cr_assert_eq(mkdir("root/usr", 0755), 0);
	cr_assert_eq(mkdir("root/usr/lib", 0755), 0);
	cr_assert_eq(mkdir("root/usr/lib/osupdate", 0755), 0);
	scratch_put("root/usr/lib/osupdate/local", bytes_of("dir\n"));
	list();
	scratch_put("root/usr/lib/osupdate/local", bytes_of(".\n\n\n"));
	cr_assert_eq(chmod("root/file", 0644), 0);
	sums = verify();
	cr_assert_eq(sums.local, 0);
	cr_assert_geq(sums.differences, 2);
}

Test(verify, a_slot_without_a_proof_says_so)
{
	autofd root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autobuf proof = { 0 };
	struct error e = { 0 };
	int fd = -1;

	cr_assert_eq(verify_read_proof(root, &proof, &e), E_NOTFOUND);
	cr_assert(strstr(e.text, PATH_RELEASE), "%s", e.text);
	cr_assert_eq(verify_open_manifest(root, &fd, &e), E_NOTFOUND);
	cr_assert(strstr(e.text, PATH_MANIFEST), "%s", e.text);
}
