/* SPDX-License-Identifier: MIT */
/*
 * Manifests, two of them with a NUL between: what the reader takes, the printer prints;
 * every way to read one tells the same.
 */
#include "fuzz.h"
#include "manifest/diff.h"
#include "manifest/manifest.h"

#define FINDS_MAX 16 /* each is a search of its own */

static bool entry_same(const struct entry *a, const struct entry *b)
{
	autobuf x = { 0 };
	autobuf y = { 0 };

	entry_print(a, &x);
	entry_print(b, &y);
	return bytes_same(buf_bytes(&x), buf_bytes(&y));
}

/* The same entry by its place, and by its path. */
static void look_up(struct bytes text, uint64_t offset, const struct entry *entry)
{
	autoreader at = manifest_reader_new(text);
	autoreader find = manifest_reader_new(text);
	struct entry got;

	assert(manifest_at(at, offset, &got, NULL) == 0 && entry_same(&got, entry));
	assert(manifest_find(find, entry->path, &got, NULL) == 1);
	assert(entry_same(&got, entry));
}

/* What comes before an error is printed as it was read, too. */
static int read_and_print(struct bytes text)
{
	autoreader reader = manifest_reader_new(text);
	autobuf out = { 0 };
	struct error e;
	struct entry entry;
	int r;

	buf_adds(&out, MANIFEST_HEADER);
	while ((r = manifest_next(reader, &entry, &e)) > 0) {
		assert(manifest_offset(reader) == out.size);
		assert(!path_fault(entry.path, strlen(entry.path)));
		entry_print(&entry, &out);
	}
	assert(r < 0 || out.size == text.size);
	if (text.size >= out.size && out.size > strlen(MANIFEST_HEADER))
		assert(memcmp(text.data, out.data, out.size) == 0);
	return r;
}

static void find_entries(struct bytes text)
{
	autoreader reader = manifest_reader_new(text);
	autoreader find = manifest_reader_new(text);
	struct entry entry;

	assert(manifest_find(find, "no/such/path", &entry, NULL) == 0);
	for (int i = 0; i < FINDS_MAX && manifest_next(reader, &entry, NULL) > 0; i++)
		look_up(text, manifest_offset(reader), &entry);
}

static void read_lines(struct bytes text)
{
	struct bytes line;
	size_t total = 0;
	size_t at = 0;

	while (manifest_line(text, &at, &line))
		total += line.size + 1;
	assert(total == text.size && at == text.size);
}

static bool check(struct bytes text)
{
	struct manifest_sums sums;
	struct error e;
	int read = read_and_print(text);

	if (manifest_check(text, &sums, &e) < 0)
		return false;
	assert(read == 0 && sums.inodes <= sums.entries &&
		sums.directories <= sums.inodes);
	find_entries(text);
	read_lines(text);
	return true;
}

static int on_change(void *ctx, const struct change *change, struct error *e)
{
	size_t *n = ctx;

	(void)e;
	assert(change->a || change->b);
	if (change->a && change->b)
		assert(change->flags != 0 &&
			strcmp(change->a->path, change->b->path) == 0);
	(*n)++;
	return 0;
}

static void compare(struct bytes a, struct bytes b)
{
	size_t there = 0;
	size_t back = 0;

	assert(manifest_diff(a, b, on_change, &there, NULL) == 0);
	assert(manifest_diff(b, a, on_change, &back, NULL) == 0);
	assert(there == back && (there == 0) == bytes_same(a, b));
}

static void try_paths(struct bytes a, struct bytes b)
{
	autofree char *x = xstrndup((const char *)a.data, a.size);
	autofree char *y = xstrndup((const char *)b.data, b.size);
	int order;

	if (path_fault(x, a.size) || path_fault(y, b.size))
		return;
	order = path_compare(x, y);
	assert((order < 0) == (path_compare(y, x) > 0) &&
		(order == 0) == (strcmp(x, y) == 0));
	(void)path_within(x, y);
	(void)path_is_reserved(x);
	(void)path_is_escaped(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	struct bytes a = take_part(&in);
	struct bytes b = take_part(&in);
	bool whole_a = check(a);
	bool whole_b = check(b);

	if (whole_a && whole_b)
		compare(a, b);
	if (whole_a)
		compare(a, a);
	if (!whole_a && !whole_b)
		try_paths(a, b);
	return 0;
}
