/* SPDX-License-Identifier: MIT */
/*
 * What a git server of version 2 answers: its abilities, then a list of refs or a fetch.
 *   u8   bit 0: a fetch; bits 1 and 2: its depth, and without trees; bit 3: Content-Type
 *   u16  little-endian, bytes of the first answer; then both answers
 * The pack itself is libgit2's, which is not tested here.
 */
#include "base/le.h"
#include "fuzz.h"
#include "store/server/git-v2-internal.h"
#include "store/server/held.h"

struct answer {
	struct bytes in;
	bool first;
};

static struct bytes answers[2];
static unsigned n_asked;
static bool other_type;

/* --- in the place of the network -------------------------------------------------- */

int http_open(struct session *ss, const char *files, const char *places,
	struct http **ret, struct error *e)
{
	(void)ss;
	(void)files;
	(void)places;
	(void)e;
	*ret = NULL;
	return 0;
}

void http_close(struct http *h)
{
	(void)h;
}

struct answer *answer_open(
	struct http *h, const char *path, const char *const *headers, struct bytes body)
{
	struct answer *a = xcalloc(1, sizeof(*a));

	(void)h;
	(void)path;
	(void)headers;
	a->first = body.size == 0;
	if (n_asked < 2)
		a->in = answers[n_asked++];
	return a;
}

void answer_close(struct answer *a)
{
	free(a);
}

int answer_some(void *ctx, void *data, size_t max, size_t *ret_n, struct error *e)
{
	struct answer *a = ctx;
	size_t n = a->in.size < max ? a->in.size : max;

	(void)e;
	*ret_n = n;
	if (n == 0)
		return 0;
	memcpy(data, a->in.data, n);
	a->in.data += n;
	a->in.size -= n;
	return 0;
}

const char *answer_type(const struct answer *a)
{
	if (other_type)
		return "text/html";
	return a->first ? "application/x-git-upload-pack-advertisement"
			: "application/x-git-upload-pack-result; x";
}

int answer_follow(struct answer *a, struct error *e)
{
	(void)a;
	(void)e;
	return 0;
}

int reply_indexed(const git_indexer_progress *stats, void *payload)
{
	(void)stats;
	(void)payload;
	return 0;
}

/* --- in the place of the repository ----------------------------------------------- */

int err_git(struct error *e, enum err_code code, const char *fmt, ...)
{
	return err_set(e, code, "%s: libgit2", fmt);
}

int held_begin(git_repository *repo, struct error *e)
{
	(void)repo;
	(void)e;
	return 0;
}

/* A pack of three objects, one in each piece of more than 100 bytes. */
static int append(
	git_odb_writepack *w, const void *data, size_t size, git_indexer_progress *stats)
{
	(void)w;
	assert(size > 0);
	if (*(const unsigned char *)data == 0xff)
		return -1;
	stats->total_objects = 3;
	stats->received_objects += size > 100 && stats->received_objects < 3;
	return 0;
}

static int commit(git_odb_writepack *w, git_indexer_progress *stats)
{
	(void)w;
	return stats->received_objects == stats->total_objects ? 0 : -1;
}

static void done(git_odb_writepack *w)
{
	(void)w;
}

int git_repository_odb(git_odb **ret, git_repository *repo)
{
	(void)repo;
	*ret = NULL;
	return 0;
}

int git_odb_write_pack(git_odb_writepack **ret, git_odb *db,
	git_indexer_progress_cb progress, void *payload)
{
	static git_odb_writepack w = { .append = append, .commit = commit, .free = done };
	const git_indexer_progress stats = { .total_objects = 3 };

	(void)db;
	assert(progress(&stats, payload) == 0);
	*ret = &w;
	return 0;
}

int git_odb_refresh(git_odb *db)
{
	(void)db;
	return 0;
}

/* --- the target ------------------------------------------------------------------- */

static void try_list(struct git_v2 *g)
{
	static const char *const prefixes[] = { "refs/heads/", "refs/tags/", NULL };
	autorefs refs = { 0 };
	struct error e;

	if (git_v2_list(g, prefixes, &refs, &e) < 0)
		return;
	for (size_t i = 0; i < refs.n; i++)
		assert(refs.refs[i].name[0]);
}

static void try_fetch(struct git_v2 *g, unsigned char how)
{
	git_oid ids[2];
	const struct git_v2_fetch f = { .wants = ids,
		.n_wants = 1,
		.commits = ids,
		.n_commits = 1,
		.haves = ids + 1,
		.n_haves = 1,
		.depth = how & 2 ? 5 : 1,
		.no_trees = how & 4 };
	bool heal = false;
	struct error e;

	memset(&ids[0], 0x11, sizeof(ids[0]));
	memset(&ids[1], 0x22, sizeof(ids[1]));
	(void)git_v2_fetch(g, NULL, &f, &heal, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char url[] = "https://host/x";
	struct session ss = { .shown_url = url, .options = { .url = url } };
	struct git_v2 *g = NULL;
	struct error e;
	size_t n;

	if (size < 3)
		return 0;
	n = data[1] | (size_t)data[2] << 8;
	n = n < size - 3 ? n : size - 3;
	answers[0] = (struct bytes){ data + 3, n };
	answers[1] = (struct bytes){ data + 3 + n, size - 3 - n };
	n_asked = 0;
	other_type = data[0] & 8;
	if (git_v2_open(&ss, &g, &e) <= 0)
		return 0;
	(void)git_v2_filters(g);
	if (data[0] & 1)
		try_fetch(g, data[0]);
	else
		try_list(g);
	git_v2_close(g);
	return 0;
}
