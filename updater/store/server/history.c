/* SPDX-License-Identifier: MIT */
/* Releases of the store: see history.h. */
#include "store/server/history.h"

#include "base/text.h"
#include "store/server/commits.h"
#include "store/server/complete.h"
#include "store/server/held.h"

#define SCAN_MAX   100000 /* commits looked at for a serial or version */
#define SERIAL	   "Osupdate-Serial: "
#define VERSION	   "Osupdate-Version: "
#define TAG_OBJECT "object "

char *history_claimed(const char *message, const char *trailer)
{
	for (const char *line = message; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, trailer, strlen(trailer)) == 0) {
			line += strlen(trailer);
			return xstrndup(line, strcspn(line, "\n"));
		}
	}
	return NULL;
}

/* A commit or tag as it is, of a size root takes. */
static int read_raw(git_odb *odb, const git_oid *id, git_object_t type,
	git_odb_object **ret, struct error *e)
{
	char hex[GIT_OID_HEXSZ + 1];
	git_object_t real = GIT_OBJECT_INVALID;
	size_t size = 0;

	(void)git_oid_tostr(hex, sizeof(hex), id);
	if (git_odb_read_header(&size, &real, odb, id) < 0 || real != type)
		return err_set(e, E_NOTFOUND, "the store has no release %.12s", hex);
	if (size > FRAME_COMMIT_MAX)
		return err_set(e, E_REMOTE, "object %.12s has %zu bytes, more than %d",
			hex, size, FRAME_COMMIT_MAX);
	if (git_odb_read(ret, odb, id) < 0)
		return err_git(e, E_REMOTE, "object %.12s", hex);
	return 0;
}

static struct bytes raw_bytes(git_odb_object *object)
{
	return (struct bytes){ git_odb_object_data(object), git_odb_object_size(object) };
}

/* Does the tag object stand on `commit`?  Its first line says so. */
static bool tag_names(git_odb_object *tag, const git_oid *commit)
{
	char line[sizeof(TAG_OBJECT) + GIT_OID_HEXSZ];
	struct bytes raw = raw_bytes(tag);
	char hex[GIT_OID_HEXSZ + 1];

	(void)snprintf(line, sizeof(line), "%s%s", TAG_OBJECT,
		git_oid_tostr(hex, sizeof(hex), commit));
	return raw.size > strlen(line) && memcmp(raw.data, line, strlen(line)) == 0;
}

/* Tags that cannot be read are left out: root counts the signatures it gets. */
static int send_tags(struct session *ss, git_odb *odb, const git_oid *commit,
	const char *serial, struct error *e)
{
	autogit(git_reference_iterator) it = NULL;
	autofree char *glob = xasprintf("%s%s/*", REF_TAGS, serial);
	uint64_t number;
	int n = 0;

	if (!text_u64(serial, strlen(serial), UINT64_MAX, &number) ||
		git_reference_iterator_glob_new(&it, ss->repo, glob) < 0)
		return 0;
	while (n < FRAME_TAGS_MAX) {
		autogit(git_odb_object) tag = NULL;
		autogit(git_reference) ref = NULL;
		struct error ignored;
		int r;

		if (git_reference_next(&ref, it) != 0)
			break;
		if (!git_reference_target(ref) ||
			read_raw(odb, git_reference_target(ref), GIT_OBJECT_TAG, &tag,
				&ignored) < 0 ||
			!tag_names(tag, commit))
			continue;
		r = reply(ss, FRAME_TAG, raw_bytes(tag), e);
		if (r < 0)
			return r;
		n++;
	}
	return 0;
}

static int not_there(const char *selector, struct error *e)
{
	return err_set(e, E_NOTFOUND, "the store has no release %s", selector);
}

/* The newest commit that claims `value` for `trailer`. */
static int find_claim(struct session *ss, const git_oid *tip, const char *trailer,
	const char *value, git_oid *ret, struct error *e)
{
	autocommits all = { 0 };

	commits_list(ss->repo, tip, SCAN_MAX, &all);
	for (size_t i = 0; i < all.n; i++) {
		autogit(git_commit) commit = NULL;
		autofree char *claim = NULL;

		if (git_commit_lookup(&commit, ss->repo, &all.ids[i]) < 0)
			continue;
		claim = history_claimed(git_commit_message_raw(commit), trailer);
		if (claim && strcmp(claim, value) == 0) {
			*ret = all.ids[i];
			return 0;
		}
	}
	return err_set(
		e, E_NOTFOUND, "the store has no release with %s%s", trailer, value);
}

int history_find(struct session *ss, const git_oid *tip, const char *selector,
	git_oid *ret, struct error *e)
{
	const char *colon = strchr(selector, ':');
	const char *value = colon ? colon + 1 : "";
	size_t n = colon ? (size_t)(colon - selector) : 0;
	autofree char *ref = NULL;
	int r;

	if (n == 6 && memcmp(selector, "serial", n) == 0)
		return find_claim(ss, tip, SERIAL, value, ret, e);
	if (n == 7 && memcmp(selector, "version", n) == 0)
		return find_claim(ss, tip, VERSION, value, ret, e);
	if (n == 6 && memcmp(selector, "commit", n) == 0) {
		if (strlen(value) == GIT_OID_HEXSZ && git_oid_fromstr(ret, value) == 0)
			return 0;
		return err_set(e, E_USAGE, "%s is no commit id", value);
	}
	if (n != 7 || memcmp(selector, "channel", n) != 0)
		return err_set(e, E_USAGE, "%s selects nothing", selector);
	r = channel_ref(REF_CHANNELS, value, &ref, e);
	if (r == 0)
		r = ref_read(ss->repo, ref, ret, e);
	return r < 0 ? r : r > 0 ? 0 : not_there(selector, e);
}

/* What was not the tip of a fetch was never walked: do it before root relies on it. */
static int require_complete(struct session *ss, const git_oid *id, struct error *e)
{
	autofree char *missing = NULL;
	char hex[GIT_OID_HEXSZ + 1];
	autoheld held = { 0 };
	bool promised;
	int r;

	held_read(ss->repo, &held);
	promised = held_has(&held, id);
	if (promised && !damage_is_set())
		return 0;
	r = complete_check(ss, ss->repo, id,
		held.n > 0 && !damage_is_set() ? &held.ids[0] : NULL, &missing, e);
	if (r < 0 || !missing)
		return r;
	(void)git_oid_tostr(hex, sizeof(hex), id);
	if (!promised && held_is_shallow(ss->repo))
		return err_set(e, E_NOTFOUND,
			"the contents of %.12s are not in the store any more", hex);
	damage_set();
	return err_set(e, E_REMOTE,
		"release %.12s is incomplete in the store: %s is missing; a fetch may "
		"bring it",
		hex, missing);
}

int history_release(struct session *ss, const char *selector, struct error *e)
{
	autogit(git_odb) odb = NULL;
	autogit(git_odb_object) object = NULL;
	autogit(git_commit) commit = NULL;
	autofree char *serial = NULL;
	git_oid id;
	int r = history_find(ss, NULL, selector, &id, e);

	if (r < 0)
		return r;
	if (git_repository_odb(&odb, ss->repo) < 0)
		return err_git(e, E_SYSTEM, "store");
	r = read_raw(odb, &id, GIT_OBJECT_COMMIT, &object, e);
	if (r == 0)
		r = require_complete(ss, &id, e);
	if (r < 0)
		return r;
	r = reply(ss, FRAME_COMMIT, raw_bytes(object), e);
	if (r < 0 || git_commit_lookup(&commit, ss->repo, &id) < 0)
		return r;
	serial = history_claimed(git_commit_message_raw(commit), SERIAL);
	return serial ? send_tags(ss, odb, &id, serial, e) : 0;
}

int history_log(struct session *ss, uint32_t max, const char *channel, struct error *e)
{
	autogit(git_odb) odb = NULL;
	autofree char *ref = NULL;
	autocommits all = { 0 };
	git_oid id;
	int r = channel_ref(REF_CHANNELS, channel, &ref, e);

	if (r == 0)
		r = ref_read(ss->repo, ref, &id, e);
	if (r <= 0)
		return r < 0 ? r
			     : err_set(e, E_NOTFOUND, "channel %s was never fetched",
				       channel);
	if (git_repository_odb(&odb, ss->repo) < 0)
		return err_git(e, E_SYSTEM, "store");
	commits_list(ss->repo, &id, max, &all);
	r = 0;
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		autogit(git_odb_object) object = NULL;

		r = read_raw(odb, &all.ids[i], GIT_OBJECT_COMMIT, &object, e);
		if (r == 0)
			r = reply(ss, FRAME_COMMIT, raw_bytes(object), e);
	}
	return r;
}
