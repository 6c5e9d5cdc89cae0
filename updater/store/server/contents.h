/* SPDX-License-Identifier: MIT */
/* Manifests and contents out of a release's tree. */
#ifndef SERVER_CONTENTS_H
#define SERVER_CONTENTS_H

#include "store/server/session.h"

/* DATA frames of the manifest of `commit`.  Errors: E_NOTFOUND, E_REMOTE. */
int contents_manifest(struct session *ss, const git_oid *commit, struct error *e);

/* One batch of wants, collected until WANT_END. */
struct wanted;
struct wanted *wanted_new(void);
void wanted_free(struct wanted *w);

/* Take a WANT frame.  Errors: E_USAGE too short, too many, no valid path. */
int wanted_add(struct wanted *w, struct bytes payload, struct error *e);

/* Forget the WANTs that came. */
void wanted_empty(struct wanted *w);

/* Close what was opened to answer: the repository is going to be replaced. */
void wanted_forget(struct wanted *w);

/* Answer all of them out of `commit`: CONTENT DATA* or MISSING each; empties `w`. */
int wanted_send(
	struct wanted *w, struct session *ss, const git_oid *commit, struct error *e);

#endif
