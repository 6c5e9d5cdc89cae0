/* SPDX-License-Identifier: MIT */
/* See tags.h. */
#include "store/server/tags.h"

#include "base/text.h"
#include "store/server/held.h"

bool tag_ref_is_valid(const char *name)
{
	const size_t n = strlen(REF_TAGS);
	const char *slash =
		strncmp(name, REF_TAGS, n) == 0 ? strchr(name + n, '/') : NULL;
	uint64_t serial;
	int valid = 0;

	return slash && slash[1] && !strchr(slash + 1, '/') &&
	       text_u64(name + n, (size_t)(slash - name) - n, UINT64_MAX, &serial) &&
	       git_reference_name_is_valid(&valid, name) == 0 && valid;
}

struct forgetting {
	const git_oid *release;
	bool (*is_offered)(void *ctx, const char *name, const git_oid *id);
	void *ctx;
	size_t n;
};

static void count(void *ctx, git_repository *repo, const git_reference *ref)
{
	struct forgetting *f = ctx;

	(void)repo;
	(void)ref;
	f->n++;
}

static void forget(void *ctx, git_repository *repo, const git_reference *ref)
{
	const struct forgetting *f = ctx;
	const char *name = git_reference_name(ref);
	const git_oid *id = git_reference_target(ref);
	git_oid commit;

	if (tag_ref_is_valid(name) && id &&
		(!f->is_offered || f->is_offered(f->ctx, name, id) ||
			(f->n <= TAGS_MAX && held_tagged(repo, id, &commit) &&
				!git_oid_equal(&commit, f->release))))
		return;
	(void)git_reference_remove(repo, name); /* the next fetch tries again */
}

void tags_forget(git_repository *repo, const git_oid *release,
	bool (*is_offered)(void *ctx, const char *name, const git_oid *id), void *ctx)
{
	struct forgetting f = { release, is_offered, ctx, 0 };

	each_ref(repo, REF_TAGS "*", count, &f);
	each_ref(repo, REF_TAGS "*", forget, &f);
}
