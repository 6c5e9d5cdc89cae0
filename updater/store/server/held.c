/* SPDX-License-Identifier: MIT */
/* The releases that are held: see held.h. */
#include "store/server/held.h"

#include <fcntl.h>

#include "base/io.h"
#include "store/server/complete.h"

#define SHALLOW "shallow"

static void add(struct held *h, const git_oid *id)
{
	if (held_has(h, id))
		return;
	ARRAY_GROW(h->ids, h->n, h->cap);
	h->ids[h->n++] = *id;
}

bool held_has(const struct held *h, const git_oid *id)
{
	for (size_t i = 0; i < h->n; i++)
		if (git_oid_equal(&h->ids[i], id))
			return true;
	return false;
}

void held_release(struct held *h)
{
	free(h->ids);
	*h = (struct held){ 0 };
}

static void read_one(void *ctx, git_repository *repo, const git_reference *ref)
{
	autogit(git_odb) odb = NULL;

	/* A store that has lost it holds nothing, whatever its refs say. */
	if (git_repository_odb(&odb, repo) == 0 &&
		git_odb_exists(odb, git_reference_target(ref)))
		add(ctx, git_reference_target(ref));
}

void held_read(git_repository *repo, struct held *ret)
{
	*ret = (struct held){ 0 };
	each_ref(repo, REF_CHANNELS "*", read_one, ret);
	each_ref(repo, REF_HELD "*", read_one, ret);
}

static int write_shallow(git_repository *repo, const struct held *held, struct error *e)
{
	autofd dir = open(git_repository_path(repo), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char hex[GIT_OID_HEXSZ + 1];
	autobuf text = { 0 };
	autobuf now = { 0 };

	if (dir < 0)
		return err_sys(e, "store");
	for (size_t i = 0; i < held->n; i++)
		buf_addf(&text, "%s\n", git_oid_tostr(hex, sizeof(hex), &held->ids[i]));
	if (io_read_file_at(dir, SHALLOW, text.size, &now, NULL) == 0 &&
		now.size == text.size &&
		(now.size == 0 || memcmp(now.data, text.data, now.size) == 0))
		return 0;
	return io_replace_at(dir, SHALLOW, buf_bytes(&text), 0600, e);
}

int held_begin(git_repository *repo, struct error *e)
{
	autoheld held = { 0 };

	if (held_is_shallow(repo))
		return 0;
	held_read(repo, &held);
	return write_shallow(repo, &held, e);
}

int held_add(git_repository *repo, const git_oid *id, struct error *e)
{
	char hex[GIT_OID_HEXSZ + 1];
	autofree char *name =
		xasprintf(REF_HELD "%s", git_oid_tostr(hex, sizeof(hex), id));
	autoheld held = { 0 };
	int r;

	held_read(repo, &held);
	add(&held, id);
	r = write_shallow(repo, &held, e);
	return r < 0 ? r : ref_write(repo, name, id, e);
}

bool held_tagged(git_repository *repo, const git_oid *id, git_oid *ret)
{
	git_tag *tag = NULL;
	bool found;

	if (git_tag_lookup(&tag, repo, id) < 0)
		return false;
	found = git_tag_target_type(tag) == GIT_OBJECT_COMMIT;
	*ret = *git_tag_target_id(tag);
	git_tag_free(tag);
	return found;
}

/* --- keeping ---------------------------------------------------------------------- */

/* Is the release here as a whole?  What is held counts as such. */
static int is_here(struct session *ss, git_repository *repo, const struct held *before,
	const git_oid *tip, const git_oid *id, struct error *e)
{
	autofree char *missing = NULL;
	int r;

	if (held_has(before, id))
		return 1;
	r = complete_check(ss, repo, id, tip, &missing, e);
	if (r == E_REMOTE) /* no release: whatever it is, it is not kept */
		return 0;
	return r < 0 ? r : !missing;
}

/* ss->options.keep as ids. */
static void read_keep(const struct session *ss, struct held *ret)
{
	const char *p = ss->options.keep ? ss->options.keep : "";

	while (*p) {
		size_t n = strcspn(p, " ");
		autofree char *hex = xstrndup(p, n);
		git_oid id;

		if (n == GIT_OID_HEXSZ && git_oid_fromstr(&id, hex) == 0)
			add(ret, &id);
		p += n + strspn(p + n, " ");
	}
}

static int keep(struct session *ss, git_repository *repo, const struct held *before,
	const git_oid *tip, struct held *ret, struct error *e)
{
	autoheld wanted = { 0 };

	read_keep(ss, &wanted);
	add(ret, tip);
	for (size_t i = 0; i < wanted.n; i++) {
		int r = is_here(ss, repo, before, tip, &wanted.ids[i], e);

		if (r > 0 && !held_has(ret, &wanted.ids[i])) {
			r = held_add(repo, &wanted.ids[i], e);
			add(ret, &wanted.ids[i]);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- letting go ------------------------------------------------------------------- */

struct pruning {
	const struct held *held;
	const char *channel; /* its ref */
	const git_oid *tip;
};

static void drop_channel(void *ctx, git_repository *repo, const git_reference *ref)
{
	const struct pruning *p = ctx;

	if (strcmp(git_reference_name(ref), p->channel) != 0)
		(void)git_reference_remove(repo, git_reference_name(ref)); /* later */
}

static void drop_held(void *ctx, git_repository *repo, const git_reference *ref)
{
	const struct pruning *p = ctx;

	if (!held_has(p->held, git_reference_target(ref)) ||
		git_oid_equal(p->tip, git_reference_target(ref)))
		(void)git_reference_remove(repo, git_reference_name(ref)); /* later */
}

static void drop_tag(void *ctx, git_repository *repo, const git_reference *ref)
{
	const struct pruning *p = ctx;
	git_oid commit;

	if (!held_tagged(repo, git_reference_target(ref), &commit) ||
		!held_has(p->held, &commit))
		(void)git_reference_remove(repo, git_reference_name(ref)); /* later */
}

int held_update(struct session *ss, git_repository *repo, const char *channel,
	const git_oid *tip, struct error *e)
{
	autofree char *name = NULL;
	autoheld before = { 0 };
	autoheld held = { 0 };
	struct pruning p = { .held = &held, .tip = tip };
	int r = channel_ref(REF_CHANNELS, channel, &name, e);

	if (r < 0)
		return r;
	held_read(repo, &before);
	r = keep(ss, repo, &before, tip, &held, e);
	/* First what says that the history may be gone. */
	if (r == 0)
		r = write_shallow(repo, &held, e);
	if (r < 0)
		return r;
	p.channel = name;
	each_ref(repo, REF_CHANNELS "*", drop_channel, &p);
	each_ref(repo, REF_HELD "*", drop_held, &p);
	each_ref(repo, REF_TAGS "*", drop_tag, &p);
	return 0;
}

bool held_is_shallow(git_repository *repo)
{
	autofree char *path = xasprintf("%s" SHALLOW, git_repository_path(repo));

	return access(path, F_OK) == 0;
}
