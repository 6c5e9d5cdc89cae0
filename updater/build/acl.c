/* SPDX-License-Identifier: MIT */
/* ACL text and raw ACLs: see acl.h. */
#include "build/acl.h"

#include <endian.h>
#include <stdint.h>

#include "base/text.h"

#define VERSION	    2
#define NO_ID	    UINT32_MAX
#define ENTRIES_MAX 4096
#define FIELDS	    4

enum tag {
	USER_OBJ = 0x01,
	USER = 0x02,
	GROUP_OBJ = 0x04,
	GROUP = 0x08,
	MASK = 0x10,
	OTHER = 0x20,
};

/* As the kernel has it; all little-endian. */
struct raw_entry {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

struct acl_entry {
	enum tag tag;
	unsigned perm;
	uint32_t id;
};

struct acl {
	struct acl_entry entries[ENTRIES_MAX];
	size_t n;
};

static struct bytes trim(struct bytes b)
{
	while (b.size && (b.data[0] == ' ' || b.data[0] == '\t')) {
		b.data++;
		b.size--;
	}
	while (b.size && (b.data[b.size - 1] == ' ' || b.data[b.size - 1] == '\t'))
		b.size--;
	return b;
}

static bool is(struct bytes b, const char *text)
{
	return b.size == strlen(text) && memcmp(b.data, text, b.size) == 0;
}

/* Up to a byte of `ends`, which is taken too. */
static struct bytes cut(struct bytes *in, const char *ends)
{
	size_t n = 0;
	struct bytes got;

	while (n < in->size && (in->data[n] == '\0' || !strchr(ends, in->data[n])))
		n++;
	got = (struct bytes){ in->data, n };
	n += n < in->size ? 1 : 0;
	in->data += n;
	in->size -= n;
	return got;
}

static bool parse_perm(struct bytes b, unsigned *ret)
{
	static const char letters[] = "rwx";
	unsigned perm = 0;

	if (b.size != 3)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (b.data[i] == (unsigned char)letters[i])
			perm |= 4u >> i;
		else if (b.data[i] != '-')
			return false;
	}
	*ret = perm;
	return true;
}

static bool parse_tag(struct bytes word, bool named, enum tag *ret)
{
	if (is(word, "user") || is(word, "u"))
		*ret = named ? USER : USER_OBJ;
	else if (is(word, "group") || is(word, "g"))
		*ret = named ? GROUP : GROUP_OBJ;
	else if (is(word, "mask") || is(word, "m"))
		*ret = MASK;
	else if (is(word, "other") || is(word, "o"))
		*ret = OTHER;
	else
		return false;
	return !named || *ret == USER || *ret == GROUP;
}

static bool parse_id(struct bytes b, uint32_t *ret)
{
	uint64_t id;

	if (!text_u64((const char *)b.data, b.size, NO_ID - 1, &id))
		return false;
	*ret = (uint32_t)id;
	return true;
}

static int bad(struct bytes text, const char *why, struct error *e)
{
	autobuf shown = { 0 };

	text_escape(&shown, text, false);
	return err_set(e, E_INPUT, "ACL entry \"%.100s\": %s",
		shown.data ? shown.data : "", why);
}

/* tag ":" [qualifier] ":" perm [":" id]; mask and other also without the qualifier. */
static int parse_entry(struct bytes text, struct acl_entry *ret, struct error *e)
{
	struct bytes field[FIELDS] = { 0 };
	struct bytes in = text;
	struct bytes perm;
	size_t n = 0;

	while (in.size > 0 && n < FIELDS)
		field[n++] = trim(cut(&in, ":"));
	if (in.size > 0 || n < 2)
		return bad(text, "not \"tag:qualifier:permissions\"", e);
	if (!parse_tag(field[0], n > 2 && field[1].size > 0, &ret->tag))
		return bad(text, "unknown tag", e);
	perm = n == 2 ? field[1] : field[2];
	if ((n == 2 && ret->tag != MASK && ret->tag != OTHER) ||
		!parse_perm(perm, &ret->perm))
		return bad(text, "malformed permissions", e);
	ret->id = NO_ID;
	if (ret->tag != USER && ret->tag != GROUP)
		return n < 4 ? 0 : bad(text, "an id where none belongs", e);
	if (parse_id(n == 4 ? field[3] : field[1], &ret->id))
		return 0;
	return bad(text, "a name without a number; make the tar with --numeric-owner", e);
}

static int by_place(const void *a, const void *b)
{
	const struct acl_entry *x = a;
	const struct acl_entry *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The kernel takes exactly this shape (posix_acl_valid): else chmod alone is left. */
static const char *shape_fault(const struct acl *acl)
{
	unsigned seen = 0;

	for (size_t i = 0; i < acl->n; i++) {
		const struct acl_entry *x = &acl->entries[i];

		if (i > 0 && by_place(x - 1, x) == 0)
			return "an entry stands twice";
		seen |= x->tag;
	}
	if ((seen & (USER_OBJ | GROUP_OBJ | OTHER)) != (USER_OBJ | GROUP_OBJ | OTHER))
		return "without user::, group:: or other::";
	if ((seen & (USER | GROUP)) && !(seen & MASK))
		return "named entries without mask::";
	return NULL;
}

static void print_raw(const struct acl *acl, struct buf *out)
{
	uint32_t version = htole32(VERSION);

	buf_add(out, &version, sizeof(version));
	for (size_t i = 0; i < acl->n; i++) {
		const struct acl_entry *x = &acl->entries[i];
		struct raw_entry raw = {
			.tag = htole16((uint16_t)x->tag),
			.perm = htole16((uint16_t)x->perm),
			.id = htole32(x->id),
		};

		buf_add(out, &raw, sizeof(raw));
	}
}

int acl_from_text(struct bytes text, bool access, struct buf *ret_raw, struct error *e)
{
	autofree struct acl *acl = xcalloc(1, sizeof(*acl));
	const char *why;

	while (text.size > 0) {
		struct bytes line = cut(&text, ",\n");
		struct bytes entry = trim(cut(&line, "#")); /* "#effective:r--" */
		int r;

		if (entry.size == 0)
			continue;
		if (acl->n == ENTRIES_MAX)
			return err_set(
				e, E_INPUT, "ACL with more than %d entries", ENTRIES_MAX);
		r = parse_entry(entry, &acl->entries[acl->n++], e);
		if (r < 0)
			return r;
	}
	if (acl->n == 0)
		return 0;
	qsort(acl->entries, acl->n, sizeof(acl->entries[0]), by_place);
	why = shape_fault(acl);
	if (why)
		return err_set(e, E_INPUT, "ACL: %s", why);
	if (!access || acl->n > 3)
		print_raw(acl, ret_raw);
	return 0;
}

static const char *word_of(enum tag tag)
{
	switch (tag) {
	case USER_OBJ:
	case USER:
		return "user";
	case GROUP_OBJ:
	case GROUP:
		return "group";
	case MASK:
		return "mask";
	case OTHER:
		return "other";
	}
	return NULL;
}

static bool print_text(struct raw_entry raw, struct buf *out)
{
	enum tag tag = (enum tag)le16toh(raw.tag);
	unsigned perm = le16toh(raw.perm);
	const char *word = word_of(tag);

	if (!word || perm > 7)
		return false;
	buf_addf(out, "%s:", word);
	if (tag == USER || tag == GROUP)
		buf_addf(out, "%u", le32toh(raw.id));
	buf_addf(out, ":%c%c%c", perm & 4 ? 'r' : '-', perm & 2 ? 'w' : '-',
		perm & 1 ? 'x' : '-');
	return true;
}

bool acl_to_text(struct bytes raw, struct buf *out)
{
	struct raw_entry entry;
	uint32_t version;
	size_t at = sizeof(version);

	if (raw.size < at || (raw.size - at) % sizeof(entry) != 0)
		return false;
	memcpy(&version, raw.data, sizeof(version));
	if (le32toh(version) != VERSION)
		return false;
	for (; at < raw.size; at += sizeof(entry)) {
		memcpy(&entry, raw.data + at, sizeof(entry));
		if (at > sizeof(version))
			buf_adds(out, ",");
		if (!print_text(entry, out))
			return false;
	}
	return true;
}
