/* SPDX-License-Identifier: MIT */
/*
 * Manifests (manifest.1, manifest.2) as though their digest had been signed: what the
 * reader takes is to the byte what the printer prints, so that no two manifests mean the
 * same, and it is never the other's.
 */
#include "mutate.h"

#include "manifest/manifest.h"

static struct buf manifests[2];

static bool print_again(struct bytes manifest, struct buf *out)
{
	autoreader r = manifest_reader_new(manifest);
	struct entry entry;
	int got;

	buf_adds(out, MANIFEST_HEADER);
	while ((got = manifest_next(r, &entry, NULL)) == 1)
		entry_print(&entry, out);
	return got == 0;
}

static enum verdict try_manifest(void *ctx, struct chance *c, struct buf *how)
{
	size_t which = chance_below(c, 2);
	struct manifest_sums sums;
	autobuf again = { 0 };
	autobuf out = { 0 };
	struct error e;

	(void)ctx;
	mutate(c, buf_bytes(&manifests[which]), buf_bytes(&manifests[1 - which]), &out,
		how);
	if (manifest_check(buf_bytes(&out), &sums, &e) < 0)
		return REFUSED;
	return print_again(buf_bytes(&out), &again) &&
			       bytes_same(buf_bytes(&again), buf_bytes(&out))
		       ? HARMLESS
		       : ACCEPTED;
}

const struct campaign *campaign_manifests(void)
{
	static const struct campaign k = { .name = "manifests", .try = try_manifest };
	struct manifest_sums sums;
	struct error e = { 0 };

	for (size_t i = 0; i < 2; i++) {
		buf_reset(&manifests[i]);
		load(i ? "manifest.2" : "manifest.1", &manifests[i]);
		if (manifest_check(buf_bytes(&manifests[i]), &sums, &e) < 0)
			give_up("manifest.%zu: %s", i + 1, e.text);
	}
	return &k;
}
