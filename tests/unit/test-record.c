/* SPDX-License-Identifier: MIT */
/* Slot records and the stat index: what is written is read, what is damaged is not. */
#include "scratch.h"
#include "slot/record.h"

static void enter(void)
{
	scratch_enter();
	cr_assert_eq(digest_init_once(NULL), 0);
}

TestSuite(record, .init = enter, .fini = scratch_leave);

static struct slot_record example(void)
{
	struct slot_record rec = {
		.contents = SLOT_SEALED,
		.serial = UINT64_MAX,
		.time = -5,
		.version = "1.0 \\ \001 beta",
		.uuid = "0f6c7a4e-0000-4000-8000-00000000abcd",
		.signer = "SHA256:a/b+c",
	};

	memset(&rec.identity, 1, sizeof(rec.identity));
	memset(&rec.commit, 2, sizeof(rec.commit));
	memset(&rec.manifest, 3, sizeof(rec.manifest));
	return rec;
}

static int save(const struct slot_record *rec)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return slot_record_save(dir, "A", rec, NULL);
}

static int load(struct slot_record *rec, struct error *e)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return slot_record_load(dir, "A", rec, e);
}

Test(record, is_read_as_it_was_written)
{
	struct slot_record rec = example();
	struct slot_record back = { 0 };

	cr_assert_eq(save(&rec), 0);
	cr_assert_eq(load(&back, NULL), 0);
	cr_assert_eq(back.contents, SLOT_SEALED);
	cr_assert_eq(back.serial, rec.serial);
	cr_assert_eq(back.time, rec.time);
	cr_assert_str_eq(back.version, rec.version);
	cr_assert_str_eq(back.uuid, rec.uuid);
	cr_assert_str_eq(back.signer, rec.signer);
	cr_assert(digest_equal(&back.identity, &rec.identity));
	cr_assert(digest_equal(&back.manifest, &rec.manifest));
	cr_assert(oid_equal(&back.commit, &rec.commit));
}

Test(record, is_empty_when_it_is_missing)
{
	struct slot_record back = { .contents = SLOT_SEALED };

	cr_assert_eq(load(&back, NULL), 0);
	cr_assert_eq(back.contents, SLOT_EMPTY);
}

Test(record, keys_of_a_later_version_are_skipped)
{
	struct slot_record back;

	cr_assert_eq(mkdir("slots", 0700), 0);
	scratch_put("slots/A",
		bytes_of("osupdate-slot 1\nfuture thing\nlonely\ncontents dirty\n"));
	cr_assert_eq(load(&back, NULL), 0);
	cr_assert_eq(back.contents, SLOT_DIRTY);
}

Test(record, damage_never_passes_for_a_record)
{
	static const char *const cases[] = { "", "osupdate-slot 2\n", "osupdate-slot 1",
		"osupdate-slot 1\ncontents sealed", "osupdate-slot 1\ncontents perfect\n",
		"osupdate-slot 1\nserial 01\n", "osupdate-slot 1\nidentity 12\n",
		"osupdate-slot 1\nserial -1\n", "osupdate-slot 1\nversion a\\9\n" };

	cr_assert_eq(mkdir("slots", 0700), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slot_record back = { .contents = SLOT_EMPTY };
		struct error e = { 0 };

		scratch_put("slots/A", bytes_of(cases[i]));
		cr_expect_eq(load(&back, &e), E_INPUT, "\"%s\"", cases[i]);
		cr_expect(strstr(e.text, "slots/A"), "%s", e.text);
	}
}

static const struct index_item items[3] = { { 11, 12, 13, 0 }, { 21, -22, 23, 0 },
	{ 31, 32, 33, 0 } };

static int save_index(const struct digest *manifest)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	const struct index_key key = { "uuid-1", *manifest,
		digest_of(bytes_of("stamp")) };

	return slot_index_save(dir, "A", &key, items, 3, NULL);
}

static int load_index(
	const char *uuid, const struct digest *manifest, struct slot_index *ret)
{
	autofd dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	const struct index_key key = { .uuid = uuid, .manifest = *manifest };

	return slot_index_load(dir, "A", &key, ret, NULL);
}

Test(record, the_index_is_read_as_it_was_written)
{
	struct digest manifest = digest_of(bytes_of("manifest"));
	struct digest stamp = digest_of(bytes_of("stamp"));
	struct slot_index index;

	cr_assert_eq(save_index(&manifest), 0);
	cr_assert_eq(load_index("uuid-1", &manifest, &index), 0);
	cr_assert_eq(index.count, 3);
	cr_assert_eq(memcmp(&index.stamp, stamp.b, DIGEST_SIZE), 0);
	cr_assert_eq(memcmp(index.items, items, sizeof(items)), 0);
	slot_index_release(&index);
}

Test(record, an_index_of_another_release_or_file_system_is_none)
{
	struct digest manifest = digest_of(bytes_of("manifest"));
	struct digest other = digest_of(bytes_of("other"));
	struct slot_index index;

	cr_assert_eq(load_index("uuid-1", &manifest, &index), E_NOTFOUND);
	cr_assert_eq(save_index(&manifest), 0);
	cr_assert_eq(load_index("uuid-2", &manifest, &index), E_NOTFOUND);
	cr_assert_eq(load_index("uuid-1", &other, &index), E_NOTFOUND);
}

Test(record, a_damaged_index_is_none)
{
	struct digest manifest = digest_of(bytes_of("manifest"));
	autobuf good = { 0 };
	struct slot_index index;

	cr_assert_eq(save_index(&manifest), 0);
	cr_assert_eq(io_read_file_at(AT_FDCWD, "slots/A.index", 4096, &good, NULL), 0);
	for (size_t i = 0; i < good.size; i++) {
		good.data[i] ^= 1;
		scratch_put("slots/A.index", buf_bytes(&good));
		cr_expect_eq(load_index("uuid-1", &manifest, &index), E_NOTFOUND,
			"byte %zu", i);
		good.data[i] ^= 1;
		scratch_put(
			"slots/A.index", (struct bytes){ (unsigned char *)good.data, i });
		cr_expect_eq(load_index("uuid-1", &manifest, &index), E_NOTFOUND,
			"%zu bytes", i);
	}
}
