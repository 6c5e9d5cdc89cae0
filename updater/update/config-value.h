/* SPDX-License-Identifier: MIT */
/*
 * Kinds of values a key of the configuration may have.  Each takes `value` into the field
 * of a struct config or struct slot and returns NULL, or returns what was wanted instead.
 */
#ifndef UPDATE_CONFIG_VALUE_H
#define UPDATE_CONFIG_VALUE_H

/* into a char *, owned */
const char *config_take_text(const char *value, void *field);
const char *config_take_name(const char *value, void *field); /* a git branch's name */
const char *config_take_path(const char *value, void *field); /* absolute */
const char *config_take_hook(
	const char *value, void *field); /* absolute, or a file's name */
/* http://, https://, file:///, one or several with blanks between them */
const char *config_take_places(const char *value, void *field);
/* into a uint32_t, bytes per second: 500k, 2M */
const char *config_take_rate(const char *value, void *field);
/* into an int, milliseconds; given in seconds */
const char *config_take_stall(const char *value, void *field);
const char *config_take_timeout(const char *value, void *field);
/* into a uint32_t, seconds: 90s, 15min, 6h, 1d */
const char *config_take_interval(const char *value, void *field);
const char *config_take_bool(const char *value, void *field);
/* into a char[SLOT_NAME_MAX + 1] */
const char *config_take_bootname(const char *value, void *field);

#endif
