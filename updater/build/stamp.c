/* SPDX-License-Identifier: MIT */
/* See stamp.h. */
#include "build/stamp.h"

#include <inttypes.h>
#include <time.h>

#include "base/text.h"
#include "trust/release.h"

#define TIME_MAX UINT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define DAYS_MAX 36525

static char *from_config(git_repository *repo, const char *key)
{
	autogit(git_config) config = NULL;
	autogit(git_config) snapshot = NULL;
	const char *value = NULL;

	if (git_repository_config(&config, repo) < 0 ||
		git_config_snapshot(&snapshot, config) < 0 ||
		git_config_get_string(&value, snapshot, key) < 0)
		return NULL;
	return xstrdup(value);
}

static int person(git_repository *repo, const char *role, char **ret, struct error *e)
{
	autofree char *name_key = xasprintf("GIT_%s_NAME", role);
	autofree char *email_key = xasprintf("GIT_%s_EMAIL", role);
	const char *name_env = getenv(name_key);
	const char *email_env = getenv(email_key);
	autofree char *name =
		name_env ? xstrdup(name_env) : from_config(repo, "user.name");
	autofree char *email =
		email_env ? xstrdup(email_env) : from_config(repo, "user.email");

	if (!name || !email || !name[0])
		return err_set(e, E_USAGE,
			"who commits? set %s: git config user.%s \"...\", or %s",
			email && name ? "a name" : "name and email",
			name && name[0] ? "email" : "name",
			name && name[0] ? email_key : name_key);
	*ret = xasprintf("%s <%s>", name, email);
	return 0;
}

static int read_time(int64_t *ret, struct error *e)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t seconds;

	if (!epoch || !epoch[0]) {
		*ret = (int64_t)time(NULL);
		return 0;
	}
	if (!text_u64(epoch, strlen(epoch), TIME_MAX, &seconds))
		return err_set(e, E_USAGE,
			"SOURCE_DATE_EPOCH=%.40s: not a number of seconds since 1970",
			epoch);
	*ret = (int64_t)seconds;
	return 0;
}

int stamp_people(struct stamp *s, git_repository *repo, struct error *e)
{
	int r = read_time(&s->time, e);

	if (r == 0)
		r = person(repo, "AUTHOR", &s->author, e);
	if (r == 0)
		r = person(repo, "COMMITTER", &s->committer, e);
	return r;
}

void stamp_release(struct stamp *s)
{
	if (!s)
		return;
	free(s->author);
	free(s->committer);
	s->author = NULL;
	s->committer = NULL;
}

static void print_message(const struct stamp *s, struct buf *out)
{
	const char *text = s->message;
	size_t n = text ? strlen(text) : 0;

	while (n > 0 &&
		(text[n - 1] == '\n' || text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	if (text)
		buf_add(out, text, n);
	else
		buf_addf(out, "%s %s", s->product, s->version);
	buf_adds(out, "\n\n");
}

/* INT64_MAX when not given. */
static int read_until(const struct stamp *s, int64_t *ret, struct error *e)
{
	const char *text = s->valid_until;
	size_t n = text ? strlen(text) : 0;
	uint64_t days;

	*ret = INT64_MAX;
	if (!text)
		return 0;
	if (n > 1 && text[n - 1] == 'd' && text_u64(text, n - 1, DAYS_MAX, &days))
		*ret = s->time + (int64_t)days * 86400;
	else if (!text_untime(text, n, ret))
		return err_set(e, E_USAGE,
			"--valid-until %.40s: neither days (90d) nor a time in UTC "
			"(2027-06-01T00:00:00Z)",
			text);
	if (*ret > s->time && *ret <= (int64_t)TIME_MAX)
		return 0;
	return err_set(e, E_USAGE,
		"--valid-until %.40s: not after the time of the commit, or past the year "
		"9999",
		text);
}

static void print_trailers(const struct stamp *s, const struct digest *manifest,
	uint64_t manifest_size, int64_t until, struct buf *out)
{
	char hex[DIGEST_HEX_MAX];
	char when[TEXT_TIME_MAX];

	digest_hex(manifest, hex);
	buf_addf(out,
		"Osupdate-Product: %s\nOsupdate-Version: %s\nOsupdate-Serial: %" PRIu64
		"\nOsupdate-Manifest: blake2b-256:%s %" PRIu64 "\n",
		s->product, s->version, s->serial, hex, manifest_size);
	if (s->n_channels > 0) {
		buf_adds(out, "Osupdate-Channel:");
		for (size_t i = 0; i < s->n_channels; i++)
			buf_addf(out, " %s", s->channels[i]);
		buf_adds(out, "\n");
	}
	if (until != INT64_MAX) {
		text_time(until, when);
		buf_addf(out, "Osupdate-Valid-Until: %s\n", when);
	}
}

int stamp_print(const struct stamp *s, const struct oid *tree, const struct oid *parent,
	const struct digest *manifest, uint64_t manifest_size, struct buf *ret,
	struct error *e)
{
	struct release_info info;
	char hex[OID_HEX_MAX];
	int64_t until;
	int r = read_until(s, &until, e);

	if (r < 0)
		return r;
	oid_hex(tree, hex);
	buf_addf(ret, "tree %s\n", hex);
	if (parent) {
		oid_hex(parent, hex);
		buf_addf(ret, "parent %s\n", hex);
	}
	buf_addf(ret, "author %s %" PRId64 " +0000\n", s->author, s->time);
	buf_addf(ret, "committer %s %" PRId64 " +0000\n\n", s->committer, s->time);
	print_message(s, ret);
	print_trailers(s, manifest, manifest_size, until, ret);
	r = release_read_payload(buf_bytes(ret), &info, e);
	if (r == 0 &&
		(strcmp(info.product, s->product) != 0 ||
			strcmp(info.version, s->version) != 0 ||
			info.serial != s->serial || info.n_channels != s->n_channels))
		r = err_set(e, E_USAGE, "options with line breaks");
	if (r == 0)
		return 0;
	if (e)
		e->code = E_USAGE; /* the words came from the command line */
	return err_prefix(e, E_USAGE, "devices would refuse this release");
}

void stamp_sign(struct bytes payload, struct bytes armor, struct buf *ret)
{
	const unsigned char *end = memmem(payload.data, payload.size, "\n\n", 2);
	size_t head = (size_t)(end - payload.data) + 1;

	buf_add(ret, payload.data, head);
	buf_adds(ret, "gpgsig ");
	for (size_t i = 0; i < armor.size; i++) {
		buf_add(ret, armor.data + i, 1);
		if (armor.data[i] == '\n')
			buf_adds(ret, " ");
	}
	buf_adds(ret, "\n");
	buf_add(ret, payload.data + head, payload.size - head);
}
