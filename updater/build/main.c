/* SPDX-License-Identifier: MIT */
/*
 * git-osupdate, found by git as `git osupdate`: turns root file systems into signed
 * releases, on the builder's machine, as the builder's user.  Finds the verb, prints its
 * one error, turns it into an exit code.  git-osupdate(1).
 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include "base/digest.h"
#include "build-config.h"
#include "build/git.h"
#include "build/verbs.h"

static volatile sig_atomic_t stop_asked;

static const struct verb {
	const char *name;
	int (*run)(struct term *t, int argc, char **argv, struct error *e);
	const char *help;
} verbs[] = {
	{ "init", verb_init, "make a repository for releases  [--bare] [DIR]" },
	{ "commit", verb_commit,
		"make a signed release of a directory or tar\n"
		"            --branch B --product P --version V --key KEY [--serial N]\n"
		"            [--channel C]... [--valid-until TIME|90d] [-m MSG]\n"
		"            [--repo DIR] SOURCE|-" },
	{ "verify", verb_verify,
		"every check a device makes, and more  [--repo DIR] [--signers FILE] "
		"REV" },
	{ "export", verb_export,
		"a release as a tar that loses nothing  [--repo DIR] [-o FILE] REV" },
	{ "publish", verb_publish,
		"release streams for a static web server\n"
		"            --to DIR [--from REV]... [--last N] [--level L] [--keep N]\n"
		"            [--channel C] [--repo DIR] REV" },
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void usage(FILE *f)
{
	(void)fputs("usage: git osupdate VERB ...\n\n", f);
	for (size_t i = 0; i < N_VERBS; i++)
		(void)fprintf(f, "  %-8s  %s\n", verbs[i].name, verbs[i].help);
	(void)fputs("\nExit: 0 done, 1 failed, 2 nothing to do, 3 refused, 4 branch "
		    "moved, 64 usage.\n",
		f);
}

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

/* The second one ends the program at once: it leaves nothing behind anyway. */
static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGHUP, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static int run(const struct verb *verb, int argc, char **argv)
{
	struct error e = { 0 };
	struct term term;
	int r = digest_init_once(&e);

	term_init(&term, &stop_asked);
	if (r == 0)
		r = repo_start(&e);
	if (r == 0) {
		optind = 0; /* start over: glibc's way to reset getopt */
		r = verb->run(&term, argc, argv, &e);
	}
	term_settle(&term);
	if (r >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = err_sys(&e, "standard output");
	(void)git_libgit2_shutdown();
	if (r >= 0)
		return 0;
	(void)fputs(e.code == E_USAGE && strncmp(e.text, "usage: ", 7) == 0
			    ? ""
			    : "git-osupdate: ",
		stderr);
	term_foreign(stderr, e.text);
	(void)fputc('\n', stderr);
	return err_exit_code(r);
}

int main(int argc, char **argv)
{
	/* libarchive names files in the locale's characters; ours are bytes. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	if (argc < 2) {
		usage(stderr);
		return 64;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)puts("git-osupdate " OSUPDATE_VERSION);
		return 0;
	}
	catch_signals();
	for (size_t i = 0; i < N_VERBS; i++)
		if (strcmp(verbs[i].name, argv[1]) == 0)
			return run(&verbs[i], argc - 1, argv + 1);
	(void)fputs("git-osupdate: unknown verb \"", stderr);
	term_foreign(stderr, argv[1]);
	(void)fputs("\"; see git osupdate -h\n", stderr);
	return 64;
}
