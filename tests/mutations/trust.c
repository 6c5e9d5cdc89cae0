/* SPDX-License-Identifier: MIT */
/*
 * What a signature stands for: raw commits, signed tags, and the file of who may sign.
 *   commit.1 commit.2   two releases, signed by one of `signers`
 *   tag.1 tag.2         a second signature on each
 *   signers.2           the same keys, and two of them have to sign
 *   many revoked        allowed_signers with several keys, and revoked ones
 *   keys                the public keys that are asked for, one a line: those of `many`
 *                       and others
 */
#include "mutate.h"

#include "base/digest.h"
#include "base/text.h"
#include "trust/release.h"

#define NOW 1800000000

struct trust {
	struct buf commit[2];
	struct buf tag[2];
	struct signers *signers;
	struct signers *two;
};

static struct signers *signers_of(const char *file)
{
	struct signers *s = NULL;
	struct error e = { 0 };
	autobuf text = { 0 };

	load(file, &text);
	if (signers_parse(file, buf_bytes(&text), &s, &e) < 0)
		give_up("%s", e.text);
	return s;
}

/* --- commits ----------------------------------------------------------------------- */

/* Where the armor of a signed object begins and ends. */
static void find_armor(struct bytes in, size_t *from, size_t *to)
{
	static const char begin[] = "-----BEGIN SSH SIGNATURE-----";
	static const char end[] = "-----END SSH SIGNATURE-----";
	const unsigned char *a = memmem(in.data, in.size, begin, strlen(begin));
	const unsigned char *b = memmem(in.data, in.size, end, strlen(end));

	if (!a || !b)
		give_up("no signature to mutate");
	*from = (size_t)(a - in.data);
	*to = (size_t)(b - in.data) + strlen(end);
}

/* The base64 between the lines of an armor, each of which may have a blank before it. */
static void armor_blob(struct bytes armor, struct buf *ret)
{
	autobuf base64 = { 0 };
	struct bytes line;

	while (text_take_line(&armor, &line)) {
		(void)text_take(&line, " ");
		if (line.size > 0 && line.data[0] != '-')
			buf_add(&base64, line.data, line.size);
	}
	if (!text_unbase64(base64.data, base64.size, ret))
		give_up("the signature is not base64");
}

/* An armor as ssh-keygen would write it, of a blob that it did not make. */
static void mutate_blob(struct chance *c, struct bytes in, size_t from, size_t to,
	struct buf *out, struct buf *how)
{
	bool indented = from > 0 && in.data[from - 1] == ' ';
	const char *blank = indented ? " " : "";
	autobuf blob = { 0 };
	autobuf changed = { 0 };
	autobuf base64 = { 0 };

	armor_blob(bytes_part(in, from, to), &blob);
	buf_adds(how, "in the signature's blob: ");
	mutate(c, buf_bytes(&blob), (struct bytes){ 0 }, &changed, how);
	text_base64(buf_bytes(&changed), &base64);
	buf_add(out, in.data, from);
	buf_adds(out, "-----BEGIN SSH SIGNATURE-----\n");
	for (size_t at = 0; at < base64.size; at += 70)
		buf_addf(out, "%s%.70s\n", blank, base64.data + at);
	buf_addf(out, "%s-----END SSH SIGNATURE-----", blank);
	buf_add(out, in.data + to, in.size - to);
}

/* A signed object: anywhere, within its signature, or within what that encodes. */
static void mutate_signed(struct chance *c, struct bytes in, struct bytes other,
	struct buf *out, struct buf *how)
{
	size_t from;
	size_t to;

	find_armor(in, &from, &to);
	switch (chance_below(c, 4)) {
	case 0:
		mutate_blob(c, in, from, to, out, how);
		break;
	case 1:
		mutate_part(c, in, from, to, other, out, how);
		break;
	default:
		mutate(c, in, other, out, how);
	}
}

/* What is another release to the byte is that release, and no mutation. */
static bool is_either(const struct buf *two, struct bytes b)
{
	return bytes_same(b, buf_bytes(&two[0])) || bytes_same(b, buf_bytes(&two[1]));
}

static enum verdict try_commit(void *ctx, struct chance *c, struct buf *how)
{
	const struct trust *t = ctx;
	size_t which = chance_below(c, 2);
	struct error e = { 0 };
	autorelease rel = NULL;
	autobuf out = { 0 };

	mutate_signed(c, buf_bytes(&t->commit[which]), buf_bytes(&t->commit[1 - which]),
		&out, how);
	if (is_either(t->commit, buf_bytes(&out)))
		return HARMLESS;
	return release_verify(buf_bytes(&out), NULL, 0, t->signers, &rel, &e) == 0
		       ? ACCEPTED
		       : REFUSED;
}

static struct trust *trust_load(void)
{
	static struct trust t;
	struct error e = { 0 };

	if (t.signers)
		return &t;
	load("commit.1", &t.commit[0]);
	load("commit.2", &t.commit[1]);
	load("tag.1", &t.tag[0]);
	load("tag.2", &t.tag[1]);
	t.signers = signers_of("signers");
	t.two = signers_of("signers.2");
	for (size_t i = 0; i < 2; i++) {
		const struct bytes tag = buf_bytes(&t.tag[i]);
		autorelease one = NULL;
		autorelease two = NULL;
		autorelease too_few = NULL;

		if (release_verify(
			    buf_bytes(&t.commit[i]), NULL, 0, t.signers, &one, &e) < 0 ||
			release_verify(
				buf_bytes(&t.commit[i]), &tag, 1, t.two, &two, &e) < 0)
			give_up("release %zu as it was signed: %s", i + 1, e.text);
		if (release_verify(
			    buf_bytes(&t.commit[i]), NULL, 0, t.two, &too_few, NULL) == 0)
			give_up("one signature passes for two");
	}
	return &t;
}

const struct campaign *campaign_commits(void)
{
	static struct campaign k = { .name = "commits", .try = try_commit };

	k.ctx = trust_load();
	return &k;
}

/* --- tags -------------------------------------------------------------------------- */

static enum verdict try_tag(void *ctx, struct chance *c, struct buf *how)
{
	const struct trust *t = ctx;
	size_t which = chance_below(c, 2);
	struct error e = { 0 };
	autorelease rel = NULL;
	autobuf out = { 0 };
	struct bytes tag;

	mutate_signed(
		c, buf_bytes(&t->tag[which]), buf_bytes(&t->tag[1 - which]), &out, how);
	tag = buf_bytes(&out);
	if (bytes_same(tag, buf_bytes(&t->tag[which])))
		return HARMLESS;
	return release_verify(buf_bytes(&t->commit[which]), &tag, 1, t->two, &rel, &e) ==
			       0
		       ? ACCEPTED
		       : REFUSED;
}

const struct campaign *campaign_tags(void)
{
	static struct campaign k = { .name = "tags", .try = try_tag };

	k.ctx = trust_load();
	return &k;
}

/* --- who may sign ------------------------------------------------------------------ */

#define KEYS_MAX 32

struct ring {
	struct buf many;
	struct buf revoked;
	struct sshkey keys[KEYS_MAX];
	char *words[KEYS_MAX]; /* their base64 */
	size_t n;
	bool trusted[KEYS_MAX];
};

static bool may_sign(const struct signers *s, const struct sshkey *key)
{
	const char *principal = NULL;
	struct error e;

	return signers_allow(s, key, "git", NOW, &principal, &e) == 0;
}

/* NULL where either file is refused: then nobody is trusted at all. */
static struct signers *read_ring(struct bytes many, struct bytes revoked)
{
	autosigners s = NULL;
	struct error e = { 0 };

	if (signers_parse("many", many, &s, &e) < 0 ||
		signers_revoke(s, "revoked", revoked, &e) < 0)
		return NULL;
	return take_ptr(&s);
}

/* Does the base64 of a key stand, whole, on a line that is no comment? */
static bool stands_in(struct bytes text, const char *base64)
{
	struct bytes line;

	while (text_take_line(&text, &line)) {
		while (text_take(&line, " ") || text_take(&line, "\t"))
			;
		if (line.size > 0 && line.data[0] != '#' &&
			memmem(line.data, line.size, base64, strlen(base64)))
			return true;
	}
	return false;
}

/* The words of option and comment of a line may be others, and that is what the
 * administrator's file then says.  Keys are what they were, or nobody's. */
static enum verdict judge_ring(const struct ring *g, struct bytes many,
	struct bytes revoked, const struct signers *s, struct buf *how)
{
	bool same = true;

	for (size_t i = 0; i < g->n; i++) {
		bool now = may_sign(s, &g->keys[i]);
		bool given_up = revoked.data != (unsigned char *)g->revoked.data &&
				!stands_in(revoked, g->words[i]);
		bool options = many.data != (unsigned char *)g->many.data &&
			       stands_in(buf_bytes(&g->many), g->words[i]);

		if (now && !g->trusted[i] && !given_up && !options) {
			buf_addf(how, ": key %zu may sign", i);
			return ACCEPTED;
		}
		/* By the text alone, whatever was before. */
		if (now && (!stands_in(many, g->words[i]) ||
				   stands_in(revoked, g->words[i]))) {
			buf_addf(how, ": key %zu may sign without a line", i);
			return ACCEPTED;
		}
		same = same && now == g->trusted[i];
	}
	return same ? HARMLESS : REFUSED;
}

static enum verdict try_ring(void *ctx, struct chance *c, struct buf *how)
{
	const struct ring *g = ctx;
	struct bytes many = buf_bytes(&g->many);
	struct bytes revoked = buf_bytes(&g->revoked);
	bool first = chance_below(c, 3) > 0;
	autosigners s = NULL;
	autobuf out = { 0 };

	buf_adds(how, first ? "signers: " : "revoked: ");
	mutate(c, first ? many : revoked, first ? many : revoked, &out, how);
	if (first)
		many = buf_bytes(&out);
	else
		revoked = buf_bytes(&out);
	s = read_ring(many, revoked);
	return s ? judge_ring(g, many, revoked, s, how) : REFUSED;
}

static void take_key(struct ring *g, struct bytes line)
{
	const unsigned char *blank = memchr(line.data, ' ', line.size);
	autofree char *type = NULL;
	struct error e = { 0 };

	if (!blank || g->n == KEYS_MAX)
		give_up("keys: a line without a key, or too many");
	type = xstrndup((const char *)line.data, (size_t)(blank - line.data));
	line.size -= (size_t)(blank + 1 - line.data);
	line.data = blank + 1;
	g->words[g->n] = xstrndup((const char *)line.data, line.size);
	if (sshkey_parse_words(type, line, &g->keys[g->n], &e) < 0)
		give_up("keys: %s", e.text);
	g->n++;
}

const struct campaign *campaign_signers(void)
{
	static struct ring g;
	static struct campaign k = { .name = "signers", .try = try_ring, .ctx = &g };
	autosigners s = NULL;
	autobuf keys = { 0 };
	struct bytes text;
	struct bytes line;
	size_t trusted = 0;

	load("many", &g.many);
	load("revoked", &g.revoked);
	load("keys", &keys);
	text = buf_bytes(&keys);
	while (text_take_line(&text, &line))
		take_key(&g, line);
	s = read_ring(buf_bytes(&g.many), buf_bytes(&g.revoked));
	for (size_t i = 0; s && i < g.n; i++)
		trusted += g.trusted[i] = may_sign(s, &g.keys[i]);
	if (trusted < 2 || trusted + 2 > g.n)
		give_up("signers: %zu of %zu keys are trusted", trusted, g.n);
	return &k;
}
