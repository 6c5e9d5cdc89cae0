/* SPDX-License-Identifier: MIT */
/*
 * What the store process says to root, recorded from a real one and said again with one
 * change: to the order of frames, to a frame's length or type, or to its bytes.
 */
#include "mutate.h"

#include <fcntl.h>

#include "device.h"
#include "store/client.h"
#include "store/frame.h"

#define FRAMES_MAX 4096

struct conversation {
	struct buf bytes;
	const char *name;
	struct attempt attempt;
	size_t starts[FRAMES_MAX + 1]; /* of the frames, and the end */
	size_t n;
};

/* By git, by the full stream, and by a stream with bases. */
static struct conversation talks[3];
static size_t n_talks;

static void cut_frames(struct conversation *t)
{
	size_t at = 0;

	t->n = 0;
	while (at < t->bytes.size && t->n < FRAMES_MAX) {
		t->starts[t->n++] = at;
		at += FRAME_HEAD + le32_get((unsigned char *)t->bytes.data + at);
	}
	t->starts[t->n] = at;
	if (at != t->bytes.size || t->n < 10)
		give_up("the conversation is not whole frames, or too short");
}

static void add_frame(struct buf *out, const struct conversation *t, size_t i)
{
	buf_add(out, t->bytes.data + t->starts[i], t->starts[i + 1] - t->starts[i]);
}

/* Frame number `i` with other bytes after its head, and the right length or one that is
 * not. */
static void change_frame(struct chance *c, const struct conversation *t,
	const struct conversation *other, size_t i, struct buf *out, struct buf *how)
{
	struct bytes in =
		bytes_part(buf_bytes(&t->bytes), t->starts[i], t->starts[i + 1]);
	size_t k = chance_below(c, other->n);
	struct bytes foreign = bytes_part(
		buf_bytes(&other->bytes), other->starts[k], other->starts[k + 1]);
	unsigned char head[FRAME_HEAD];
	autobuf changed = { 0 };

	memcpy(head, in.data, FRAME_HEAD);
	switch (chance_below(c, 4)) {
	case 0: /* the head */
		mutate_part(c, in, 0, FRAME_HEAD, foreign, &changed, how);
		buf_add(out, changed.data, changed.size);
		return;
	case 1: /* anything */
		mutate(c, in, foreign, &changed, how);
		buf_add(out, changed.data, changed.size);
		return;
	default: /* the payload, and a length that fits */
		mutate_part(c, in, FRAME_HEAD, in.size,
			bytes_part(foreign, FRAME_HEAD, foreign.size), &changed, how);
		le32_put(head, (uint32_t)(changed.size - FRAME_HEAD));
		buf_add(out, head, FRAME_HEAD);
		buf_add(out, changed.data + FRAME_HEAD, changed.size - FRAME_HEAD);
	}
}

/* Where frame `i` stood, `what` stands: 0 nothing, 1 it twice, 2 another conversation's
 * before it, 3 another's instead, 4 the one behind it first, 5 its end is missing with
 * all that follows. */
static bool move_frame(struct chance *c, const struct conversation *t,
	const struct conversation *other, size_t i, unsigned what, struct buf *out,
	struct buf *how)
{
	static const char *const names[] = { "is left out", "comes twice",
		"comes after a foreign one", "is a foreign one",
		"changes places with another", "is cut, and the end" };
	size_t k = chance_below(c, other->n);

	if (what >= sizeof(names) / sizeof(names[0]))
		return false;
	buf_addf(how, "%s", names[what]);
	if (what == 1)
		add_frame(out, t, i);
	if (what == 2 || what == 3)
		add_frame(out, other, k);
	if (what == 1 || what == 2)
		add_frame(out, t, i);
	if (what == 5)
		buf_add(out, t->bytes.data + t->starts[i],
			chance_below(c, t->starts[i + 1] - t->starts[i]));
	return true;
}

static void swap_frames(const struct conversation *t, size_t i, size_t k, struct buf *out)
{
	for (size_t j = 0; j < t->n; j++)
		add_frame(out, t, j == i ? k : j == k ? i : j);
}

static void mutate_frames(
	struct chance *c, const struct conversation *t, struct buf *out, struct buf *how)
{
	const struct conversation *other = &talks[chance_below(c, n_talks)];
	size_t i = chance_below(c, t->n);
	unsigned what = (unsigned)chance_below(c, 12);

	buf_addf(how, "%s: frame %zu (type %u) ", t->name, i,
		(unsigned char)t->bytes.data[t->starts[i] + 4]);
	if (what == 4) {
		buf_adds(how, "changes places with another");
		swap_frames(t, i,
			chance_below(c, 2) && i + 1 < t->n ? i + 1
							   : chance_below(c, t->n),
			out);
		return;
	}
	buf_add(out, t->bytes.data, t->starts[i]);
	if (!move_frame(c, t, other, i, what, out, how))
		change_frame(c, t, other, i, out, how);
	if (what != 5)
		buf_add(out, t->bytes.data + t->starts[i + 1],
			t->bytes.size - t->starts[i + 1]);
}

static enum verdict try_frames(void *ctx, struct chance *c, struct buf *how)
{
	const struct conversation *t = &talks[chance_below(c, n_talks)];
	struct error e = { 0 };
	autobuf out = { 0 };
	int r;

	(void)ctx;
	do {
		buf_reset(&out);
		buf_reset(how);
		mutate_frames(c, t, &out, how);
	} while (bytes_same(buf_bytes(&out), buf_bytes(&t->bytes)));
	device_replay(buf_bytes(&out));
	r = device_update(&t->attempt, &e);
	device_replay((struct bytes){ 0 });
	if (r < 0)
		return REFUSED;
	return device_is_right(how) ? HARMLESS : ACCEPTED;
}

/* Once for real, and once from what was recorded. */
static void record(const char *name, const struct attempt *a)
{
	struct conversation *t = &talks[n_talks++];
	struct error e = { 0 };
	autobuf why = { 0 };

	*t = (struct conversation){ .name = name, .attempt = *a };
	device_forget_store();
	device_record(&t->bytes);
	if (device_update(a, &e) < 0)
		give_up("%s as it should be: %s", name, e.text);
	device_record(NULL);
	if (n_talks == 1)
		device_remember();
	cut_frames(t);
	device_replay(buf_bytes(&t->bytes));
	if (device_update(a, &e) < 0 || !device_is_right(&why))
		give_up("%s said again: %s%s", name, e.text, why.data ? why.data : "");
	device_replay((struct bytes){ 0 });
}

const struct campaign *campaign_frames(void)
{
	static const struct campaign k = { .name = "frames", .try = try_frames };
	static const char *git[2];
	static const char *full[2];
	static const char *from[3];

	git[0] = getenv("URL_OPTION");
	full[0] = from[0] = getenv("STREAM_OPTION");
	from[1] = getenv("HAVE_OPTION");
	if (!git[0] || !full[0] || !from[1])
		give_up("URL_OPTION, STREAM_OPTION and HAVE_OPTION are needed");
	n_talks = 0;
	record("git", &(struct attempt){ .options = git });
	record("full stream", &(struct attempt){ .options = full });
	record("stream", &(struct attempt){ .options = from, .booted = true });
	device_forget_store();
	return &k;
}

/* --- manifests against their digest ------------------------------------------------ */

static struct buf manifests[2];

static enum verdict try_digest(void *ctx, struct chance *c, struct buf *how)
{
	static const unsigned char done[FRAME_HEAD] = { 0, 0, 0, 0, FRAME_DONE };
	static const char *const no_options[] = { NULL };
	const struct store_options o = { .program = "none",
		.options = no_options,
		.state_dirfd = -1,
		.stall_timeout_ms = 1000 };
	size_t which = chance_below(c, 2);
	struct bytes original = buf_bytes(&manifests[which]);
	struct digest digest = digest_of(original);
	const struct oid id = { { 1 } };
	autofd fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct error e = { 0 };
	autostore store = NULL;
	autobuf changed = { 0 };
	autobuf frames = { 0 };

	(void)ctx;
	mutate(c, original, buf_bytes(&manifests[1 - which]), &changed, how);
	frame_put(&frames, FRAME_DATA, buf_bytes(&changed), (struct bytes){ 0 });
	buf_add(&frames, done, sizeof(done));
	device_replay(buf_bytes(&frames));
	if (store_open(&o, &store, &e) < 0)
		give_up("%s", e.text);
	device_replay((struct bytes){ 0 });
	return store_manifest(store, &id, &digest, original.size, fd, &e) < 0 ? REFUSED
									      : ACCEPTED;
}

const struct campaign *campaign_digests(void)
{
	static const struct campaign k = { .name = "digests", .try = try_digest };

	for (size_t i = 0; i < 2; i++) {
		buf_reset(&manifests[i]);
		load(i ? "manifest.2" : "manifest.1", &manifests[i]);
	}
	return &k;
}
