/* SPDX-License-Identifier: MIT */
/* The store's repository: see repository.h. */
#include "store/server/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build-config.h"
#include "store/server/sweep.h"

#define WINDOW_SIZE  ((size_t)1 << 20)
#define MAPPED_LIMIT ((size_t)32 << 20)
#define OPEN_PACKS   ((size_t)64) /* RLIMIT_NOFILE is 256 */
#define CACHE_LIMIT  ((ssize_t)16 << 20)
#define DAMAGE_FILE  "damaged"

static int set_memory(void)
{
	if (git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, WINDOW_SIZE) < 0 ||
		git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAPPED_LIMIT) < 0 ||
		git_libgit2_opts(GIT_OPT_SET_MWINDOW_FILE_LIMIT, OPEN_PACKS) < 0)
		return -1;
	return git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, CACHE_LIMIT);
}

static int set_search_paths(const char *home)
{
	static const git_config_level_t empty[] = { GIT_CONFIG_LEVEL_PROGRAMDATA,
		GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG };

	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		if (git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, empty[i], "") < 0)
			return -1;
	/* Our private home has no .gitconfig, but libgit2 finds .ssh/known_hosts by it.
	 */
	return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, home);
}

/*
 * libgit2 begins by parsing every certificate authority of the machine, 12 ms for what
 * only https needs (remote.c names them there).  Without a descriptor to be had, it does
 * without.
 */
static int start_without_certificates(void)
{
	struct rlimit was;
	struct rlimit none;
	int r;

	if (getrlimit(RLIMIT_NOFILE, &was) < 0)
		return -1;
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = was.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &none) < 0)
		return -1;
	r = git_libgit2_init();
	return setrlimit(RLIMIT_NOFILE, &was) < 0 ? -1 : r;
}

int library_start(const struct session *ss, struct error *e)
{
	autofree char *home = xasprintf("%s/home", ss->dir);

	if (mkdir(home, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno == ENOSPC ? E_SPACE : E_SYSTEM, "%s: mkdir: %s",
			home, strerror(errno));
	if (setenv("HOME", home, 1) < 0)
		return err_set(e, E_SYSTEM, "HOME: %s", strerror(errno));
	if (start_without_certificates() < 0)
		return err_git(e, E_SYSTEM, "libgit2");
	if (set_search_paths(home) < 0 || set_memory() < 0 ||
		/* Root made the directory, and a USB stick belongs to anybody. */
		git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0) < 0 ||
		git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1) < 0 ||
		git_libgit2_opts(GIT_OPT_SET_USER_AGENT, "osupdate " OSUPDATE_VERSION) <
			0)
		return err_git(e, E_SYSTEM, "libgit2: options");
	return 0;
}

void library_strict(bool strict)
{
	/* Cannot fail: it sets a flag. */
	(void)git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, strict ? 1 : 0);
}

static int make(const char *path, git_repository **ret)
{
	git_repository_init_options o = {
		.version = GIT_REPOSITORY_INIT_OPTIONS_VERSION,
		.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_NO_REINIT |
			 GIT_REPOSITORY_INIT_MKDIR,
	};

	return git_repository_init_ext(ret, path, &o);
}

/* An empty one, whole or not at all: half a repository would be in the way of all that
 * does not fetch.  Others may be at it, too; whose is first stays. */
static int make_first(struct error *e)
{
	autofree char *path = xasprintf(GIT_DIR_FIRST "%d", (int)getpid());
	autogit(git_repository) repo = NULL;
	int r = remove_tree(path, e);

	if (r < 0)
		return r;
	if (make(path, &repo) < 0)
		return err_git(e, E_SYSTEM, "store");
	if (renameat2(AT_FDCWD, path, AT_FDCWD, GIT_DIR, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EEXIST)
		return err_set(
			e, E_SYSTEM, "store/%s: rename: %s", path, strerror(errno));
	return remove_tree(path, e);
}

int repository_open(struct session *ss, struct error *e)
{
	int r = 0;

	if (ss->repo)
		return 0;
	if (faccessat(AT_FDCWD, GIT_DIR, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		errno == ENOENT)
		r = make_first(e);
	if (r < 0)
		return r;
	if (git_repository_open_bare(&ss->repo, GIT_DIR) < 0)
		return err_git(e, E_SYSTEM, "store (a fetch will rebuild it)");
	return 0;
}

int repository_new(git_repository **ret, struct error *e)
{
	int r = remove_tree(GIT_DIR_NEW, e);

	if (r < 0)
		return r;
	if (make(GIT_DIR_NEW, ret) < 0)
		return err_git(e, E_SYSTEM, "store");
	return 0;
}

int repository_replace(struct session *ss, struct error *e)
{
	unsigned flags = RENAME_EXCHANGE;

	git_repository_free(ss->repo);
	ss->repo = NULL;
	if (faccessat(AT_FDCWD, GIT_DIR, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		errno == ENOENT)
		flags = 0;
	if (renameat2(AT_FDCWD, GIT_DIR_NEW, AT_FDCWD, GIT_DIR, flags) < 0)
		return err_set(
			e, E_SYSTEM, "store/%s: rename: %s", GIT_DIR, strerror(errno));
	damage_clear();
	return remove_tree(GIT_DIR_NEW, e);
}

int channel_ref(const char *prefix, const char *channel, char **ret, struct error *e)
{
	autofree char *name = xasprintf("%s%s", prefix, channel);
	int valid = 0;

	/* The names git allows hold none of * ? [ : ^ ~ \ or blanks: safe in a refspec.
	 */
	if (git_reference_name_is_valid(&valid, name) < 0 || !valid)
		return err_set(e, E_USAGE, "%s is no name for a channel", channel);
	*ret = take_ptr(&name);
	return 0;
}

int ref_read(git_repository *repo, const char *name, git_oid *ret, struct error *e)
{
	int r = git_reference_name_to_id(ret, repo, name);

	if (r == GIT_ENOTFOUND)
		return 0;
	return r < 0 ? err_git(e, E_SYSTEM, "store: %s", name) : 1;
}

int ref_write(git_repository *repo, const char *name, const git_oid *id, struct error *e)
{
	autogit(git_reference) ref = NULL;

	if (git_reference_create(&ref, repo, name, id, 1, NULL) < 0)
		return err_git(e, E_SYSTEM, "store: %s", name);
	return 0;
}

void each_ref(git_repository *repo, const char *glob,
	void (*each)(void *ctx, git_repository *repo, const git_reference *ref),
	void *ctx)
{
	autogit(git_reference_iterator) it = NULL;

	if (git_reference_iterator_glob_new(&it, repo, glob) < 0)
		return;
	for (;;) {
		autogit(git_reference) ref = NULL;

		if (git_reference_next(&ref, it) != 0)
			return;
		if (git_reference_target(ref))
			each(ctx, repo, ref);
	}
}

void damage_set(void)
{
	autofd fd = open(DAMAGE_FILE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	/* Without it the next fetch finds the damage later or not at all: no worse. */
	if (fd >= 0)
		(void)fsync(fd);
}

bool damage_is_set(void)
{
	return faccessat(AT_FDCWD, DAMAGE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void damage_clear(void)
{
	(void)unlink(DAMAGE_FILE); /* else the next fetch rebuilds once more */
}
