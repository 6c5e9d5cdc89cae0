/* SPDX-License-Identifier: MIT */
/*
 * One conversation of osupdate-store with root: where replies go, what was configured,
 * the open repository.  Nothing here is trusted by root, and everything that comes from
 * the network is untrusted here.
 */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include <git2.h>

#include "store/frame.h"

#define GIT_DIR	      "git"	   /* the repository, below the working directory */
#define GIT_DIR_NEW   "git.new"	   /* one being built to replace a damaged one */
#define GIT_DIR_FIRST "git.first." /* one being made where there was none; then a pid */

/* What OPTION frames set; NULL when not given. */
struct options {
	char *url;
	char *proxy;
	char *ca;
	char *username;
	char *password;
	char *ssh_key;
	char *known_hosts;
	char *keep;  /* commit ids of releases that stay in a git store, by spaces */
	char *doubt; /* about what is here, which was not signed: "all" or "streams" */
	/* for release streams: */
	char *stream;	  /* places, separated by spaces */
	char *have;	  /* commit ids of what slots hold, separated by spaces */
	char *ahead;	  /* given: a fetch brings contents, too, for later */
	char *rate_limit; /* bytes per second */
	char *netrc;
	char *client_certificate;
	char *client_key;
};

struct session {
	int fd;
	struct frame_reader in;
	struct options options;
	char *shown_url;      /* for messages: without a password */
	char *dir;	      /* absolute path of the working directory */
	git_repository *repo; /* NULL until repository_open */
	uint64_t done[3];     /* bytes, objects, total objects of the running fetch */
	int64_t told_ms;      /* when the last PROGRESS went out */
	struct bytes base;    /* BASE_FD, mapped at the first need */
};

/*
 * Set the option `text` ("key=value").  Errors: E_USAGE unknown key, given twice, or a
 * value of no use.
 */
int options_set(struct options *o, const char *text, struct error *e);
void options_release(struct options *o);

/* Replies.  An error of these means that root is gone. */
int reply(const struct session *ss, enum frame_type type, struct bytes payload,
	struct error *e);
/* PROGRESS with ss->done, at most ten times a second. */
int reply_progress(struct session *ss, struct error *e);
/* PROGRESS of a pack that is indexed: libgit2's callback, with a struct session. */
int reply_indexed(const git_indexer_progress *stats, void *payload);
/* Something new is coming: root may have use for the time until its first bytes do. */
int announce(struct session *ss, struct error *e);
/* DATA frames, the first one behind `head` (may be empty) in a single write. */
int reply_data(
	const struct session *ss, struct bytes head, struct bytes data, struct error *e);
/* CONTENT and its DATA. */
int reply_content(
	const struct session *ss, uint32_t id, struct bytes data, struct error *e);

/* The next frame root sends: 1; 0 it has closed. */
int session_next(struct session *ss, struct frame *ret, struct error *e);

/* `size` bytes from `place` on of the memory that root puts bases into. */
int session_base(struct session *ss, size_t place, size_t size, struct bytes *ret,
	struct error *e);

/* ERROR; the code of `e` becomes an enum store_fault. */
int reply_error(const struct session *ss, const struct error *e);

/*
 * Set `e` from libgit2's last error, "context: message"; returns `code`, or E_SPACE when
 * the message is that of a full disk.
 */
int err_git(struct error *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline const git_oid *git_id(const struct oid *id)
{
	return (const git_oid *)id->b;
}

#define CLEANUP_GIT(type, fn)                                                            \
	static inline void cleanup_##type(type **p)                                      \
	{                                                                                \
		fn(*p);                                                                  \
	}
CLEANUP_GIT(git_commit, git_commit_free)
CLEANUP_GIT(git_odb, git_odb_free)
CLEANUP_GIT(git_odb_object, git_odb_object_free)
CLEANUP_GIT(git_reference, git_reference_free)
CLEANUP_GIT(git_reference_iterator, git_reference_iterator_free)
CLEANUP_GIT(git_remote, git_remote_free)
CLEANUP_GIT(git_repository, git_repository_free)
CLEANUP_GIT(git_revwalk, git_revwalk_free)
CLEANUP_GIT(git_tree, git_tree_free)
CLEANUP_GIT(git_tree_entry, git_tree_entry_free)

/* autogit(git_tree) tree = NULL; */
#define autogit(type) CLEANUP(cleanup_##type) type *

#endif
