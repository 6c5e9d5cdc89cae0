/* SPDX-License-Identifier: MIT */
/* The pack writer, judged by git: index-pack, fsck, cat-file. */
#include <criterion/criterion.h>
#include <dirent.h>

#include "base/pack-index.h"
#include "build/git.h"
#include "build/pack.h"
#include "scratch.h"

static git_repository *repo;
static git_odb *odb;

static void init(void)
{
	struct error e = { 0 };

	cr_assert_eq(digest_init_once(&e), 0);
	cr_assert_eq(repo_start(&e), 0, "%s", e.text);
	scratch_enter();
	cr_assert_eq(repo_init("r.git", true, &repo, &e), 0, "%s", e.text);
	cr_assert_eq(git_repository_odb(&odb, repo), 0);
}

static void fini(void)
{
	git_odb_free(odb);
	git_repository_free(repo);
	(void)git_libgit2_shutdown();
	scratch_leave();
}
TestSuite(pack, .init = init, .fini = fini);

static struct pack *open_pack(void)
{
	struct error e = { 0 };
	struct pack *p = NULL;

	cr_assert_eq(pack_new(odb, "r.git/objects", &p, &e), 0, "%s", e.text);
	return p;
}

static void add(struct pack *p, struct bytes data, struct oid *ret)
{
	struct error e = { 0 };
	void *copy = xmalloc(data.size);

	if (data.size)
		memcpy(copy, data.data, data.size);
	cr_assert_eq(
		pack_add(p, GIT_OBJECT_BLOB, copy, data.size, ret, &e), 0, "%s", e.text);
}

/* Names in objects/pack that end in `suffix`; the last one is copied. */
static unsigned files(const char *suffix, char *ret)
{
	DIR *dir = opendir("r.git/objects/pack");
	const struct dirent *d;
	unsigned n = 0;

	cr_assert_not_null(dir);
	while ((d = readdir(dir))) {
		size_t size = strlen(d->d_name);

		if (d->d_name[0] == '.' || size < strlen(suffix) ||
			strcmp(d->d_name + size - strlen(suffix), suffix) != 0)
			continue;
		n++;
		if (ret)
			(void)snprintf(ret, 300, "r.git/objects/pack/%s", d->d_name);
	}
	(void)closedir(dir);
	return n;
}

static void git(const char *verb, const char *arg, const char *more, struct buf *out)
{
	const char *const argv[] = { "git", "--git-dir=r.git", verb, arg, more, NULL };

	cr_assert_eq(scratch_run(argv, NULL, out), 0, "git %s", verb);
}

Test(pack, is_what_git_would_have_written)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 2047, 2048, 300000, 5000000 };
	const size_t n = sizeof(sizes) / sizeof(sizes[0]);
	struct pack *p = open_pack();
	struct pack_sums sums = { 0 };
	struct oid ids[8];
	struct error e = { 0 };
	autofree unsigned char *data = xmalloc(5000000);
	autobuf out = { 0 };
	char name[300];

	for (size_t i = 0; i < 5000000; i++)
		data[i] = (unsigned char)(i * i >> 7);
	for (size_t i = 0; i < n; i++)
		add(p, (struct bytes){ data, sizes[i] }, &ids[i]);
	cr_assert_eq(pack_finish(p, &sums, &e), 0, "%s", e.text);
	pack_free(p);
	cr_assert_eq(sums.objects, n);
	cr_assert_eq(files(".pack", name), 1);
	git("verify-pack", "-v", name, &out);
	for (size_t i = 0; i < n; i++) {
		struct oid want = oid_of("blob", (struct bytes){ data, sizes[i] });
		char hex[OID_HEX_MAX];
		autobuf got = { 0 };

		cr_assert(oid_equal(&want, &ids[i]));
		oid_hex(&want, hex);
		git("cat-file", "-s", hex, &got);
		cr_assert_eq(strtoul(got.data, NULL, 10), sizes[i]);
	}
	git("fsck", "--strict", "--full", &out);
}

/* Byte for byte what git makes of the same pack. */
Test(pack, has_the_index_git_makes)
{
	const char *const index[] = { "git", "index-pack", "-o", "other.idx", "copy.pack",
		NULL };
	struct pack *p = open_pack();
	struct pack_sums sums = { 0 };
	struct oid ids[500];
	autobuf out = { 0 };
	autobuf ours = { 0 };
	autobuf theirs = { 0 };
	char name[300];

	for (unsigned i = 0; i < 500; i++) {
		autofree char *text = xasprintf("object %u", i);

		add(p, bytes_of(text), &ids[i]);
	}
	cr_assert_eq(pack_finish(p, &sums, NULL), 0);
	pack_free(p);
	cr_assert_eq(files(".pack", name), 1);
	cr_assert_eq(symlink(name, "copy.pack"), 0);
	cr_assert_eq(scratch_run(index, NULL, &out), 0);
	cr_assert_eq(files(".idx", name), 1);
	cr_assert_eq(io_read_file_at(AT_FDCWD, name, 1 << 20, &ours, NULL), 0);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "other.idx", 1 << 20, &theirs, NULL), 0);
	cr_assert_eq(ours.size, theirs.size);
	cr_assert_eq(memcmp(ours.data, theirs.data, ours.size), 0);
}

Test(pack, holds_each_object_once)
{
	struct pack_sums sums = { 0 };
	struct pack *p = open_pack();
	struct oid a;
	struct oid b;
	struct oid c;

	add(p, bytes_of("same"), &a);
	add(p, bytes_of("same"), &b);
	cr_assert_eq(pack_add_now(p, GIT_OBJECT_BLOB, bytes_of("same"), &c, NULL), 0);
	cr_assert_eq(pack_finish(p, &sums, NULL), 0);
	pack_free(p);
	cr_assert_eq(sums.objects, 1);
	cr_assert(oid_equal(&a, &b));
	cr_assert(oid_equal(&a, &c));
}

Test(pack, leaves_out_what_the_repository_has)
{
	struct pack_sums sums = { 0 };
	struct pack *p;
	struct oid id;
	git_oid there;

	cr_assert_eq(git_odb_write(&there, odb, "there", 5, GIT_OBJECT_BLOB), 0);
	p = open_pack();
	add(p, bytes_of("there"), &id);
	cr_assert_eq(pack_finish(p, &sums, NULL), 0);
	pack_free(p);
	cr_assert_eq(sums.objects, 0);
	cr_assert_eq(memcmp(id.b, there.id, OID_SIZE), 0);
	cr_assert_eq(files("", NULL), 0);
}

Test(pack, leaves_nothing_when_it_is_not_finished)
{
	struct pack *p = open_pack();
	struct oid id;

	add(p, bytes_of("lost"), &id);
	cr_assert_eq(pack_drain(p, NULL), 0);
	pack_free(p);
	cr_assert_eq(files("", NULL), 0);
}

Test(pack, reports_a_directory_it_cannot_use)
{
	struct error e = { 0 };
	struct pack *p = NULL;

	cr_assert_eq(pack_new(odb, "nowhere/objects", &p, &e), E_NOTFOUND);
	cr_assert_not_null(strstr(e.text, "nowhere/objects/pack"), "%s", e.text);
}

/* Offsets from 2 GiB on stand in a table of their own. */
Test(pack, index_has_large_offsets)
{
	struct pack_record records[2] = {
		{ .oid.b = { 2 }, .offset = UINT64_C(5) << 32 | 7 },
		{ .oid.b = { 1 }, .offset = 0x7fffffff },
	};
	struct oid name = { 0 };
	autobuf out = { 0 };
	autofd fd = -1;
	const size_t offsets = 8 + 1024 + 2 * OID_SIZE + 2 * 4;

	fd = open("idx", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_eq(pack_index_write(fd, records, 2, &name, NULL), 0);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "idx", 1 << 16, &out, NULL), 0);
	cr_assert_eq(out.size, offsets + 2 * 4 + 8 + 2 * OID_SIZE);
	cr_assert_eq(memcmp(out.data + offsets,
			     "\x7f\xff\xff\xff\x80\0\0\0\0\0\0\5\0\0\0\7", 16),
		0);
}
