/* SPDX-License-Identifier: MIT */
/*
 * See tar-write.h.  Not libarchive's writer: it counts fractions of times before 1970
 * backwards, and converts names.
 */
#include "build/tar-write.h"

#include <inttypes.h>

#include "build/acl.h"

#define BLOCK	 512
#define OCTAL_7	 UINT64_C(07777777)	/* what a field of 8 holds */
#define OCTAL_11 UINT64_C(077777777777) /* what a field of 12 holds */

struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char chksum[8];
	char typeflag;
	char linkname[100];
	char magic[8]; /* "ustar\0" "00" */
	char uname[32];
	char gname[32];
	char devmajor[8];
	char devminor[8];
	char prefix[155];
	char pad[12];
};

static void put_octal(char *field, size_t size, uint64_t v)
{
	for (size_t i = size - 1; i-- > 0; v >>= 3)
		field[i] = (char)('0' + (v & 7));
	field[size - 1] = '\0';
}

static void put_text(char *field, size_t size, const char *s)
{
	size_t n = strnlen(s, size);

	memcpy(field, s, n);
}

/* The length counts itself. */
static void put_record(struct buf *out, const char *key, struct bytes value)
{
	size_t bare = 1 + strlen(key) + 1 + value.size + 1;
	size_t n = bare + 1;

	while (n != bare + (size_t)snprintf(NULL, 0, "%zu", n))
		n = bare + (size_t)snprintf(NULL, 0, "%zu", n);
	buf_addf(out, "%zu %s=", n, key);
	buf_add(out, value.data, value.size);
	buf_adds(out, "\n");
}

static void put_number(struct buf *out, const char *key, uint64_t v, uint64_t max)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	if (v > max)
		put_record(out, key, bytes_of(text));
}

/* Counted backwards again below zero: { -2, 500000000 } is "-1.5". */
static void put_time(struct buf *out, struct timespec t)
{
	bool negative = t.tv_sec < 0;
	uint64_t seconds = negative ? (uint64_t)-t.tv_sec : (uint64_t)t.tv_sec;
	long nano = t.tv_nsec;
	char text[48];

	if (!negative && nano == 0 && seconds <= OCTAL_11)
		return;
	if (negative && nano > 0) {
		seconds--;
		nano = 1000000000L - nano;
	}
	(void)snprintf(text, sizeof(text), "%s%" PRIu64 ".%09ld", negative ? "-" : "",
		seconds, nano);
	put_record(out, "mtime", bytes_of(text));
}

/* As GNU tar: '%' and '=' would end the keyword or look like an escape. */
static void put_xattr(struct buf *out, const struct xattr *x)
{
	autobuf key = { 0 };

	buf_adds(&key, "SCHILY.xattr.");
	for (const char *p = x->name; *p; p++) {
		if (*p == '%' || *p == '=')
			buf_addf(&key, "%%%02X", (unsigned char)*p);
		else
			buf_add(&key, p, 1);
	}
	put_record(out, key.data, (struct bytes){ x->value, x->size });
}

/* GNU tar restores ACLs from their text alone. */
static void put_acl(struct buf *out, const struct xattr *x)
{
	autobuf text = { 0 };
	const char *key = NULL;

	if (strcmp(x->name, "system.posix_acl_access") == 0)
		key = "SCHILY.acl.access";
	else if (strcmp(x->name, "system.posix_acl_default") == 0)
		key = "SCHILY.acl.default";
	if (key && acl_to_text((struct bytes){ x->value, x->size }, &text))
		put_record(out, key, buf_bytes(&text));
}

static void collect(const struct entry *entry, const char *path, struct buf *out)
{
	if (strlen(path) > sizeof(((struct ustar *)0)->name))
		put_record(out, "path", bytes_of(path));
	if (entry->target &&
		strlen(entry->target) > sizeof(((struct ustar *)0)->linkname))
		put_record(out, "linkpath", bytes_of(entry->target));
	if (entry->type == ENTRY_HARD)
		return;
	put_number(out, "uid", entry->uid, OCTAL_7);
	put_number(out, "gid", entry->gid, OCTAL_7);
	if (entry->type == ENTRY_FILE)
		put_number(out, "size", entry->size, OCTAL_11);
	put_time(out, entry->mtime);
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		put_xattr(out, &entry->xattrs[i]);
		put_acl(out, &entry->xattrs[i]);
	}
}

static void put_header(struct ustar *h, struct buf *out)
{
	unsigned sum = 0;

	memcpy(h->magic,
		"ustar\0"
		"00",
		sizeof(h->magic));
	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((const unsigned char *)h)[i];
	put_octal(h->chksum, 7, sum); /* six digits, NUL, blank */
	buf_add(out, h, sizeof(*h));
}

static char typeflag_of(enum entry_type type)
{
	switch (type) {
	case ENTRY_FILE:
		return '0';
	case ENTRY_HARD:
		return '1';
	case ENTRY_LINK:
		return '2';
	case ENTRY_CHAR:
		return '3';
	case ENTRY_BLOCK:
		return '4';
	case ENTRY_DIR:
		return '5';
	case ENTRY_FIFO:
		return '6';
	}
	return '0';
}

static void put_extended(const struct buf *records, struct buf *out)
{
	struct ustar h = { 0 };

	put_text(h.name, sizeof(h.name), "pax");
	put_octal(h.mode, sizeof(h.mode), 0644);
	put_octal(h.uid, sizeof(h.uid), 0);
	put_octal(h.gid, sizeof(h.gid), 0);
	put_octal(h.size, sizeof(h.size), records->size);
	put_octal(h.mtime, sizeof(h.mtime), 0);
	h.typeflag = 'x';
	put_header(&h, out);
	buf_add(out, records->data, records->size);
	tar_pad(records->size, out);
}

static uint64_t at_most(uint64_t v, uint64_t max)
{
	return v < max ? v : max;
}

void tar_header(const struct entry *entry, struct buf *out)
{
	bool root = strcmp(entry->path, ".") == 0;
	autofree char *path = entry->type == ENTRY_DIR ? xasprintf("%s/", entry->path)
						       : xstrdup(entry->path);
	const char *name = root ? "./" : path;
	int64_t seconds = entry->mtime.tv_sec;
	struct ustar h = { 0 };
	autobuf records = { 0 };

	collect(entry, name, &records);
	if (records.size > 0)
		put_extended(&records, out);
	put_text(h.name, sizeof(h.name), name);
	put_octal(h.mode, sizeof(h.mode), entry->mode);
	put_octal(h.uid, sizeof(h.uid), at_most(entry->uid, OCTAL_7));
	put_octal(h.gid, sizeof(h.gid), at_most(entry->gid, OCTAL_7));
	put_octal(h.size, sizeof(h.size),
		entry->type == ENTRY_FILE ? at_most(entry->size, OCTAL_11) : 0);
	put_octal(h.mtime, sizeof(h.mtime),
		seconds < 0 ? 0 : at_most((uint64_t)seconds, OCTAL_11));
	h.typeflag = typeflag_of(entry->type);
	if (entry->target)
		put_text(h.linkname, sizeof(h.linkname), entry->target);
	put_octal(h.devmajor, sizeof(h.devmajor), entry->major);
	put_octal(h.devminor, sizeof(h.devminor), entry->minor);
	put_header(&h, out);
}

void tar_pad(uint64_t size, struct buf *out)
{
	static const char zeros[BLOCK];

	buf_add(out, zeros, (size_t)(BLOCK - 1 - (size + BLOCK - 1) % BLOCK));
}

void tar_end(struct buf *out)
{
	static const char zeros[BLOCK];

	buf_add(out, zeros, BLOCK);
	buf_add(out, zeros, BLOCK);
}
