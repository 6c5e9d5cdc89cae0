/* SPDX-License-Identifier: MIT */
/*
 * Reading osupdate.conf: see config.h.  inih splits keys from values; the reader in
 * front of it hands over one cleaned line at a time, so that nothing here depends on
 * the options inih was compiled with, and so that every error knows its line.
 */
#include "update/config.h"

#include <ini.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/trusted.h"
#include "boot/hook.h"
#include "update/config-value.h"

#define CONFIG_MAX    65536 /* bytes */
#define BLANKS	      " \t\r"
#define SECTIONS_SEEN 5 /* update, paths, boot, two slots */

enum section { SECTION_NONE, SECTION_UPDATE, SECTION_PATHS, SECTION_BOOT, SECTION_SLOT };

/* What the file is read into, besides the config itself. */
struct reading {
	struct config *config;
	struct error *e;
	int r; /* of the first error; then nothing more is read */
	const char *next;
	unsigned line;
	enum section section;
	struct slot *slot; /* of [slot NAME] */
	unsigned *seen;	   /* of this section: line of each key, by index in keys[] */
	size_t n_slots;
	size_t n_boot_keys;
	unsigned headings[SECTIONS_SEEN];
	unsigned lines[SECTIONS_SEEN][32];
};

struct key {
	enum section section;
	const char *name;
	const char *(*take)(const char *value, void *field); /* see config-value.h */
	size_t offset; /* in struct config, or in struct slot */
	bool required;
};

__attribute__((format(printf, 2, 3))) static int complain(
	struct reading *in, const char *fmt, ...)
{
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	in->r = err_set(in->e, E_INPUT, "%s:%u: %s", in->config->file, in->line, text);
	return in->r;
}

/* --- keys ------------------------------------------------------------------------- */

#define CONFIG(field) offsetof(struct config, field)

static const struct key keys[] = {
	{ SECTION_UPDATE, "url", config_take_text, CONFIG(url), false },
	{ SECTION_UPDATE, "stream", config_take_places, CONFIG(stream), false },
	{ SECTION_UPDATE, "channel", config_take_name, CONFIG(channel), false },
	{ SECTION_UPDATE, "product", config_take_name, CONFIG(product), true },
	{ SECTION_UPDATE, "ssh-key", config_take_path, CONFIG(ssh_key), false },
	{ SECTION_UPDATE, "known-hosts", config_take_path, CONFIG(known_hosts), false },
	{ SECTION_UPDATE, "ca", config_take_path, CONFIG(ca), false },
	{ SECTION_UPDATE, "username", config_take_text, CONFIG(username), false },
	{ SECTION_UPDATE, "password-file", config_take_path, CONFIG(password_file),
		false },
	{ SECTION_UPDATE, "proxy", config_take_text, CONFIG(proxy), false },
	{ SECTION_UPDATE, "netrc", config_take_path, CONFIG(netrc), false },
	{ SECTION_UPDATE, "client-certificate", config_take_path,
		CONFIG(client_certificate), false },
	{ SECTION_UPDATE, "client-key", config_take_path, CONFIG(client_key), false },
	{ SECTION_UPDATE, "rate-limit", config_take_rate, CONFIG(rate_limit), false },
	{ SECTION_UPDATE, "stall-timeout", config_take_stall, CONFIG(stall_timeout_ms),
		false },
	{ SECTION_UPDATE, "interval", config_take_interval, CONFIG(interval_s), false },
	{ SECTION_UPDATE, "read-back", config_take_bool, CONFIG(read_back), false },
	{ SECTION_UPDATE, "trial-timeout", config_take_interval, CONFIG(trial_timeout_s),
		false },
	{ SECTION_UPDATE, "check-timeout", config_take_timeout, CONFIG(check_timeout_ms),
		false },
	{ SECTION_PATHS, "state", config_take_path, CONFIG(state), false },
	{ SECTION_PATHS, "signers", config_take_path, CONFIG(signers), false },
	{ SECTION_BOOT, "hook", config_take_hook, CONFIG(hook), true },
	{ SECTION_BOOT, "timeout", config_take_timeout, CONFIG(hook_timeout_ms), false },
	{ SECTION_SLOT, "device", config_take_path, offsetof(struct slot, device), true },
	{ SECTION_SLOT, "bootname", config_take_bootname, offsetof(struct slot, bootname),
		false },
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

_Static_assert(N_KEYS <= sizeof(((struct reading *)0)->lines[0]) / sizeof(unsigned),
	"a line number for each key");

static const char *section_name(enum section section)
{
	switch (section) {
	case SECTION_NONE:
		return "";
	case SECTION_UPDATE:
		return "update";
	case SECTION_PATHS:
		return "paths";
	case SECTION_BOOT:
		return "boot";
	case SECTION_SLOT:
		return "slot";
	}
	return "";
}

/* Edit distance (Levenshtein), good enough to guess what a typo meant. */
static size_t distance(const char *a, const char *b)
{
	size_t row[48];
	size_t m = strlen(b);

	if (m >= sizeof(row) / sizeof(row[0]))
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[m];
}

static int unknown_key(struct reading *in, const char *name)
{
	const struct key *nearest = NULL;
	size_t least = 4; /* more changes are no typo */
	autobuf shown = { 0 };

	text_escape(&shown, bytes_of(name), false);
	for (size_t i = 0; i < N_KEYS; i++) {
		size_t d = distance(name, keys[i].name);

		/* A key put into the wrong section counts as the nearest of all. */
		if (keys[i].section == in->section && d < least) {
			least = d;
			nearest = &keys[i];
		} else if (d == 0) {
			return complain(in,
				"unknown key \"%s\" in [%s]: it belongs into [%s]",
				shown.data, section_name(in->section),
				section_name(keys[i].section));
		}
	}
	return complain(in, "unknown key \"%s\" in [%s]%s%s%s",
		shown.data ? shown.data : "", section_name(in->section),
		nearest ? "; did you mean \"" : "", nearest ? nearest->name : "",
		nearest ? "\"?" : "");
}

/* --- sections --------------------------------------------------------------------- */

static int enter(struct reading *in, enum section section, size_t index, const char *text)
{
	in->section = section;
	in->seen = in->lines[index];
	if (in->headings[index])
		return complain(
			in, "[%s] again; it began in line %u", text, in->headings[index]);
	in->headings[index] = in->line;
	return 0;
}

static int enter_slot(struct reading *in, const char *name, const char *text)
{
	struct slot *slots = in->config->slots;

	if (!slot_name_valid(name))
		return complain(in,
			"[%s]: a slot's name is 1 to %d letters, digits and ._-, not "
			"starting "
			"with . or -",
			text, SLOT_NAME_MAX);
	for (size_t i = 0; i < in->n_slots; i++)
		if (strcmp(slots[i].name, name) == 0)
			return enter(in, SECTION_SLOT, 3 + i, text);
	if (in->n_slots == SLOT_COUNT)
		return complain(in,
			"[%s]: there are %s and %s already; exactly two slots are "
			"supported",
			text, slots[0].name, slots[1].name);
	in->slot = &slots[in->n_slots++];
	(void)snprintf(in->slot->name, sizeof(in->slot->name), "%s", name);
	memcpy(in->slot->bootname, in->slot->name, sizeof(in->slot->bootname));
	return enter(in, SECTION_SLOT, 2 + in->n_slots, text);
}

/* "[slot A]"; `n` bytes with both brackets. */
static int take_heading(struct reading *in, const char *s, size_t n)
{
	autofree char *text = xstrndup(s + 1, n > 2 ? n - 2 : 0);
	autobuf shown = { 0 };

	if (n < 2 || s[n - 1] != ']')
		return complain(
			in, "a section is a line like [update], and nothing else");
	text_escape(&shown, bytes_of(text), false);
	if (strcmp(text, "update") == 0)
		return enter(in, SECTION_UPDATE, 0, text);
	if (strcmp(text, "paths") == 0)
		return enter(in, SECTION_PATHS, 1, text);
	if (strcmp(text, "boot") == 0)
		return enter(in, SECTION_BOOT, 2, text);
	if (strncmp(text, "slot ", 5) == 0)
		return enter_slot(in, text + 5 + strspn(text + 5, BLANKS),
			shown.data ? shown.data : "");
	return complain(in,
		"unknown section [%s]; there are [update], [paths], [boot] and [slot "
		"NAME]",
		shown.data ? shown.data : "");
}

/* --- lines ------------------------------------------------------------------------ */

/* A comment begins at the start, or after a blank. */
static size_t without_comment(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((s[i] == '#' || s[i] == ';') &&
			(i == 0 || strchr(BLANKS, s[i - 1]))) {
			n = i;
			break;
		}
	while (n > 0 && strchr(BLANKS, s[n - 1]))
		n--;
	return n;
}

static int check_line(struct reading *in, const char *s, size_t n, size_t max)
{
	size_t word = strcspn(s, "=:");

	if (n > 0 && s[0] == '[')
		return take_heading(in, s, n);
	/* inih would take "key: value" too, and truncate what is too long for it. */
	if (n > 0 && (word == 0 || word >= n || s[word] != '='))
		return complain(in, "neither a [section] nor `key = value`");
	if (n > max)
		return complain(in, "longer than %zu bytes", max);
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return complain(in, "holds a control character");
	return 0;
}

/* inih's fgets: one line without blanks and comments around it; NULL at the end. */
static char *next_line(char *str, int size, void *ctx)
{
	struct reading *in = ctx;
	size_t max = (size_t)size - 3; /* CR, LF and NUL, says ini.h */
	size_t n;

	if (in->r < 0 || !*in->next)
		return NULL;
	in->line++;
	n = strcspn(in->next, "\n");
	for (const char *s = in->next;; s++, n--) {
		if (n > 0 && strchr(BLANKS, *s))
			continue;
		in->next = s + n + (s[n] == '\n');
		n = without_comment(s, n);
		if (check_line(in, s, n, max) < 0)
			return NULL;
		if (n > 0 && s[0] == '[') /* inih's own idea of sections is not used */
			n = 0;
		(void)snprintf(str, (size_t)size, "%.*s\n", (int)n, s);
		return str;
	}
}

static int take_boot_key(struct reading *in, const char *name, const char *value)
{
	struct config *c = in->config;

	if (!hook_key_valid(name))
		return unknown_key(in, name);
	for (size_t i = 0; i < in->n_boot_keys; i++)
		if (strcmp(c->boot_keys[i * 2], name) == 0)
			return complain(in, "\"%s\" is there twice in [boot]", name);
	c->boot_keys =
		xreallocarray(c->boot_keys, in->n_boot_keys * 2 + 3, sizeof(char *));
	c->boot_keys[in->n_boot_keys * 2] = xstrdup(name);
	c->boot_keys[in->n_boot_keys * 2 + 1] = xstrdup(value);
	c->boot_keys[in->n_boot_keys * 2 + 2] = NULL;
	in->n_boot_keys++;
	return 0;
}

static int take_value(struct reading *in, const struct key *key, const char *value)
{
	unsigned *seen = &in->seen[key - keys];
	char *base = key->section == SECTION_SLOT ? (char *)in->slot : (char *)in->config;
	const char *wanted;
	autobuf shown = { 0 };

	if (*seen)
		return complain(in, "\"%s\" is there twice in [%s], first in line %u",
			key->name, section_name(in->section), *seen);
	*seen = in->line;
	wanted = key->take(value, base + key->offset);
	if (!wanted)
		return 0;
	text_escape(&shown, bytes_of(value), false);
	return complain(in, "%s = %s: wanted %s", key->name, shown.data, wanted);
}

/* inih's handler: non-zero goes on; our reader stops after an error. */
static int take_pair(void *ctx, const char *section, const char *name, const char *value)
{
	struct reading *in = ctx;

	(void)section;
	if (in->r < 0)
		return 0;
	if (in->section == SECTION_NONE) {
		(void)complain(in, "\"%s\" stands before the first [section]", name);
		return 0;
	}
	if (!*value) {
		(void)complain(in, "\"%s\" has no value", name);
		return 0;
	}
	for (size_t i = 0; i < N_KEYS; i++)
		if (keys[i].section == in->section && strcmp(keys[i].name, name) == 0)
			return take_value(in, &keys[i], value) == 0;
	if (in->section == SECTION_BOOT)
		return take_boot_key(in, name, value) == 0;
	return unknown_key(in, name) == 0;
}

/* --- the whole -------------------------------------------------------------------- */

static int check_slots(const struct reading *in)
{
	const struct config *c = in->config;
	const struct slot *a = &c->slots[0];
	const struct slot *b = &c->slots[1];

	if (in->n_slots < SLOT_COUNT)
		return err_set(in->e, E_INPUT,
			"%s: %s; two sections [slot A] and [slot B] are needed, each "
			"with "
			"device=",
			c->file,
			in->n_slots == 0 ? "no [slot NAME]" : "only one [slot NAME]");
	if (strcmp(a->bootname, b->bootname) == 0)
		return err_set(in->e, E_INPUT,
			"%s: slots %s and %s have the same bootname \"%s\"", c->file,
			a->name, b->name, a->bootname);
	if (strcmp(a->device, b->device) == 0)
		return err_set(in->e, E_INPUT,
			"%s: slots %s and %s have the same device %s", c->file, a->name,
			b->name, a->device);
	return 0;
}

static int check_required(const struct reading *in)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		const char *section = section_name(keys[i].section);

		if (!keys[i].required)
			continue;
		if (keys[i].section != SECTION_SLOT &&
			in->lines[keys[i].section - SECTION_UPDATE][i] == 0)
			return err_set(in->e, E_INPUT, "%s: \"%s\" is missing in [%s]",
				in->config->file, keys[i].name, section);
		for (size_t k = 0; keys[i].section == SECTION_SLOT && k < in->n_slots;
			k++)
			if (in->lines[3 + k][i] == 0)
				return err_set(in->e, E_INPUT,
					"%s: \"%s\" is missing in [slot %s]",
					in->config->file, keys[i].name,
					in->config->slots[k].name);
	}
	if (!in->config->url && !in->config->stream)
		return err_set(in->e, E_INPUT,
			"%s: \"url\" is missing in [update] (or \"stream\", for a web "
			"server)",
			in->config->file);
	return check_slots(in);
}

static int read_text(const char *file, struct buf *ret, struct error *e)
{
	int r = trusted_read(file, CONFIG_MAX, ret, e);

	if (r == E_NOTFOUND)
		return err_set(e, E_NOTFOUND,
			"%s: no such file; write one (osupdate.conf(5)) or name it with "
			"--config",
			file);
	return r;
}

static int parse(const char *text, struct config *c, struct error *e)
{
	struct reading in = { .config = c, .e = e, .next = text };
	int r = ini_parse_stream(next_line, &in, take_pair, &in);

	if (in.r < 0)
		return in.r;
	if (r != 0)
		return err_set(e, E_INPUT, "%s:%d: not understood", c->file, r);
	return check_required(&in);
}

static void set_default(char **field, const char *value)
{
	if (!*field)
		*field = xstrdup(value);
}

int config_load(const char *file, struct config *ret, struct error *e)
{
	autobuf text = { 0 };
	int r;

	*ret = (struct config){
		.stall_timeout_ms = 60000,
		.interval_s = 3600,
		.read_back = true,
		.trial_timeout_s = CONFIG_TRIAL_TIMEOUT_S,
		.check_timeout_ms = 60000,
		.hook_timeout_ms = 30000,
	};
	ret->file = xstrdup(file);
	r = read_text(file, &text, e);
	if (r == 0 && text.size && memchr(text.data, '\0', text.size))
		r = err_set(e, E_INPUT, "%s: holds a NUL byte: not a text file", file);
	if (r == 0)
		r = parse(text.data ? text.data : "", ret, e);
	if (r < 0) {
		config_release(ret);
		return r;
	}
	set_default(&ret->channel, "stable");
	set_default(&ret->state, CONFIG_STATE);
	if (!ret->boot_keys)
		ret->boot_keys = xcalloc(1, sizeof(char *));
	return 0;
}

void config_release(struct config *c)
{
	char *const texts[] = { c->file, c->url, c->channel, c->product, c->ssh_key,
		c->known_hosts, c->ca, c->username, c->password_file, c->proxy, c->state,
		c->signers, c->hook, c->stream, c->netrc, c->client_certificate,
		c->client_key };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	for (char **p = c->boot_keys; p && *p; p++)
		free(*p);
	free(c->boot_keys);
	for (size_t i = 0; i < SLOT_COUNT; i++)
		free(c->slots[i].device);
	*c = (struct config){ 0 };
}
