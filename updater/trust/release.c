/* SPDX-License-Identifier: MIT */
/*
 * A verified release: see release.h.  The order in release_verify() is the point of
 * this file: signature, then whose key, and only then what the commit says.
 */
#include "trust/release.h"

#include <inttypes.h>

#include "base/text.h"
#include "trust/tag.h"

static const char proof_head[] = "osupdate-release 1\n";

struct release {
	struct release_info info;
	char *principal;
	char signer[SSHKEY_FINGERPRINT_MAX];
	struct buf raw; /* commit, then the tags, one after the other */
	struct bytes commit;
	struct bytes tags[RELEASE_TAGS_MAX];
	size_t n_tags;
};

static struct bytes part_of(const struct buf *raw, size_t at, size_t size)
{
	return (struct bytes){ (const unsigned char *)raw->data + at, size };
}

/* Keep what was verified, so that nobody can read one thing and keep another. */
static void keep_raw(
	struct release *r, struct bytes commit, const struct bytes *tags, size_t n_tags)
{
	size_t at = commit.size;

	buf_add(&r->raw, commit.data, commit.size);
	for (size_t i = 0; i < n_tags; i++)
		buf_add(&r->raw, tags[i].data, tags[i].size);
	r->commit = part_of(&r->raw, 0, commit.size);
	for (size_t i = 0; i < n_tags; i++) {
		r->tags[i] = part_of(&r->raw, at, tags[i].size);
		at += tags[i].size;
	}
	r->n_tags = n_tags;
}

static int check_limits(const struct bytes *tags, size_t n_tags, struct error *e)
{
	if (n_tags > RELEASE_TAGS_MAX)
		return err_set(e, E_UNTRUSTED, "more than %d tags", RELEASE_TAGS_MAX);
	for (size_t i = 0; i < n_tags; i++)
		if (tags[i].size > RELEASE_TAG_MAX)
			return err_set(
				e, E_UNTRUSTED, "a tag over %d bytes", RELEASE_TAG_MAX);
	return 0;
}

/* --- how many ---------------------------------------------------------------------- */

/* Those whose signatures count so far. */
struct count {
	struct sshkey keys[1 + RELEASE_TAGS_MAX];
	const char *principals[1 + RELEASE_TAGS_MAX];
	unsigned n;
};

/* Principals are lists, as in the signers file: is a name in both? */
static bool share_name(const char *a, const char *b)
{
	while (*a) {
		size_t n = strcspn(a, ",");

		for (const char *p = b; *p; p += strcspn(p, ","), p += *p == ',')
			if (strcspn(p, ",") == n && memcmp(p, a, n) == 0)
				return true;
		a += n;
		a += *a == ',';
	}
	return false;
}

/* False: somebody who counts already. */
static bool count_add(struct count *c, const struct sshkey *key, const char *principal)
{
	for (unsigned i = 0; i < c->n; i++)
		if (sshkey_equal(&c->keys[i], key) ||
			share_name(c->principals[i], principal))
			return false;
	c->keys[c->n] = *key;
	c->principals[c->n++] = principal;
	return true;
}

/* One tag that does not hold takes nothing from the others: anybody can add some. */
static int check_tags(struct count *c, const struct release *rel,
	const struct bytes *tags, size_t n_tags, const struct signers *signers,
	struct error *e)
{
	unsigned wanted = signers_threshold(signers);
	autobuf why = { 0 };

	for (size_t i = 0; i < n_tags && c->n < wanted; i++) {
		const char *principal;
		struct sshkey key;
		struct error bad = { 0 };

		if (tag_verify(tags[i], &rel->info, signers, &key, &principal, &bad) < 0)
			buf_addf(&why, "; %s", bad.text);
		else if (!count_add(c, &key, principal))
			buf_addf(&why, "; %s has signed already", principal);
	}
	if (c->n >= wanted)
		return 0;
	return err_set(e, E_UNTRUSTED,
		"%u of %u signatures (tags refs/tags/osupdate/%" PRIu64
		"/… are the others)%.*s",
		c->n, wanted, rel->info.serial, 200, why.size ? why.data : "");
}

/* --- the commit -------------------------------------------------------------------- */

/* The key that signed, known and not revoked; the payload is still unread. */
static int check_signature(struct bytes commit, const struct signers *signers,
	struct buf *ret_payload, struct sshkey *ret_key, struct error *e)
{
	autobuf armor = { 0 };
	int r;

	r = release_split_commit(commit, ret_payload, &armor, e);
	if (r < 0)
		return r;
	r = sshsig_verify(
		buf_bytes(&armor), buf_bytes(ret_payload), RELEASE_NAMESPACE, ret_key, e);
	if (r < 0)
		return r;
	return signers_know(signers, ret_key, e);
}

static int check_commit(struct bytes commit, const struct signers *signers,
	struct release *rel, struct count *ret_count, struct error *e)
{
	autobuf payload = { 0 };
	const char *principal;
	struct sshkey key;
	int r;

	r = check_signature(commit, signers, &payload, &key, e);
	if (r < 0)
		return r;
	r = release_read_payload(buf_bytes(&payload), &rel->info, e);
	if (r < 0)
		return r;
	r = signers_allow(
		signers, &key, RELEASE_NAMESPACE, rel->info.time, &principal, e);
	if (r < 0)
		return r;
	rel->principal = xstrdup(principal);
	sshkey_fingerprint(&key, rel->signer);
	(void)count_add(ret_count, &key, principal); /* the first */
	return 0;
}

int release_verify(struct bytes commit, const struct bytes *tags, size_t n_tags,
	const struct signers *signers, struct release **ret, struct error *e)
{
	autorelease rel = xcalloc(1, sizeof(*rel));
	struct oid id = oid_of("commit", commit);
	struct count count = { .n = 0 };
	char hex[OID_HEX_MAX];
	int r;

	r = check_limits(tags, n_tags, e);
	if (r == 0)
		r = check_commit(commit, signers, rel, &count, e);
	rel->info.commit = id;
	if (r == 0)
		r = check_tags(&count, rel, tags, n_tags, signers, e);
	if (r < 0) {
		/* A malformed signature is no signature: nothing to retry. */
		if (e)
			e->code = E_UNTRUSTED;
		oid_hex(&id, hex);
		return err_prefix(e, E_UNTRUSTED, "commit %.12s", hex);
	}
	keep_raw(rel, commit, tags, n_tags);
	*ret = take_ptr(&rel);
	return 0;
}

void release_free(struct release *r)
{
	if (!r)
		return;
	buf_release(&r->raw);
	free(r->principal);
	free(r);
}

const struct release_info *release_info(const struct release *r)
{
	return &r->info;
}

const char *release_principal(const struct release *r)
{
	return r->principal;
}

const char *release_signer(const struct release *r)
{
	return r->signer;
}

struct bytes release_commit(const struct release *r)
{
	return r->commit;
}

const struct bytes *release_tags(const struct release *r, size_t *ret_n)
{
	*ret_n = r->n_tags;
	return r->tags;
}

/* --- the proof -------------------------------------------------------------------- */

static void print_part(struct buf *out, const char *type, struct bytes raw)
{
	buf_addf(out, "%s %zu\n", type, raw.size);
	buf_add(out, raw.data, raw.size);
	buf_add(out, "\n", 1);
}

void release_print_proof(const struct release *r, struct buf *out)
{
	buf_adds(out, proof_head);
	print_part(out, "commit", r->commit);
	for (size_t i = 0; i < r->n_tags; i++)
		print_part(out, "tag", r->tags[i]);
}

/* type SP size LF raw LF */
static bool take_part(struct bytes *in, const char *type, size_t max, struct bytes *ret)
{
	const unsigned char *end;
	uint64_t size;

	if (!text_take(in, type) || !text_take(in, " "))
		return false;
	end = memchr(in->data, '\n', in->size);
	if (!end ||
		!text_u64((const char *)in->data, (size_t)(end - in->data), max, &size))
		return false;
	in->size -= (size_t)(end - in->data) + 1;
	in->data = end + 1;
	if (in->size < size)
		return false;
	*ret = (struct bytes){ in->data, (size_t)size };
	in->data += size;
	in->size -= (size_t)size;
	return text_take(in, "\n");
}

int release_split_proof(struct bytes proof, struct bytes *ret_commit,
	struct bytes ret_tags[RELEASE_TAGS_MAX], size_t *ret_n_tags, struct error *e)
{
	struct bytes tags[RELEASE_TAGS_MAX];
	struct bytes commit;
	size_t n = 0;

	if (!text_take(&proof, proof_head))
		return err_set(e, E_INPUT, "not a release's proof of version 1");
	if (!take_part(&proof, "commit", RELEASE_COMMIT_MAX, &commit))
		return err_set(e, E_INPUT, "release's proof without a whole commit");
	while (proof.size > 0) {
		if (n == RELEASE_TAGS_MAX)
			return err_set(e, E_INPUT,
				"release's proof with more than %d tags",
				RELEASE_TAGS_MAX);
		if (!take_part(&proof, "tag", RELEASE_TAG_MAX, &tags[n++]))
			return err_set(
				e, E_INPUT, "release's proof: tag %zu is malformed", n);
	}
	*ret_commit = commit;
	if (n > 0)
		memcpy(ret_tags, tags, n * sizeof(tags[0]));
	*ret_n_tags = n;
	return 0;
}
