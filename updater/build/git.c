/* SPDX-License-Identifier: MIT */
/* libgit2 for the builder: see git.h. */
#include "build/git.h"

#include <stdarg.h>
#include <stdio.h>

#define WINDOW	   ((size_t)1 << 20)
#define MAPPED_MAX ((size_t)32 << 20)

int err_git(struct error *e, enum err_code code, const char *fmt, ...)
{
	const git_error *g = git_error_last();
	const char *why = g && g->message ? g->message : "unknown error";
	char context[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	if (strstr(why, "No space left") || strstr(why, "quota exceeded"))
		code = E_SPACE;
	return err_set(e, code, "%s: %s", context, why);
}

int repo_start(struct error *e)
{
	if (git_libgit2_init() < 0 ||
		git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, WINDOW) < 0 ||
		git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAPPED_MAX) < 0)
		return err_git(e, E_SYSTEM, "libgit2");
	return 0;
}

int repo_open(const char *dir, git_repository **ret, struct error *e)
{
	int r;

	if (dir)
		r = git_repository_open(ret, dir);
	else
		r = git_repository_open_ext(
			ret, NULL, GIT_REPOSITORY_OPEN_FROM_ENV, NULL);
	if (r == 0)
		return 0;
	if (r == GIT_ENOTFOUND)
		return err_set(e, E_NOTFOUND,
			"%s: no git repository; make one with `git osupdate init` or "
			"name one with "
			"--repo",
			dir ? dir : "here");
	if (r == GIT_EOWNER)
		return err_set(e, E_SYSTEM,
			"%s: the repository belongs to another user; see safe.directory "
			"in "
			"git-config(1)",
			dir ? dir : "here");
	return err_git(e, E_SYSTEM, "%s", dir ? dir : "repository");
}

/*
 * Servers send what they have as it is: a search for deltas at each fetch costs them and
 * the device more time than it saves bytes, and deltas of big contents cost devices
 * memory; bitmaps make servers send more than changed.  doc/decisions/0005.  A device
 * finds older releases by commits alone, which are served where filters are.
 */
static int configure(git_repository *repo, struct error *e)
{
	autogit(git_config) config = NULL;

	if (git_repository_config(&config, repo) < 0 ||
		git_config_set_string(config, "core.bigFileThreshold", "1m") < 0 ||
		git_config_set_string(config, "pack.window", "0") < 0 ||
		git_config_set_bool(config, "repack.writeBitmaps", false) < 0 ||
		git_config_set_bool(config, "pack.useBitmaps", false) < 0 ||
		git_config_set_bool(config, "uploadpack.allowFilter", true) < 0)
		return err_git(e, E_SYSTEM, "configuration of the new repository");
	return 0;
}

int repo_init(const char *dir, bool bare, git_repository **ret, struct error *e)
{
	git_repository_init_options options = {
		.version = GIT_REPOSITORY_INIT_OPTIONS_VERSION
	};
	autogit(git_repository) repo = NULL;
	int r;

	options.flags = GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
	if (bare)
		options.flags |= GIT_REPOSITORY_INIT_BARE;
	r = git_repository_init_ext(&repo, dir, &options);
	if (r == GIT_EEXISTS)
		return err_set(e, E_NOTHING,
			"%s: there is a repository already; commit into it", dir);
	if (r < 0)
		return err_git(e, E_SYSTEM, "%s", dir);
	r = configure(repo, e);
	if (r < 0)
		return r;
	*ret = take_ptr(&repo);
	return 0;
}

int repo_resolve(git_repository *repo, const char *rev, struct oid *ret, struct error *e)
{
	autogit(git_object) named = NULL;
	autogit(git_object) commit = NULL;

	if (git_revparse_single(&named, repo, rev) < 0 ||
		git_object_peel(&commit, named, GIT_OBJECT_COMMIT) < 0)
		return err_set(e, E_NOTFOUND,
			"\"%.200s\" names no commit here; `git branch -a` and `git tag` "
			"list names",
			rev);
	*ret = oid_of_git(git_object_id(commit));
	return 0;
}
