/* SPDX-License-Identifier: MIT */
/* What fill.c and fill-store.c share: see fill.h. */
#ifndef SLOT_FILL_INTERNAL_H
#define SLOT_FILL_INTERNAL_H

#include "slot/deliver.h"
#include "slot/fill.h"
#include "slot/flush.h"
#include "slot/source.h"

#define WHOLE UINT32_MAX

/* Contents the store is to give: a whole file, or one piece of it. */
struct job {
	uint64_t offset; /* of the piece in the file */
	uint32_t index;	 /* of the entry in the plan; names the temporary file */
	uint32_t piece;	 /* or WHOLE */
};

/* A file made of pieces, of which some are missing. */
struct pieced {
	uint32_t index;
	uint32_t left;
};

struct fill {
	const struct install *in;
	const struct plan *plan;
	struct writer *w;
	struct install_sums *sums;
	struct sources *sources;	   /* opened at the first need */
	struct sources *bases;		   /* of all contents, opened likewise */
	struct manifest_reader *asking;	   /* for `next` … */
	struct manifest_reader *receiving; /* … and for what comes */
	struct spool jobs;		   /* struct job */
	size_t n_jobs;
	size_t asked;
	struct pieced *pieced; /* by index, ascending */
	size_t n_pieced;
	size_t cap_pieced;
	struct maker maker;	 /* of this thread … */
	struct deliver *deliver; /* … and the others, while contents are fetched */
	/* the content that is arriving: */
	const struct job *job;
	uint64_t size;
	bool delivered; /* it is for the other threads to make */
	struct entry entry;
	struct sink sink;
	uint64_t done;
	unsigned char *buffer;
	struct flush *flush; /* begun with the first file */
};

/* `more` bytes were made of what is to be. */
int fill_report(struct fill *f, uint64_t more, struct error *e);

/* A file of `size` bytes was made, or will be at once. */
int fill_made(struct fill *f, uint64_t size, struct error *e);

/* All contents are in the new file: into its place with it. */
int fill_finish(struct fill *f, int fd, uint64_t index, const struct entry *entry,
	struct error *e);

#endif
