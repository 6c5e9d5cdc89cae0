/* SPDX-License-Identifier: MIT */
/*
 * What the builder needs of libgit2: errors, scope-bound handles, opening the
 * repository.  The builder runs as the person who owns the repository; nothing here
 * ever runs on a device.
 */
#ifndef BUILD_GIT_H
#define BUILD_GIT_H

#include <git2.h>
#include <git2/sys/odb_backend.h>

#include "base/digest.h"
#include "base/error.h"

/* Set `e` to "context: libgit2's message"; returns `code`, or E_SPACE on a full disk. */
int err_git(struct error *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline const git_oid *git_id(const struct oid *id)
{
	return (const git_oid *)id->b;
}

static inline struct oid oid_of_git(const git_oid *id)
{
	struct oid oid;

	memcpy(oid.b, id->id, OID_SIZE);
	return oid;
}

/* Once per process: libgit2, mapping little of a pack at a time.  Errors: E_SYSTEM. */
int repo_start(struct error *e);

/*
 * `dir` is a repository or its work tree; NULL: GIT_DIR, else the one around the
 * working directory.  Errors: E_NOTFOUND, E_SYSTEM.
 */
int repo_open(const char *dir, git_repository **ret, struct error *e);

/*
 * A new one with the settings that suit releases.  Errors: E_NOTHING there is one
 * already, E_SYSTEM.
 */
int repo_init(const char *dir, bool bare, git_repository **ret, struct error *e);

/* A branch, tag or id, as git names them, to the commit.  Errors: E_NOTFOUND. */
int repo_resolve(git_repository *repo, const char *rev, struct oid *ret, struct error *e);

#define CLEANUP_GIT(type, fn)                                                            \
	static inline void cleanup_##type(type **p)                                      \
	{                                                                                \
		fn(*p);                                                                  \
	}
CLEANUP_GIT(git_config, git_config_free)
CLEANUP_GIT(git_object, git_object_free)
CLEANUP_GIT(git_odb, git_odb_free)
CLEANUP_GIT(git_odb_object, git_odb_object_free)
CLEANUP_GIT(git_reference, git_reference_free)
CLEANUP_GIT(git_reference_iterator, git_reference_iterator_free)
CLEANUP_GIT(git_repository, git_repository_free)
CLEANUP_GIT(git_tree, git_tree_free)

/* autogit(git_tree) tree = NULL; */
#define autogit(type) CLEANUP(cleanup_##type) type *

#endif
