/* SPDX-License-Identifier: MIT */
/* The commits that are here: see commits.h. */
#include "store/server/commits.h"

#include "store/server/held.h"
#include "store/server/oidset.h"

struct start {
	git_oid id;
	git_time_t time;
};

static int by_time(const void *a, const void *b)
{
	git_time_t x = ((const struct start *)a)->time;
	git_time_t y = ((const struct start *)b)->time;

	return x > y ? -1 : x < y;
}

/* A commit begins "tree <id>\nparent <id>\n". */
bool commit_parent(const git_commit *commit, git_oid *ret)
{
	static const char key[] = "\nparent ";
	const char *tree_end = strchr(git_commit_raw_header(commit), '\n');

	return tree_end && strncmp(tree_end, key, strlen(key)) == 0 &&
	       git_oid_fromstrn(ret, tree_end + strlen(key), GIT_OID_HEXSZ) == 0;
}

static void follow(git_repository *repo, git_oid id, size_t max, struct oidset *seen,
	struct commits *ret)
{
	while (ret->n < max) {
		autogit(git_commit) commit = NULL;

		if (git_commit_lookup(&commit, repo, &id) < 0 || !oidset_add(seen, &id))
			return;
		ARRAY_GROW(ret->ids, ret->n, ret->cap);
		ret->ids[ret->n++] = id;
		if (!commit_parent(commit, &id))
			return;
	}
}

void commits_list(
	git_repository *repo, const git_oid *tip, size_t max, struct commits *ret)
{
	autoheld held = { 0 };
	struct oidset seen = { 0 };
	autofree struct start *starts = NULL;

	*ret = (struct commits){ 0 };
	held_read(repo, &held);
	starts = xcalloc(held.n + 1, sizeof(*starts));
	for (size_t i = 0; i < held.n; i++) {
		autogit(git_commit) commit = NULL;

		starts[i].id = held.ids[i];
		if (git_commit_lookup(&commit, repo, &held.ids[i]) == 0)
			starts[i].time = git_commit_time(commit);
	}
	qsort(starts, held.n, sizeof(*starts), by_time);
	if (tip)
		follow(repo, *tip, max, &seen, ret);
	for (size_t i = 0; i < held.n; i++)
		follow(repo, starts[i].id, max, &seen, ret);
	oidset_release(&seen);
}

void commits_release(struct commits *c)
{
	free(c->ids);
	*c = (struct commits){ 0 };
}
