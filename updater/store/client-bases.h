/* SPDX-License-Identifier: MIT */
/*
 * Answers to NEED_BASE: a thread of its own reads and checks what slots have, while the
 * contents before it are being written.
 */
#ifndef STORE_CLIENT_BASES_H
#define STORE_CLIENT_BASES_H

#include "store/client-internal.h"

struct bases;

/* `c->base` is called by the thread. */
int bases_new(
	struct store *s, const struct contents *c, struct bases **ret, struct error *e);

/* Waits for the thread.  Takes NULL. */
void bases_free(struct bases *b);

/* See to what the NEED_BASE `f` asks for. */
int bases_ask(struct bases *b, const struct frame *f, struct error *e);

/* Send the answers that are known by now.  Takes NULL. */
int bases_answer(struct bases *b, struct error *e);

#endif
