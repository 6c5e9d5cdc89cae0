/* SPDX-License-Identifier: MIT */
/*
 * Who may sign: see signers.h.  The file is the administrator's, so it is trusted,
 * but read strictly: what this parser does not understand is an error and never a
 * key that is quietly allowed more than its line says.
 * Behaviour follows ssh-keygen 9.2 -Y verify (sshsig.c, misc.c of openssh-portable).
 */
#include "trust/signers.h"

#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "trust/excerpt.h"
#include "trust/pattern.h"

#define PRINCIPALS_MAX 1024 /* bytes */
#define THRESHOLD_MAX  64

struct signer {
	struct sshkey key;
	char *principals; /* as written, without quotes */
	char *namespaces; /* pattern list, or NULL: any */
	bool has_after;
	bool has_before;
	int64_t valid_after;
	int64_t valid_before; /* inclusive, as in ssh-keygen */
	size_t line;
};

struct revoked {
	struct sshkey key;
	char *where; /* "file:line" */
};

struct signers {
	char *name;
	struct signer *list;
	size_t n, cap;
	struct revoked *revoked;
	size_t n_revoked, cap_revoked;
	unsigned threshold; /* 0: not given */
};

/* --- cutting a line into words ---------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct bytes *in)
{
	while (in->size > 0 && is_blank((char)in->data[0])) {
		in->data++;
		in->size--;
	}
}

static struct bytes cut(struct bytes *in, size_t n)
{
	struct bytes head = { in->data, n };

	in->data += n;
	in->size -= n;
	return head;
}

/* Up to a blank outside double quotes. */
static struct bytes take_word(struct bytes *in)
{
	bool quoted = false;
	size_t n = 0;

	skip_blanks(in);
	while (n < in->size && (quoted || !is_blank((char)in->data[n]))) {
		if (in->data[n] == '"')
			quoted = !quoted;
		n++;
	}
	return cut(in, n);
}

static bool take_line(struct bytes *in, struct bytes *ret)
{
	if (!text_take_line(in, ret))
		return false;
	skip_blanks(ret);
	return true;
}

static char *string_of(struct bytes b)
{
	return xstrndup((const char *)b.data, b.size);
}

static bool starts_with(struct bytes b, const char *s)
{
	return b.size >= strlen(s) &&
	       strncasecmp((const char *)b.data, s, strlen(s)) == 0;
}

/* So that no control character gets into a message. */
static bool is_clean(struct bytes b)
{
	for (size_t i = 0; i < b.size; i++)
		if ((b.data[i] < ' ' && b.data[i] != '\t') || b.data[i] == 0x7f)
			return false;
	return text_is_utf8(b);
}

/* --- options ---------------------------------------------------------------------- */

/*
 * YYYYMMDD[HHMM[SS]][Z]; without Z in the machine's local time, and as in ssh-keygen
 * in its *standard* time the whole year round (tm_isdst stays 0).
 */
static bool parse_time(const char *s, size_t n, int64_t *ret)
{
	static const size_t width[] = { 4, 2, 2, 2, 2, 2 };
	bool utc = n > 0 && (s[n - 1] == 'Z' || s[n - 1] == 'z');
	int field[6] = { 0 };
	struct tm tm = { 0 };
	struct tm day;
	size_t at = 0;
	time_t t;

	n -= utc ? 1 : 0;
	if (n != 8 && n != 12 && n != 14)
		return false;
	for (size_t f = 0; f < 6 && at < n; f++) {
		for (size_t i = 0; i < width[f]; i++, at++) {
			if (s[at] < '0' || s[at] > '9')
				return false;
			field[f] = field[f] * 10 + (s[at] - '0');
		}
	}
	tm.tm_year = field[0] - 1900;
	tm.tm_mon = field[1] - 1;
	tm.tm_mday = field[2];
	tm.tm_hour = field[3];
	tm.tm_min = field[4];
	tm.tm_sec = field[5];
	/* What the C library would carry into the next field is a typing mistake. */
	if (field[0] < 1970 || field[1] < 1 || field[1] > 12 || field[2] < 1 ||
		field[3] > 23 || field[4] > 59 || field[5] > 59)
		return false;
	day = tm;
	(void)timegm(&day);
	if (day.tm_mday != field[2])
		return false; /* 31 February */
	t = utc ? timegm(&tm) : mktime(&tm);
	if (t < 0)
		return false;
	*ret = (int64_t)t;
	return true;
}

/* At `="value"`: take it.  False when it is not of that form. */
static bool take_quoted(struct bytes *in, struct bytes *ret)
{
	const unsigned char *end;

	if (in->size < 2 || in->data[0] != '=' || in->data[1] != '"')
		return false;
	(void)cut(in, 2);
	end = memchr(in->data, '"', in->size);
	if (!end)
		return false;
	*ret = cut(in, (size_t)(end - in->data));
	(void)cut(in, 1);
	return ret->size > 0;
}

static int option_time(
	struct bytes *in, const char *option, bool *has, int64_t *ret, struct error *e)
{
	struct bytes value;

	if (*has)
		return err_set(e, E_INPUT, "option %s is given twice", option);
	if (!take_quoted(in, &value) ||
		!parse_time((const char *)value.data, value.size, ret))
		return err_set(e, E_INPUT,
			"option %s wants a quoted time YYYYMMDD[HHMM[SS]][Z]", option);
	*has = true;
	return 0;
}

static int option_namespaces(struct bytes *in, struct signer *s, struct error *e)
{
	struct bytes value;

	if (s->namespaces)
		return err_set(e, E_INPUT, "option namespaces is given twice");
	if (!take_quoted(in, &value))
		return err_set(e, E_INPUT, "option namespaces wants a quoted list");
	s->namespaces = string_of(value);
	return 0;
}

static int parse_option(struct bytes *in, struct signer *s, struct error *e)
{
	static const char after[] = "valid-after";
	static const char before[] = "valid-before";
	static const char namespaces[] = "namespaces";
	autobuf shown = { 0 };
	size_t n = 0;
	struct bytes name;

	while (n < in->size && in->data[n] != '=' && in->data[n] != ',')
		n++;
	name = cut(in, n);
	if (name.size == strlen(after) && starts_with(name, after))
		return option_time(in, after, &s->has_after, &s->valid_after, e);
	if (name.size == strlen(before) && starts_with(name, before))
		return option_time(in, before, &s->has_before, &s->valid_before, e);
	if (name.size == strlen(namespaces) && starts_with(name, namespaces))
		return option_namespaces(in, s, e);
	if (starts_with(name, "cert-authority"))
		return err_set(e, E_INPUT, "cert-authority is not supported");
	return err_set(e, E_INPUT, "unknown option \"%s\"", excerpt(name, &shown));
}

static int parse_options(struct bytes in, struct signer *s, struct error *e)
{
	int r;

	for (;;) {
		r = parse_option(&in, s, e);
		if (r < 0)
			return r;
		if (in.size == 0)
			break;
		if (in.data[0] != ',' || in.size == 1)
			return err_set(e, E_INPUT, "junk after an option");
		(void)cut(&in, 1);
	}
	if (s->has_after && s->has_before && s->valid_before <= s->valid_after)
		return err_set(e, E_INPUT, "valid-before is not after valid-after");
	return 0;
}

/* --- lines ------------------------------------------------------------------------ */

static bool is_key_type(struct bytes word)
{
	return starts_with(word, "ssh-") || starts_with(word, "sk-") ||
	       starts_with(word, "ecdsa-");
}

static int parse_key(
	struct bytes type, struct bytes *line, struct sshkey *ret, struct error *e)
{
	autofree char *name = string_of(type);
	struct bytes base64 = take_word(line);

	if (base64.size == 0)
		return err_set(e, E_INPUT, "no key");
	return sshkey_parse_words(name, base64, ret, e);
}

static int parse_principals(struct bytes word, struct signer *s, struct error *e)
{
	if (word.size >= 2 && word.data[0] == '"' && word.data[word.size - 1] == '"') {
		word.data++;
		word.size -= 2;
	}
	if (word.size == 0 || word.size > PRINCIPALS_MAX ||
		memchr(word.data, '"', word.size))
		return err_set(e, E_INPUT,
			"wants principals first: \"name[,name...] [options] type key\"");
	s->principals = string_of(word);
	return 0;
}

static int parse_signer(struct bytes line, struct signer *s, struct error *e)
{
	struct bytes principals = take_word(&line);
	struct bytes word = take_word(&line);
	int r;

	if (is_key_type(principals))
		return err_set(e, E_INPUT,
			"no principals before the key (\"name[,name...] type key\")");
	r = parse_principals(principals, s, e);
	if (r < 0)
		return r;
	if (word.size == 0)
		return err_set(e, E_INPUT, "no key");
	if (!is_key_type(word)) {
		r = parse_options(word, s, e);
		if (r < 0)
			return r;
		word = take_word(&line);
	}
	return parse_key(word, &line, &s->key, e);
}

/* A "# osupdate:" line that is not understood is an error: it may ask for more safety. */
static int parse_comment(struct bytes line, struct signers *s, struct error *e)
{
	struct bytes what;
	struct bytes number;
	uint64_t n;

	(void)cut(&line, 1);
	skip_blanks(&line);
	if (!starts_with(line, "osupdate:"))
		return 0;
	(void)cut(&line, strlen("osupdate:"));
	what = take_word(&line);
	number = take_word(&line);
	if (what.size != strlen("threshold") || !starts_with(what, "threshold") ||
		take_word(&line).size != 0 ||
		!text_u64((const char *)number.data, number.size, THRESHOLD_MAX, &n) ||
		n == 0)
		return err_set(e, E_INPUT,
			"wants \"# osupdate: threshold N\" with N from 1 to %d",
			THRESHOLD_MAX);
	if (s->threshold)
		return err_set(e, E_INPUT, "the threshold is given twice");
	s->threshold = (unsigned)n;
	return 0;
}

static int parse_line(
	struct bytes line, size_t number, struct signers *s, struct error *e)
{
	struct signer *signer;

	if (line.size == 0)
		return 0;
	if (!is_clean(line))
		return err_set(
			e, E_INPUT, "control characters (CR line ends?), or not UTF-8");
	if (line.data[0] == '#')
		return parse_comment(line, s, e);
	if (s->n == SIGNERS_MAX)
		return err_set(e, E_INPUT, "more than %d keys", SIGNERS_MAX);
	ARRAY_GROW(s->list, s->n, s->cap);
	signer = &s->list[s->n++];
	*signer = (struct signer){ .line = number };
	return parse_signer(line, signer, e);
}

int signers_parse(
	const char *name, struct bytes text, struct signers **ret, struct error *e)
{
	autosigners s = xcalloc(1, sizeof(*s));
	struct bytes line;
	int r;

	if (text.size > SIGNERS_FILE_MAX)
		return err_set(e, E_INPUT, "%s: over %d bytes", name, SIGNERS_FILE_MAX);
	s->name = xstrdup(name);
	for (size_t number = 1; take_line(&text, &line); number++) {
		r = parse_line(line, number, s, e);
		if (r < 0)
			return err_prefix(e, r, "%s:%zu", name, number);
	}
	if (s->n == 0)
		return err_set(e, E_INPUT, "%s: holds no key", name);
	*ret = take_ptr(&s);
	return 0;
}

void signers_free(struct signers *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->list[i].principals);
		free(s->list[i].namespaces);
	}
	for (size_t i = 0; i < s->n_revoked; i++)
		free(s->revoked[i].where);
	free(s->list);
	free(s->revoked);
	free(s->name);
	free(s);
}

/* --- revocation ------------------------------------------------------------------- */

static int revoke_line(struct bytes line, size_t number, const char *name,
	struct signers *s, struct error *e)
{
	struct sshkey key;
	int r;

	if (line.size == 0 || line.data[0] == '#')
		return 0;
	if (!is_clean(line))
		return err_set(
			e, E_INPUT, "control characters (CR line ends?), or not UTF-8");
	r = parse_key(take_word(&line), &line, &key, e);
	if (r < 0)
		return r;
	ARRAY_GROW(s->revoked, s->n_revoked, s->cap_revoked);
	s->revoked[s->n_revoked++] =
		(struct revoked){ key, xasprintf("%s:%zu", name, number) };
	return 0;
}

int signers_revoke(
	struct signers *s, const char *name, struct bytes text, struct error *e)
{
	struct bytes line;
	int r;

	if (text.size > SIGNERS_FILE_MAX)
		return err_set(e, E_INPUT, "%s: over %d bytes", name, SIGNERS_FILE_MAX);
	if (text.size >= 6 && memcmp(text.data, "SSHKRL", 6) == 0)
		return err_set(e, E_INPUT,
			"%s: is a binary KRL; list public keys instead, one a line",
			name);
	for (size_t number = 1; take_line(&text, &line); number++) {
		r = revoke_line(line, number, name, s, e);
		if (r < 0)
			return err_prefix(e, r, "%s:%zu", name, number);
	}
	return 0;
}

/* --- asking ----------------------------------------------------------------------- */

unsigned signers_threshold(const struct signers *s)
{
	return s->threshold ? s->threshold : 1;
}

bool signers_revoked(const struct signers *s, const char *fingerprint)
{
	char print[SSHKEY_FINGERPRINT_MAX];

	for (size_t i = 0; i < s->n_revoked; i++) {
		sshkey_fingerprint(&s->revoked[i].key, print);
		if (strcmp(print, fingerprint) == 0)
			return true;
	}
	return false;
}

int signers_know(const struct signers *s, const struct sshkey *key, struct error *e)
{
	char print[SSHKEY_FINGERPRINT_MAX];

	sshkey_fingerprint(key, print);
	for (size_t i = 0; i < s->n_revoked; i++)
		if (sshkey_equal(&s->revoked[i].key, key))
			return err_set(e, E_UNTRUSTED,
				"signed by %s, which is revoked by %s", print,
				s->revoked[i].where);
	for (size_t i = 0; i < s->n; i++)
		if (sshkey_equal(&s->list[i].key, key))
			return 0;
	return err_set(e, E_UNTRUSTED,
		"signed by %s, which is not in %s; add that key there only if you trust "
		"it",
		print, s->name);
}

static int signer_allow(
	const struct signer *s, const char *name_space, int64_t time, struct error *e)
{
	char limit[TEXT_TIME_MAX];
	char at[TEXT_TIME_MAX];

	text_time(time, at);
	if (s->namespaces && !pattern_list_match(name_space, s->namespaces))
		return err_set(
			e, E_UNTRUSTED, "may not sign in namespace \"%s\"", name_space);
	if (s->has_after && time < s->valid_after) {
		text_time(s->valid_after, limit);
		return err_set(
			e, E_UNTRUSTED, "was not yet valid at %s (from %s)", at, limit);
	}
	if (s->has_before && time > s->valid_before) {
		text_time(s->valid_before, limit);
		return err_set(e, E_UNTRUSTED, "was no longer valid at %s (until %s)", at,
			limit);
	}
	return 0;
}

int signers_allow(const struct signers *s, const struct sshkey *key,
	const char *name_space, int64_t time, const char **ret_principal, struct error *e)
{
	char print[SSHKEY_FINGERPRINT_MAX];
	int r = signers_know(s, key, e);

	if (r < 0)
		return r;
	/* As ssh-keygen: the first line that allows it; else the last one's reason. */
	for (size_t i = 0; i < s->n; i++) {
		if (!sshkey_equal(&s->list[i].key, key))
			continue;
		r = signer_allow(&s->list[i], name_space, time, e);
		if (r == 0) {
			*ret_principal = s->list[i].principals;
			return 0;
		}
		(void)err_prefix(e, r, "%s:%zu", s->name, s->list[i].line);
	}
	sshkey_fingerprint(key, print);
	return err_prefix(e, r, "signed by %s", print);
}
