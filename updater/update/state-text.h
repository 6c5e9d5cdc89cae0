/* SPDX-License-Identifier: MIT */
/* The state record printed and parsed; state.c knows where it stands. */
#ifndef UPDATE_STATE_TEXT_H
#define UPDATE_STATE_TEXT_H

#include "base/buf.h"
#include "update/state.h"

/* Exactly STATE_SIZE bytes, appended: the oldest denials give way if they must. */
void state_print(const struct state *s, struct buf *out);

/* Fill a zeroed record; false: not whole (then *ret is garbage, but released as usual).
 */
bool state_parse(const struct buf *text, struct state *ret);

/*
 * One safe line for the record, at most STATE_TEXT_MAX bytes.  Texts come escaped
 * already from whoever quoted foreign bytes, so backslashes stay as they are.
 */
void state_text_set(char ret[STATE_TEXT_MAX + 1], const char *text);

#endif
