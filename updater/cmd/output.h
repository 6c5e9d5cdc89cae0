/* SPDX-License-Identifier: MIT */
/*
 * How a person or a program sees it: progress on a terminal (stderr) or as JSON lines
 * (stdout), notes, tables.  Foreign text is escaped here and nowhere else.
 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <stdio.h>

#include "base/progress.h"
#include "trust/release.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_JSON, PROGRESS_NONE };

struct output {
	enum progress_mode mode;
	bool terminal;	/* stderr is one, and the mode is auto */
	bool line_open; /* a progress line stands on the terminal */
	char step[16];	/* the one being shown */
	int64_t step_start_ms;
	int64_t shown_ms;
	struct progress progress; /* what the core is given */
};

void output_init(
	struct output *o, enum progress_mode mode, const volatile sig_atomic_t *stop);
/* Wipe the progress line before anything else is printed. */
void output_settle(struct output *o);

/* Where to say in words what was done: standard output, unless JSON lines go there. */
FILE *output_words(const struct output *o);

/* Print `text` with control characters escaped. */
void output_foreign(FILE *f, const char *text);

/* A table: `columns` names, NULL-terminated; rows are arrays of as many strings. */
struct libscols_table;
int table_new(const char *const *columns, struct libscols_table **ret, struct error *e);
int table_row(struct libscols_table *t, const char *const *cells, struct error *e);
/* Prints and frees it. */
int table_print(struct libscols_table *t, struct error *e);
void table_free(struct libscols_table *t);

#endif
