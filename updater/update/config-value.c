/* SPDX-License-Identifier: MIT */
/* Values of the configuration: see config-value.h. */
#include "update/config-value.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "slot/slot.h"

#define NAME_MAX_LEN 128 /* of product, channel */

const char *config_take_text(const char *value, void *field)
{
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return "text without blanks";
	*(char **)field = xstrdup(value);
	return NULL;
}

const char *config_take_places(const char *value, void *field)
{
	static const char *const kinds[] = { "http://", "https://", "file:///" };
	const char *p = value + strspn(value, " \t");

	while (*p) {
		bool known = false;

		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			known |= strncmp(p, kinds[i], strlen(kinds[i])) == 0;
		if (!known)
			return "http://, https:// or file:/// places, with blanks "
			       "between them";
		p += strcspn(p, " \t");
		p += strspn(p, " \t");
	}
	*(char **)field = xstrdup(value);
	for (char *q = *(char **)field; *q; q++)
		*q = *q == '\t' ? ' ' : *q;
	return NULL;
}

const char *config_take_rate(const char *value, void *field)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = { { "", 1 }, { "k", 1000 }, { "M", 1000000 } };
	size_t digits = strspn(value, "0123456789");
	uint64_t n;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(value + digits, units[i].name) != 0 ||
			!text_u64(value, digits, UINT32_MAX / units[i].bytes, &n) ||
			n == 0)
			continue;
		*(uint32_t *)field = (uint32_t)(n * units[i].bytes);
		return NULL;
	}
	return "bytes per second, like 500k or 2M";
}

/* As the trailers of a release spell products and channels (a channel is a branch). */
const char *config_take_name(const char *value, void *field)
{
	static const char wanted[] =
		"a name of letters, digits and ._/- that git would take for a branch";
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._/-";
	size_t n = strlen(value);

	if (n > NAME_MAX_LEN || strspn(value, chars) != n || strchr("./-", value[0]) ||
		strchr("./", value[n - 1]) || strstr(value, "..") ||
		strstr(value, "//") || strstr(value, "/.") || strstr(value, "./") ||
		strstr(value, "/-"))
		return wanted;
	return config_take_text(value, field);
}

const char *config_take_path(const char *value, void *field)
{
	if (value[0] != '/')
		return "an absolute path";
	*(char **)field = xstrdup(value);
	return NULL;
}

const char *config_take_hook(const char *value, void *field)
{
	if (value[0] != '/' && (value[0] == '.' || strchr(value, '/')))
		return "the name of an installed hook, or an absolute path";
	return config_take_text(value, field);
}

static const char *take_seconds(const char *value, uint64_t max, int *ret_ms)
{
	uint64_t seconds;

	if (!text_u64(value, strlen(value), max, &seconds) || seconds == 0)
		return max == 600 ? "a number of seconds from 1 to 600"
				  : "a number of seconds from 1 to 3600";
	*ret_ms = (int)seconds * 1000;
	return NULL;
}

const char *config_take_stall(const char *value, void *field)
{
	return take_seconds(value, 3600, field);
}

const char *config_take_timeout(const char *value, void *field)
{
	return take_seconds(value, 600, field);
}

const char *config_take_interval(const char *value, void *field)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "min", 60 }, { "h", 3600 },
		{ "d", 86400 } };
	size_t digits = strspn(value, "0123456789");
	uint64_t n;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(value + digits, units[i].name) != 0)
			continue;
		if (!text_u64(value, digits, 366 * UINT64_C(86400) / units[i].seconds,
			    &n) ||
			n == 0)
			break;
		*(uint32_t *)field = (uint32_t)(n * units[i].seconds);
		return NULL;
	}
	return "a time like 90s, 15min, 6h or 1d, of at most 366d";
}

const char *config_take_bool(const char *value, void *field)
{
	if (strcmp(value, "yes") == 0 || strcmp(value, "true") == 0)
		*(bool *)field = true;
	else if (strcmp(value, "no") == 0 || strcmp(value, "false") == 0)
		*(bool *)field = false;
	else
		return "yes or no";
	return NULL;
}

const char *config_take_bootname(const char *value, void *field)
{
	if (!slot_name_valid(value))
		return "a name of letters, digits and ._-, not starting with . or -";
	(void)snprintf(field, SLOT_NAME_MAX + 1, "%s", value);
	return NULL;
}
