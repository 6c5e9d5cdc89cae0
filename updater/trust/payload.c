/* SPDX-License-Identifier: MIT */
/*
 * The commit of a release, as bytes: see release.h.  git takes many spellings of a
 * commit for the same signed thing, each with another id; here there is exactly one:
 * tree, parent*, author, committer, gpgsig, an empty line, the message.
 */
#include "trust/release.h"

#include "base/text.h"
#include "trust/excerpt.h"
#include "trust/trailers.h"

#define TIME_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

enum header { TREE, PARENT, AUTHOR, COMMITTER, GPGSIG, N_HEADERS };

static const char *const header_name[N_HEADERS] = {
	[TREE] = "tree",
	[PARENT] = "parent",
	[AUTHOR] = "author",
	[COMMITTER] = "committer",
	[GPGSIG] = "gpgsig",
};

/* Where the parts of a commit lie; borrowed from it. */
struct parts {
	struct bytes value[N_HEADERS]; /* of a header's last line, without its newline */
	struct bytes parents;	       /* all parent lines */
	struct bytes signature;	       /* the gpgsig header with its newlines */
	struct bytes message;
};

static bool take_line(struct bytes *in, struct bytes *ret)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): not with a size */
	const unsigned char *end = in->size ? memchr(in->data, '\n', in->size) : NULL;

	if (!end)
		return false;
	*ret = (struct bytes){ in->data, (size_t)(end - in->data) };
	in->data += ret->size + 1;
	in->size -= ret->size + 1;
	return true;
}

static int check_text(struct bytes b, struct error *e)
{
	if (b.size == 0)
		return err_set(e, E_UNTRUSTED, "empty commit");
	if (b.size > RELEASE_COMMIT_MAX)
		return err_set(
			e, E_UNTRUSTED, "commit over %d bytes", RELEASE_COMMIT_MAX);
	if (memchr(b.data, '\0', b.size))
		return err_set(e, E_UNTRUSTED, "commit with a NUL byte");
	if (memchr(b.data, '\r', b.size))
		return err_set(e, E_UNTRUSTED, "commit with a carriage return");
	if (!text_is_utf8(b))
		return err_set(e, E_UNTRUSTED, "commit is not UTF-8");
	return 0;
}

/* --- headers ---------------------------------------------------------------------- */

static int header_of(
	struct bytes line, enum header *ret, struct bytes *ret_value, struct error *e)
{
	const unsigned char *space = memchr(line.data, ' ', line.size);
	size_t n = space ? (size_t)(space - line.data) : line.size;
	autobuf shown = { 0 };

	if (n == 0)
		return err_set(e, E_UNTRUSTED, "folded commit header");
	for (unsigned i = 0; i < N_HEADERS; i++) {
		if (strlen(header_name[i]) != n ||
			memcmp(header_name[i], line.data, n) != 0)
			continue;
		if (!space)
			return err_set(e, E_UNTRUSTED,
				"commit header \"%s\" without a value", header_name[i]);
		*ret = (enum header)i;
		*ret_value = (struct bytes){ space + 1, line.size - n - 1 };
		return 0;
	}
	return err_set(e, E_UNTRUSTED, "commit header \"%s\" is not allowed in a release",
		excerpt((struct bytes){ line.data, n }, &shown));
}

/* `next`: what may come at the earliest. */
static int check_order(enum header h, enum header next, struct error *e)
{
	/* After tree and after a parent, `next` is PARENT, and AUTHOR fits as well. */
	if (h == next || (next == PARENT && h == AUTHOR))
		return 0;
	if (h < next)
		return err_set(e, E_UNTRUSTED, "commit header \"%s\" %s", header_name[h],
			h == PARENT ? "is out of place" : "stands twice");
	return err_set(e, E_UNTRUSTED, "commit header \"%s\" is missing before \"%s\"",
		header_name[next == PARENT ? AUTHOR : next], header_name[h]);
}

/* The lines of gpgsig after its first: each one space and something. */
static int skip_folded(struct bytes *in, struct error *e)
{
	struct bytes line;

	while (in->size > 0 && in->data[0] == ' ') {
		if (!take_line(in, &line))
			return err_set(e, E_UNTRUSTED, "commit ends in its signature");
		if (line.size == 1)
			return err_set(
				e, E_UNTRUSTED, "empty line in the commit's signature");
	}
	return 0;
}

static int parts_end(
	enum header next, struct bytes rest, struct parts *p, struct error *e)
{
	if (next < GPGSIG)
		return err_set(e, E_UNTRUSTED, "commit header \"%s\" is missing",
			header_name[next == PARENT ? AUTHOR : next]);
	p->message = rest;
	return 0;
}

/* Find the parts; names and their order are looked at, values are not. */
static int parts_find(struct bytes in, struct parts *ret, struct error *e)
{
	struct parts p = { 0 };
	enum header next = TREE;
	enum header h = TREE;
	struct bytes line;
	int r;

	while (take_line(&in, &line)) {
		if (line.size == 0) {
			*ret = p;
			return parts_end(next, in, ret, e);
		}
		r = header_of(line, &h, &line, e);
		if (r == 0)
			r = check_order(h, next, e);
		if (r < 0)
			return r;
		p.value[h] = line;
		next = h == TREE || h == PARENT ? PARENT : (enum header)(h + 1);
		if (h == TREE)
			p.parents.data = in.data;
		if (h == PARENT)
			p.parents.size = (size_t)(in.data - p.parents.data);
		if (h != GPGSIG)
			continue;
		p.signature.data = line.data - (strlen(header_name[GPGSIG]) + 1);
		r = skip_folded(&in, e);
		if (r < 0)
			return r;
		p.signature.size = (size_t)(in.data - p.signature.data);
	}
	return err_set(e, E_UNTRUSTED, "commit without a message");
}

int release_split_commit(struct bytes commit, struct buf *ret_payload,
	struct buf *ret_armor, struct error *e)
{
	struct parts p = { 0 };
	struct bytes sig;
	struct bytes line;
	const unsigned char *end;
	int r;

	r = check_text(commit, e);
	if (r < 0)
		return r;
	r = parts_find(commit, &p, e);
	if (r < 0)
		return r;
	sig = p.signature;
	if (sig.size == 0)
		return err_set(e, E_UNTRUSTED, "not signed");
	end = sig.data + sig.size;
	buf_add(ret_payload, commit.data, (size_t)(sig.data - commit.data));
	buf_add(ret_payload, end, (size_t)(commit.data + commit.size - end));
	buf_add(ret_armor, p.value[GPGSIG].data, p.value[GPGSIG].size);
	(void)take_line(&sig, &line);
	while (take_line(&sig, &line)) {
		buf_add(ret_armor, "\n", 1);
		buf_add(ret_armor, line.data + 1, line.size - 1);
	}
	return 0;
}

/* --- values ----------------------------------------------------------------------- */

static int read_oid(struct bytes v, enum header h, struct oid *ret, struct error *e)
{
	autobuf shown = { 0 };

	if (oid_parse((const char *)v.data, v.size, ret))
		return 0;
	return err_set(e, E_UNTRUSTED, "commit header \"%s\": \"%s\" is no object id",
		header_name[h], excerpt(v, &shown));
}

static bool is_zone(const char *s, size_t n)
{
	if (n != 5 || (s[0] != '+' && s[0] != '-'))
		return false;
	for (size_t i = 1; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return (s[1] < '2' || (s[1] == '2' && s[2] <= '3')) && s[3] <= '5';
}

/* Part of a name or an email; git takes these characters out of what it is given. */
static bool is_ident_text(const char *s, size_t n)
{
	return !memchr(s, '<', n) && !memchr(s, '>', n) &&
	       (n == 0 || (s[0] != ' ' && s[n - 1] != ' '));
}

/* "Name <email> seconds +hhmm", as git writes it; the email may be empty. */
static bool parse_ident(const char *s, size_t n, int64_t *ret_time)
{
	/* Every header was there. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
	const char *open = memchr(s, '<', n);
	const char *close = memchr(s, '>', n);
	const char *end = s + n;
	const char *zone;
	uint64_t seconds;

	if (!open || !close || close < open || open - s < 2 || open[-1] != ' ' ||
		!is_ident_text(s, (size_t)(open - s) - 1) ||
		!is_ident_text(open + 1, (size_t)(close - open) - 1))
		return false;
	if (end - close < 2 || close[1] != ' ')
		return false;
	zone = memchr(close + 2, ' ', (size_t)(end - close) - 2);
	if (!zone ||
		!text_u64(close + 2, (size_t)(zone - close) - 2, (uint64_t)TIME_MAX,
			&seconds) ||
		!is_zone(zone + 1, (size_t)(end - zone) - 1))
		return false;
	*ret_time = (int64_t)seconds;
	return true;
}

static int read_ident(
	const struct parts *p, enum header h, int64_t *ret_time, struct error *e)
{
	struct bytes v = p->value[h];
	autobuf shown = { 0 };

	if (parse_ident((const char *)v.data, v.size, ret_time))
		return 0;
	return err_set(e, E_UNTRUSTED,
		"commit header \"%s\": \"%s\" is not \"Name <email> seconds +hhmm\"",
		header_name[h], excerpt(v, &shown));
}

static int read_headers(const struct parts *p, struct release_info *info, struct error *e)
{
	struct bytes parents = p->parents;
	struct bytes line;
	struct oid ignored;
	int64_t author;
	int r;

	r = read_oid(p->value[TREE], TREE, &info->tree, e);
	while (r == 0 && take_line(&parents, &line)) {
		const size_t name = strlen("parent ");

		line.data += name;
		line.size -= name;
		r = read_oid(line, PARENT, &ignored, e);
	}
	if (r == 0)
		r = read_ident(p, AUTHOR, &author, e);
	return r < 0 ? r : read_ident(p, COMMITTER, &info->time, e);
}

int release_read_payload(struct bytes payload, struct release_info *ret, struct error *e)
{
	struct release_info info = { 0 };
	struct parts p = { 0 };
	int r;

	r = check_text(payload, e);
	if (r < 0)
		return r;
	r = parts_find(payload, &p, e);
	if (r < 0)
		return r;
	if (p.signature.size != 0)
		return err_set(
			e, E_UNTRUSTED, "commit with a signature where none belongs");
	r = read_headers(&p, &info, e);
	if (r < 0)
		return r;
	r = trailers_read(p.message, &info, e);
	if (r < 0)
		return r;
	info.identity = digest_of(payload);
	*ret = info;
	return 0;
}
