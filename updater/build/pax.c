/* SPDX-License-Identifier: MIT */
/* Records "length keyword=value\n": see pax.h. */
#include "build/pax.h"

#include "base/text.h"
#include "build/acl.h"

#define SECONDS_MAX (UINT64_C(1) << 53)
#define NANO	    1000000000L

void pax_release(struct pax *p)
{
	if (!p)
		return;
	free(p->path);
	free(p->sparse_path);
	free(p->link);
	inode_release(&p->attributes);
	buf_release(&p->acl_access);
	buf_release(&p->acl_default);
	buf_release(&p->selinux);
	*p = (struct pax){ 0 };
}

bool pax_time(struct bytes text, struct timespec *ret)
{
	bool negative = text.size > 0 && text.data[0] == '-';
	const char *at = (const char *)text.data + (negative ? 1 : 0);
	size_t left = text.size - (negative ? 1 : 0);
	const char *dot = left ? memchr(at, '.', left) : NULL;
	size_t whole = dot ? (size_t)(dot - at) : left;
	bool rest = false;
	uint64_t seconds = 0;
	long nano = 0;
	long unit = NANO / 10;

	/* GNU tar writes ".5" for no time at all; zeros in front are harmless. */
	while (whole > 1 && *at == '0') {
		at++;
		whole--;
	}
	if (!text_u64(at, whole, SECONDS_MAX, &seconds))
		return false;
	for (size_t i = whole + 1; dot && at + i < (const char *)text.data + text.size;
		i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		nano += (at[i] - '0') * unit;
		rest |= unit == 0 && at[i] != '0';
		unit /= 10;
	}
	ret->tv_sec = negative ? -(time_t)seconds : (time_t)seconds;
	ret->tv_nsec = nano;
	if (negative && (nano > 0 || rest)) {
		nano += rest ? 1 : 0; /* towards the past, as for any fraction */
		ret->tv_sec -= 1;
		ret->tv_nsec = NANO - nano;
	}
	return true;
}

/* --- records ---------------------------------------------------------------------- */

struct record {
	struct bytes key;
	struct bytes value;
};

/* 1 and *ret, 0 at the end, or E_INPUT. */
static int next_record(struct bytes *in, struct record *ret, struct error *e)
{
	const unsigned char *space;
	const unsigned char *equals;
	const unsigned char *end;
	uint64_t size;

	if (in->size == 0)
		return 0;
	space = memchr(in->data, ' ', in->size);
	if (!space ||
		!text_u64((const char *)in->data, (size_t)(space - in->data), in->size,
			&size) ||
		size < (size_t)(space - in->data) + 3)
		return err_set(e, E_INPUT, "malformed extended header in the tar");
	end = in->data + size - 1;
	equals = memchr(space + 1, '=', (size_t)(end - space) - 1);
	if (*end != '\n' || !equals)
		return err_set(e, E_INPUT, "malformed extended header in the tar");
	ret->key = (struct bytes){ space + 1, (size_t)(equals - space) - 1 };
	ret->value = (struct bytes){ equals + 1, (size_t)(end - equals) - 1 };
	in->data += size;
	in->size -= size;
	return 1;
}

static bool is(struct bytes key, const char *text)
{
	return key.size == strlen(text) && memcmp(key.data, text, key.size) == 0;
}

/* Take `text` off the front of the key. */
static bool strip(struct bytes *key, const char *text)
{
	size_t n = strlen(text);

	if (key->size <= n || memcmp(key->data, text, n) != 0)
		return false;
	key->data += n;
	key->size -= n;
	return true;
}

static int set_text(char **place, struct bytes value, struct error *e)
{
	if (value.size && memchr(value.data, '\0', value.size))
		return err_set(e, E_INPUT, "a name with a NUL byte in the tar");
	free(*place);
	*place = xstrndup((const char *)value.data, value.size);
	return 0;
}

static int set_buf(struct buf *place, struct bytes value)
{
	buf_reset(place);
	buf_add(place, value.data, value.size);
	return 0;
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX; GNU tar escapes '%' and '=' alone, libarchive everything unusual. */
static void unescape(struct bytes name, bool only_gnu, struct buf *out)
{
	for (size_t i = 0; i < name.size; i++) {
		unsigned char c = name.data[i];

		if (c == '%' && name.size - i > 2 && hex_digit(name.data[i + 1]) >= 0 &&
			hex_digit(name.data[i + 2]) >= 0) {
			unsigned char got =
				(unsigned char)(hex_digit(name.data[i + 1]) * 16 +
						hex_digit(name.data[i + 2]));

			if (!only_gnu || got == '%' || got == '=') {
				c = got;
				i += 2;
			}
		}
		buf_add(out, &c, 1);
	}
}

static int add_xattr(
	struct pax *p, struct bytes name, bool gnu, struct bytes value, struct error *e)
{
	autobuf text = { 0 };

	unescape(name, gnu, &text);
	if (text.size && memchr(text.data, '\0', text.size))
		return err_set(
			e, E_INPUT, "an attribute's name with a NUL byte in the tar");
	/* libarchive writes both forms of one attribute. */
	for (size_t i = 0; i < p->attributes.n_xattrs; i++) {
		const struct xattr *x = &p->attributes.xattrs[i];

		if (strcmp(x->name, text.data ? text.data : "") == 0 &&
			x->size == value.size &&
			(value.size == 0 ||
				memcmp(x->value, value.data, value.size) == 0))
			return 0;
	}
	return inode_xattr(&p->attributes, text.data, value, e);
}

/* Base64 without padding is what libarchive writes. */
static int add_base64(
	struct pax *p, struct bytes name, struct bytes value, struct error *e)
{
	autobuf padded = { 0 };
	autobuf raw = { 0 };

	while (value.size > 0 && value.data[value.size - 1] == '=')
		value.size--;
	buf_add(&padded, value.data, value.size);
	while (padded.size % 4 != 0)
		buf_adds(&padded, "=");
	if (padded.size > 0 && !text_unbase64(padded.data, padded.size, &raw))
		return err_set(e, E_INPUT, "LIBARCHIVE.xattr: malformed base64");
	return add_xattr(p, name, false, buf_bytes(&raw), e);
}

static int take(struct record rec, struct pax *p, struct error *e)
{
	autobuf shown = { 0 };

	if (is(rec.key, "path"))
		return set_text(&p->path, rec.value, e);
	if (is(rec.key, "GNU.sparse.name"))
		return set_text(&p->sparse_path, rec.value, e);
	if (is(rec.key, "linkpath"))
		return set_text(&p->link, rec.value, e);
	if (is(rec.key, "SCHILY.acl.access"))
		return set_buf(&p->acl_access, rec.value);
	if (is(rec.key, "SCHILY.acl.default"))
		return set_buf(&p->acl_default, rec.value);
	if (is(rec.key, "RHT.security.selinux"))
		return set_buf(&p->selinux, rec.value);
	if (is(rec.key, "SCHILY.acl.ace"))
		return err_set(
			e, E_INPUT, "an NFSv4 ACL, which is not part of a release");
	if (strip(&rec.key, "SCHILY.xattr."))
		return add_xattr(p, rec.key, true, rec.value, e);
	if (strip(&rec.key, "LIBARCHIVE.xattr."))
		return add_base64(p, rec.key, rec.value, e);
	if (!is(rec.key, "mtime"))
		return 0;
	p->has_mtime = pax_time(rec.value, &p->mtime);
	if (p->has_mtime)
		return 0;
	text_escape(&shown, rec.value, false);
	return err_set(e, E_INPUT, "malformed time \"%.60s\" in the tar",
		shown.data ? shown.data : "");
}

int pax_read(struct bytes records, struct pax *p, struct error *e)
{
	struct record rec = { 0 };
	int got;

	while ((got = next_record(&records, &rec, e)) > 0) {
		int r = take(rec, p, e);

		if (r < 0)
			return r;
	}
	return got;
}

int pax_check_global(struct bytes records, struct error *e)
{
	struct record rec = { 0 };
	int got;

	while ((got = next_record(&records, &rec, e)) > 0) {
		autobuf shown = { 0 };

		if (is(rec.key, "comment"))
			continue;
		text_escape(&shown, rec.key, false);
		return err_set(e, E_INPUT,
			"the tar sets \"%.60s\" for all entries, which is not supported",
			shown.data);
	}
	return got;
}

/* --- attributes ------------------------------------------------------------------- */

static bool has_xattr(const struct inode *inode, const char *name)
{
	for (size_t i = 0; i < inode->n_xattrs; i++)
		if (strcmp(inode->xattrs[i].name, name) == 0)
			return true;
	return false;
}

static int apply_acl(
	const struct buf *text, bool access, struct inode *inode, struct error *e)
{
	const char *name =
		access ? "system.posix_acl_access" : "system.posix_acl_default";
	autobuf raw = { 0 };
	int r;

	if (text->size == 0 || has_xattr(inode, name))
		return 0;
	r = acl_from_text(buf_bytes(text), access, &raw, e);
	return r < 0 || raw.size == 0 ? r : inode_xattr(inode, name, buf_bytes(&raw), e);
}

int pax_apply(struct pax *p, struct inode *inode, struct error *e)
{
	int r;

	inode->xattrs = p->attributes.xattrs;
	inode->n_xattrs = p->attributes.n_xattrs;
	p->attributes = (struct inode){ 0 };
	r = apply_acl(&p->acl_access, true, inode, e);
	if (r == 0)
		r = apply_acl(&p->acl_default, false, inode, e);
	if (r < 0 || p->selinux.size == 0 || has_xattr(inode, "security.selinux"))
		return r;
	/* GNU tar leaves out the NUL that libselinux keeps in the attribute. */
	if (p->selinux.data[p->selinux.size - 1] != '\0')
		buf_add(&p->selinux, "", 1);
	return inode_xattr(inode, "security.selinux", buf_bytes(&p->selinux), e);
}
