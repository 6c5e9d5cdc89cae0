/* SPDX-License-Identifier: MIT */
/* What two manifests say of a slot is what a walk over it would: step by step the same. */
#include "listing.h"
#include "scratch.h"
#include "slot/recall.h"

static struct buf sealed;
static struct index_item items[64];
static struct slot_index sealed_index = { .items = items };

static void enter(void)
{
	scratch_enter();
	cr_assert_eq(digest_init_once(NULL), 0);
	cr_assert_eq(mkdir("root", 0755), 0);
	cr_assert_eq(mkdir("root/a", 0755), 0);
	cr_assert_eq(mkdir("root/a/deep", 0755), 0);
	cr_assert_eq(mkdir("root/b", 0755), 0);
	scratch_put("root/a/deep/1", bytes_of("one"));
	scratch_put("root/a/deep/2", bytes_of("two"));
	scratch_put("root/a/x", bytes_of("x"));
	scratch_put("root/a.txt", bytes_of("sorts before what is in a"));
	scratch_put("root/b/file", bytes_of("file"));
	scratch_put("root/z", bytes_of("z"));
	cr_assert_eq(symlink("z", "root/link"), 0);
	buf_adds(&sealed, MANIFEST_HEADER);
	listing_walk("root", ".", &sealed);
}

static void leave(void)
{
	buf_release(&sealed);
	scratch_leave();
}

TestSuite(recall, .init = enter, .fini = leave);

static int note(void *ctx, const struct walk_step *step, struct error *e)
{
	static const char *const words[] = { "both", "missing", "extra" };

	(void)e;
	buf_addf(ctx, "%s %s below %d", words[step->what], step->path, (int)step->parent);
	if (step->what != WALK_EXTRA)
		buf_addf(ctx, " is %d at %d", (int)step->index, (int)step->offset);
	if (step->what != WALK_MISSING)
		buf_addf(ctx, ": %o inode %lu, %lu names", step->st.st_mode & S_IFMT,
			step->st.st_ino,
			S_ISDIR(step->st.st_mode) ? 1 : (unsigned long)step->st.st_nlink);
	buf_adds(ctx, "\n");
	return 0;
}

static int index_note(void *ctx, const struct walk_step *step, struct error *e)
{
	(void)ctx;
	(void)e;
	cr_assert_eq(step->what, WALK_BOTH, "%s", step->path);
	items[step->index] = (struct index_item){ .inode = step->st.st_ino };
	sealed_index.count = step->index + 1;
	return 0;
}

/* Both ways for a manifest that is wanted. */
static void compare(const char *wanted)
{
	autofd root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct recall rc = { root, buf_bytes(&sealed), &sealed_index };
	autobuf walked = { 0 };
	autobuf recalled = { 0 };
	struct error e = { 0 };

	cr_assert_eq(walk_slot(root, buf_bytes(&sealed), index_note, NULL, &e), 0, "%s",
		e.text);
	cr_assert_eq(
		walk_slot(root, bytes_of(wanted), note, &walked, &e), 0, "%s", e.text);
	cr_assert_eq(
		recall_slot(&rc, bytes_of(wanted), note, &recalled, &e), 0, "%s", e.text);
	cr_assert_str_eq(recalled.data, walked.data, "for\n%s", wanted);
}

Test(recall, of_what_is_wanted_is_all_there)
{
	compare(sealed.data);
}

/* Without every single entry (and all below it) in turn. */
Test(recall, of_what_is_too_much)
{
	for (size_t skip = 1; skip < 11; skip++) {
		autobuf wanted = { 0 };
		char gone[64] = "";
		struct bytes line;
		size_t at = 0;

		for (size_t n = 0; manifest_line(buf_bytes(&sealed), &at, &line); n++) {
			const char *path = (const char *)memrchr(
						   line.data, ' ', line.size) +
					   1;
			size_t size = (size_t)((const char *)line.data + line.size - path);

			if (n == skip + 1)
				(void)snprintf(gone, sizeof(gone), "%.*s", (int)size, path);
			if (gone[0]) {
				autofree char *copy = xstrndup(path, size);

				if (path_within(copy, gone))
					continue;
			}
			buf_add(&wanted, line.data, line.size);
			buf_adds(&wanted, "\n");
		}
		compare(wanted.data);
	}
}

static void compare_with(const char *what, const char *by)
{
	const char *found = strstr(sealed.data, what);
	autobuf wanted = { 0 };

	cr_assert_not_null(found, "%s", what);
	buf_add(&wanted, sealed.data, (size_t)(found - sealed.data));
	buf_adds(&wanted, by);
	buf_adds(&wanted, found + strlen(what));
	compare(wanted.data);
}

#define DIR  "d 0755 0 0 1.000000000 - - "
#define LINK "l 0777 0 0 1.000000000 - to "

Test(recall, of_what_is_missing_or_another)
{
	compare_with(" a.txt\n", " a.txt\n" DIR "aa\n" LINK "aa/link\n");
	compare_with(" a/x\n", " a/x\n" LINK "a/y\n");
	compare_with(" z\n", " z\n" LINK "zz\n");
	compare_with(" - z link\n", " - x link\n");
}

Test(recall, of_things_that_become_directories_and_back)
{
	const char *deep = strstr(sealed.data, " a/deep\n");
	autobuf wanted = { 0 };
	const char *after;

	compare_with(" - z link\n", " - z other\n" DIR "p\n" LINK "p/q\n");
	/* a/deep becomes a link: what was in it goes with it. */
	while (deep[-1] != '\n')
		deep--;
	after = strstr(deep, " a/deep/2\n") + strlen(" a/deep/2\n");
	buf_add(&wanted, sealed.data, (size_t)(deep - sealed.data));
	buf_adds(&wanted, LINK "a/deep\n");
	buf_adds(&wanted, after);
	compare(wanted.data);
}

Test(recall, of_names_of_one_inode)
{
	const char *file;
	autobuf with = { 0 };

	cr_assert_eq(link("root/a/x", "root/b/x"), 0);
	cr_assert_eq(link("root/a/x", "root/b/y"), 0);
	file = strstr(sealed.data, " b/file\n");
	file += strlen(" b/file\n");
	buf_add(&with, sealed.data, (size_t)(file - sealed.data));
	buf_adds(&with, "h - - - - - a/x b/x\nh - - - - - a/x b/y\n");
	buf_adds(&with, file);
	buf_release(&sealed);
	sealed = with;
	with = (struct buf){ 0 };
	compare(sealed.data);
	compare_with("h - - - - - a/x b/x\n", "");
	compare_with("h - - - - - a/x b/x\n", LINK "b/x\n");
}

Test(recall, of_a_slot_that_is_not_as_it_was_sealed_is_refused)
{
	autofd root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct recall rc = { root, buf_bytes(&sealed), &sealed_index };
	const char *last = strstr(sealed.data, " link\n");
	struct error e = { 0 };
	autobuf out = { 0 };
	autobuf wanted = { 0 };

	compare(sealed.data);
	cr_assert_eq(unlink("root/z"), 0);
	buf_add(&wanted, sealed.data, (size_t)(last - sealed.data) + strlen(" link\n"));
	cr_assert_eq(recall_slot(&rc, buf_bytes(&wanted), note, &out, &e), E_INPUT);
	cr_assert(strstr(e.text, "z: not what was sealed"), "%s", e.text);
	sealed_index.count = 3;
	cr_assert_eq(recall_slot(&rc, buf_bytes(&sealed), note, &out, &e), E_INPUT);
}
