/* SPDX-License-Identifier: MIT */
/* The fetch command of version 2: see git-v2.h. */
#include "store/server/git-v2-internal.h"
#include "store/server/held.h"
#include "store/server/pack-file.h"
#include "store/server/repository.h"

#define NOISE_MAX   (1u << 20) /* bytes and lines of messages beside a pack */
#define SHALLOW_MAX 100000     /* lines */
#define OBJECTS_MAX (1u << 23) /* of a pack: libgit2 makes room for what it says */

enum band { BAND_PACK = 1, BAND_MESSAGE, BAND_ERROR };

struct fetching {
	struct git_v2 *g;
	const struct git_v2_fetch *f;
	git_odb_writepack *out;
	git_indexer_progress stats;
	unsigned char head[PACK_HEAD];
	uint64_t pack_bytes;
	size_t noise;
};

/* --- asking ----------------------------------------------------------------------- */

/* All that we have counts without its parents: they may be gone here. */
static void print_command(
	const struct git_v2 *g, const struct git_v2_fetch *f, struct buf *out)
{
	char hex[GIT_OID_HEXSZ + 1];

	git_v2_command(g, "fetch", out);
	pktline_add(out, "thin-pack");
	pktline_add(out, "ofs-delta");
	pktline_add(out, "no-progress");
	for (size_t i = 0; i < f->n_wants; i++)
		pktline_add(
			out, "want %s", git_oid_tostr(hex, sizeof(hex), &f->wants[i]));
	for (size_t i = 0; i < f->n_haves; i++)
		pktline_add(
			out, "shallow %s", git_oid_tostr(hex, sizeof(hex), &f->haves[i]));
	for (size_t i = 0; i < f->n_haves; i++)
		pktline_add(
			out, "have %s", git_oid_tostr(hex, sizeof(hex), &f->haves[i]));
	pktline_add(out, "deepen %u", f->depth);
	if (f->no_trees)
		pktline_add(out, "filter tree:0");
	pktline_add(out, "done");
	pktline_add_flush(out);
}

/* --- sections before the pack ----------------------------------------------------- */

static int odd(const struct git_v2 *g, struct bytes line, struct error *e)
{
	return git_v2_says(g, "the server answers out of order", pktline_text(line), e);
}

static bool among(const git_oid *ids, size_t n, const git_oid *id)
{
	for (size_t i = 0; i < n; i++)
		if (git_oid_equal(&ids[i], id))
			return true;
	return false;
}

static bool read_hex(struct bytes text, git_oid *ret)
{
	char hex[GIT_OID_HEXSZ + 1];

	if (text.size != GIT_OID_HEXSZ)
		return false;
	memcpy(hex, text.data, text.size);
	hex[text.size] = '\0';
	return strspn(hex, "0123456789abcdef") == text.size &&
	       git_oid_fromstr(ret, hex) == 0;
}

/*
 * With a depth of 1 the history ends at what was asked for, and nowhere else.  What is
 * cut off is known here without being told; a server that cuts elsewhere does not do
 * what it was asked.
 */
static int take_shallow(struct fetching *t, struct bytes line, struct error *e)
{
	const struct git_v2_fetch *f = t->f;
	struct bytes hex;
	git_oid id;

	if (pktline_starts(line, "shallow ", &hex) && read_hex(hex, &id) &&
		(f->depth > 1 || among(f->commits, f->n_commits, &id)))
		return 0;
	if (pktline_starts(line, "unshallow ", &hex) && read_hex(hex, &id) &&
		among(f->haves, f->n_haves, &id))
		return 0;
	return odd(t->g, line, e);
}

/* Until the section ends. */
static int read_shallow(struct fetching *t, struct error *e)
{
	for (int n = 0; n < SHALLOW_MAX; n++) {
		enum pktline_kind kind;
		struct bytes line;
		int r = git_v2_next(t->g, &kind, &line, e);

		if (r == 0 && kind == PKTLINE_DELIM)
			return 0;
		if (r == 0)
			r = kind == PKTLINE_DATA ? take_shallow(t, pktline_text(line), e)
						 : odd(t->g, line, e);
		if (r < 0)
			return r;
	}
	return odd(t->g, (struct bytes){ 0 }, e);
}

/* Up to the pack: "shallow-info" may come, and once. */
static int read_sections(struct fetching *t, struct error *e)
{
	for (bool shallow = false;; shallow = true) {
		enum pktline_kind kind;
		struct bytes line;
		int r = git_v2_next(t->g, &kind, &line, e);

		if (r < 0)
			return r;
		line = pktline_text(line);
		if (kind == PKTLINE_DATA && line.size == strlen("packfile") &&
			pktline_starts(line, "packfile", NULL))
			return 0;
		if (kind != PKTLINE_DATA || shallow ||
			line.size != strlen("shallow-info") ||
			!pktline_starts(line, "shallow-info", NULL))
			return odd(t->g, line, e);
		r = read_shallow(t, e);
		if (r < 0)
			return r;
	}
}

/* --- the pack --------------------------------------------------------------------- */

/* Messages are for people who wait at a terminal; an empty line is a sign of life. */
static int take_noise(struct fetching *t, size_t size, struct error *e)
{
	t->noise += size + 1;
	if (t->noise <= NOISE_MAX)
		return 0;
	return git_v2_says(
		t->g, "the server sends messages without end", (struct bytes){ 0 }, e);
}

static bool has_all(const git_indexer_progress *stats)
{
	return stats->total_objects > 0 &&
	       stats->received_objects == stats->total_objects;
}

/* False when it is no head of a pack we would take. */
static bool take_head(struct fetching *t, struct bytes data)
{
	unsigned char *count = t->head + 8;
	uint32_t objects;

	for (size_t i = 0; i < data.size && t->pack_bytes + i < PACK_HEAD; i++)
		t->head[t->pack_bytes + i] = data.data[i];
	if (t->pack_bytes >= PACK_HEAD || t->pack_bytes + data.size < PACK_HEAD)
		return true;
	objects = (uint32_t)count[0] << 24 | (uint32_t)count[1] << 16 |
		  (uint32_t)count[2] << 8 | count[3];
	return objects > 0 && objects <= OBJECTS_MAX;
}

static int take_band(struct fetching *t, struct bytes line, struct error *e)
{
	struct bytes data = { line.data + 1, line.size - 1 };

	if (line.size == 0)
		return odd(t->g, line, e);
	switch (line.data[0]) {
	case BAND_PACK:
		if (data.size == 0)
			return take_noise(t, 0, e);
		if (t->pack_bytes > 0 && has_all(&t->stats))
			t->noise += data.size; /* only its checksum is still to come */
		if (t->noise > NOISE_MAX)
			return odd(t->g, (struct bytes){ 0 }, e);
		if (!take_head(t, data))
			return odd(t->g, (struct bytes){ 0 }, e);
		t->pack_bytes += data.size;
		if (t->out->append(t->out, data.data, data.size, &t->stats) < 0)
			return err_git(e, E_REMOTE, "%s", t->g->ss->shown_url);
		return 0;
	case BAND_MESSAGE:
		return take_noise(t, data.size, e);
	case BAND_ERROR:
		return git_v2_says(t->g, "the server says", pktline_text(data), e);
	default:
		return odd(t->g, line, e);
	}
}

static int read_pack(struct fetching *t, struct error *e)
{
	for (;;) {
		enum pktline_kind kind;
		struct bytes line;
		int r = git_v2_next(t->g, &kind, &line, e);

		if (r == 0 && kind == PKTLINE_FLUSH)
			return 0;
		if (r == 0)
			r = kind == PKTLINE_DATA ? take_band(t, line, e)
			    : kind == PKTLINE_EOF
				    ? git_v2_says(t->g, "the answer ends too early",
					      (struct bytes){ 0 }, e)
				    : odd(t->g, line, e);
		if (r < 0)
			return r;
	}
}

/* What libgit2 says when bases of deltas are missing or unreadable, or the disk is bad.
 */
static int finish_pack(struct fetching *t, bool *ret_heal, struct error *e)
{
	if (t->pack_bytes > 0 && t->out->commit(t->out, &t->stats) == 0)
		return 0;
	*ret_heal = t->f->n_haves > 0;
	return t->pack_bytes == 0
		       ? git_v2_says(t->g, "no pack came", (struct bytes){ 0 }, e)
		       : err_git(e, E_REMOTE, "%s", t->g->ss->shown_url);
}

int git_v2_fetch(struct git_v2 *g, git_repository *repo, const struct git_v2_fetch *f,
	bool *ret_heal, struct error *e)
{
	struct fetching t = { .g = g, .f = f };
	autogit(git_odb) odb = NULL;
	autobuf command = { 0 };
	int r = held_begin(repo, e);

	if (r < 0)
		return r;
	if (git_repository_odb(&odb, repo) < 0 ||
		git_odb_write_pack(&t.out, odb, reply_indexed, g->ss) < 0)
		return err_git(e, E_SYSTEM, "store");
	print_command(g, f, &command);
	git_v2_ask(g, &command);
	r = read_sections(&t, e);
	if (r == 0)
		r = read_pack(&t, e);
	r = git_v2_done(g, r, e);
	if (r == 0)
		r = finish_pack(&t, ret_heal, e);
	t.out->free(t.out);
	if (r == 0 && git_odb_refresh(odb) < 0)
		r = err_git(e, E_SYSTEM, "store");
	return r;
}
