/* SPDX-License-Identifier: MIT */
/* The verbs of git-osupdate: argv[0] is the verb's name; errors are printed by main. */
#ifndef BUILD_VERBS_H
#define BUILD_VERBS_H

#include "build/term.h"

int verb_init(struct term *t, int argc, char **argv, struct error *e);
int verb_commit(struct term *t, int argc, char **argv, struct error *e);
int verb_verify(struct term *t, int argc, char **argv, struct error *e);
int verb_export(struct term *t, int argc, char **argv, struct error *e);
int verb_publish(struct term *t, int argc, char **argv, struct error *e);

#endif
