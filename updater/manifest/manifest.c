/* SPDX-License-Identifier: MIT */
/*
 * The manifest reader: see manifest.h for the grammar.  It trusts nothing, keeps one
 * entry and the path before it, and refuses what the printer would not print.
 */
#include "manifest/manifest.h"

#include <inttypes.h>

#include "base/text.h"
#include "manifest/line.h"

#define ID_MAX	    UINT64_C(4294967294) /* 4294967295 means "no change" to chown(2) */
#define FIELDS	    8
#define XATTR_BYTES (1u << 20) /* of all values of one entry together */

/* Where an xattr lies in `arena` while it may still move. */
struct span {
	size_t name;
	size_t value;
	size_t size;
};

struct manifest_reader {
	struct bytes text;
	size_t at;	     /* of the next line */
	size_t begin;	     /* of the entry last returned */
	uint64_t begin_line; /* its line */
	uint64_t line;	     /* number of the line at `at`, from 1 */
	uint64_t entries;
	bool headed;
	struct buf path;
	struct buf before; /* path of the entry before */
	bool before_is_dir;
	struct buf target;
	struct buf arena;
	struct span spans[MANIFEST_XATTRS_MAX];
	struct xattr xattrs[MANIFEST_XATTRS_MAX];
	struct piece *pieces;
	size_t pieces_cap;
};

struct manifest_reader *manifest_reader_new(struct bytes manifest)
{
	struct manifest_reader *r = xcalloc(1, sizeof(*r));

	r->text = manifest;
	r->line = 1;
	return r;
}

void manifest_reader_free(struct manifest_reader *r)
{
	if (!r)
		return;
	buf_release(&r->path);
	buf_release(&r->before);
	buf_release(&r->target);
	buf_release(&r->arena);
	free(r->pieces);
	free(r);
}

uint64_t manifest_offset(const struct manifest_reader *r)
{
	return r->begin;
}

static int fault(const struct manifest_reader *r, struct error *e, const char *why)
{
	autobuf shown = { 0 };

	text_escape(&shown, buf_bytes(&r->path), false);
	return err_set(e, E_INPUT, "manifest line %" PRIu64 ": %.200s: %s", r->line,
		shown.size ? shown.data : "?", why);
}

/* The line at `at` without its newline; 1, 0 at the end, or E_INPUT. */
static int peek(const struct manifest_reader *r, struct bytes *ret, struct error *e)
{
	const unsigned char *start = r->text.data + r->at;
	size_t left = r->text.size - r->at;
	const unsigned char *end;

	if (left == 0)
		return 0;
	end = memchr(start, '\n', left < MANIFEST_LINE_MAX ? left : MANIFEST_LINE_MAX);
	if (!end)
		return fault(r, e, "line too long, or without its newline");
	*ret = (struct bytes){ start, (size_t)(end - start) };
	return 1;
}

static void advance(struct manifest_reader *r, struct bytes line)
{
	r->at += line.size + 1;
	r->line++;
}

static int read_head(struct manifest_reader *r, struct error *e)
{
	size_t n = strlen(MANIFEST_HEADER);

	r->headed = true;
	if (r->text.size > MANIFEST_SIZE_MAX)
		return err_set(e, E_INPUT, "manifest: larger than %" PRIu64 " bytes",
			MANIFEST_SIZE_MAX);
	if (r->text.size < n || memcmp(r->text.data, MANIFEST_HEADER, n) != 0)
		return err_set(
			e, E_INPUT, "manifest line 1: not \"osupdate-manifest 1\"");
	r->at = n;
	r->line = 2;
	return 0;
}

static bool type_of(struct field f, enum entry_type *ret)
{
	if (f.n != 1 || !strchr("fdlhcbp", f.s[0]))
		return false;
	*ret = (enum entry_type)f.s[0];
	return true;
}

/* mode uid gid mtime; of an h all are "-". */
static const char *read_inode(const struct field f[FIELDS], struct entry *ret)
{
	uint64_t uid;
	uint64_t gid;

	if (ret->type == ENTRY_HARD) {
		for (size_t i = 1; i < 6; i++)
			if (!field_is(f[i], "-"))
				return "a hard link has no fields of its own";
		return NULL;
	}
	if (!field_mode(f[1], &ret->mode))
		return "mode is not four octal digits";
	if (ret->type == ENTRY_LINK && ret->mode != 0777)
		return "mode of a symbolic link is not 0777";
	if (!field_u64(f[2], ID_MAX, &uid) || !field_u64(f[3], ID_MAX, &gid))
		return "bad uid or gid";
	if (!field_time(f[4], &ret->mtime))
		return "bad mtime";
	ret->uid = (uint32_t)uid;
	ret->gid = (uint32_t)gid;
	return NULL;
}

static const char *read_target(
	struct manifest_reader *r, struct field f, struct entry *ret)
{
	buf_reset(&r->target);
	if (!field_unescape(f, &r->target))
		return "bad escape in the target";
	if (r->target.size == 0 || r->target.size > MANIFEST_TARGET_MAX)
		return "bad length of the target";
	ret->target = r->target.data;
	return NULL;
}

static const char *read_reference(
	struct manifest_reader *r, const struct field f[FIELDS], struct entry *ret)
{
	if (ret->type != ENTRY_FILE && !field_is(f[5], "-"))
		return "only a file has a size";
	switch (ret->type) {
	case ENTRY_FILE:
		if (!field_u64(f[5], MANIFEST_FILE_MAX, &ret->size))
			return "bad size";
		return digest_parse(f[6].s, f[6].n, &ret->digest) ? NULL : "bad digest";
	case ENTRY_LINK:
	case ENTRY_HARD:
		return read_target(r, f[6], ret);
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		return field_device(f[6], &ret->major, &ret->minor) ? NULL
								    : "bad device number";
	case ENTRY_DIR:
	case ENTRY_FIFO:
		return field_is(f[6], "-") ? NULL : "reference where none belongs";
	}
	return "bad type";
}

static const char *read_path(struct manifest_reader *r, struct field f)
{
	buf_reset(&r->path);
	if (!field_unescape(f, &r->path))
		return "bad escape in the path";
	return path_fault(r->path.data ? r->path.data : "", r->path.size);
}

static const char *read_fields(
	struct manifest_reader *r, struct bytes line, struct entry *ret)
{
	const char *at = (const char *)line.data;
	const char *end = at + line.size;
	struct field f[FIELDS];
	const char *why;

	for (size_t i = 0; i < FIELDS; i++)
		if (!line_field(&at, end, &f[i]))
			return "too few fields";
	why = read_path(r, f[FIELDS - 1]);
	if (why)
		return why;
	if (at)
		return "too many fields";
	if (!type_of(f[0], &ret->type))
		return "unknown type";
	ret->path = r->path.data;
	why = read_inode(f, ret);
	return why ? why : read_reference(r, f, ret);
}

static const char *read_piece(
	struct manifest_reader *r, struct bytes line, struct entry *ret, uint64_t *left)
{
	const char *at = (const char *)line.data + 2;
	const char *end = (const char *)line.data + line.size;
	struct piece piece;
	struct field size;
	struct field digest;

	if (ret->type != ENTRY_FILE || ret->size <= MANIFEST_PIECE_MAX)
		return "only a file over 16 MiB has pieces";
	if (!line_field(&at, end, &size) || !line_field(&at, end, &digest) || at)
		return "malformed piece";
	if (!field_u64(size, MANIFEST_PIECE_MAX, &piece.size) || piece.size == 0 ||
		piece.size > *left)
		return "bad size of a piece";
	if (!digest_parse(digest.s, digest.n, &piece.digest))
		return "bad digest of a piece";
	*left -= piece.size;
	ARRAY_GROW(r->pieces, ret->n_pieces, r->pieces_cap);
	r->pieces[ret->n_pieces++] = piece;
	return NULL;
}

static const char *read_xattr(
	struct manifest_reader *r, struct bytes line, struct entry *ret)
{
	const char *at = (const char *)line.data + 2;
	const char *end = (const char *)line.data + line.size;
	struct span *span;
	struct field name;
	struct field value;
	const char *why;

	if (ret->type == ENTRY_HARD)
		return "a hard link has no attributes of its own";
	if (ret->n_xattrs == MANIFEST_XATTRS_MAX)
		return "too many attributes";
	if (!line_field(&at, end, &name) || !line_field(&at, end, &value) || at)
		return "malformed attribute";
	span = &r->spans[ret->n_xattrs];
	span->name = r->arena.size;
	if (!field_unescape(name, &r->arena))
		return "bad escape in the attribute's name";
	why = xattr_fault(r->arena.data + span->name);
	if (why)
		return why;
	if (ret->n_xattrs > 0 &&
		strcmp(r->arena.data + span[-1].name, r->arena.data + span->name) >= 0)
		return "attributes not sorted";
	buf_add(&r->arena, "", 1);
	span->value = r->arena.size;
	if (!field_value(value, &r->arena))
		return "bad value of an attribute";
	span->size = r->arena.size - span->value;
	if (r->arena.size > XATTR_BYTES)
		return "attributes too large";
	ret->n_xattrs++;
	return NULL;
}

static int read_more(struct manifest_reader *r, struct entry *ret, struct error *e)
{
	uint64_t left = ret->size;
	struct bytes line = { 0 };
	const char *why = NULL;
	int more;

	buf_reset(&r->arena);
	while ((more = peek(r, &line, e)) > 0 && line.size >= 2 && line.data[1] == ' ') {
		if (line.data[0] == '+')
			why = ret->n_xattrs ? "piece after an attribute"
					    : read_piece(r, line, ret, &left);
		else if (line.data[0] == '=')
			why = read_xattr(r, line, ret);
		else
			break;
		if (why)
			return fault(r, e, why);
		advance(r, line);
	}
	if (more < 0)
		return more;
	if (ret->type == ENTRY_FILE && ret->size > MANIFEST_PIECE_MAX && left != 0)
		return fault(r, e, "pieces do not add up to the size");
	for (size_t i = 0; i < ret->n_xattrs; i++) {
		r->xattrs[i].name = r->arena.data + r->spans[i].name;
		r->xattrs[i].value = (unsigned char *)r->arena.data + r->spans[i].value;
		r->xattrs[i].size = r->spans[i].size;
	}
	ret->xattrs = r->xattrs;
	ret->pieces = r->pieces;
	return 0;
}

/* Every ancestor of the entry before is a directory, and nothing else is above here. */
static bool has_parent(const struct manifest_reader *r)
{
	const char *slash = memrchr(r->path.data, '/', r->path.size);
	size_t n = slash ? (size_t)(slash - r->path.data) : 0;

	if (!slash)
		return true;
	if (r->before.size < n || memcmp(r->before.data, r->path.data, n) != 0)
		return false;
	return r->before.size == n ? r->before_is_dir : r->before.data[n] == '/';
}

static const char *check_place(const struct manifest_reader *r, const struct entry *entry)
{
	if (r->entries == 0)
		return entry->type == ENTRY_DIR && strcmp(entry->path, ".") == 0
			       ? NULL
			       : "the first entry is not the root directory \".\"";
	if (path_compare(r->before.data, entry->path) >= 0)
		return "out of order, or twice";
	if (!has_parent(r))
		return "its directory is not listed";
	if (path_is_reserved(entry->path))
		return "reserved for osupdate itself";
	if (entry->type == ENTRY_HARD && path_compare(entry->target, entry->path) >= 0)
		return "a hard link names a later path";
	return NULL;
}

static int read_entry(struct manifest_reader *r, struct entry *ret, struct error *e)
{
	struct bytes line = { 0 };
	const char *why;
	int more = peek(r, &line, e);

	if (more <= 0)
		return more;
	*ret = (struct entry){ 0 };
	r->begin = r->at;
	r->begin_line = r->line;
	why = read_fields(r, line, ret);
	if (why)
		return fault(r, e, why);
	advance(r, line);
	more = read_more(r, ret, e);
	return more < 0 ? more : 1;
}

int manifest_next(struct manifest_reader *r, struct entry *ret, struct error *e)
{
	struct buf swap;
	const char *why;
	int got = r->headed ? 0 : read_head(r, e);

	if (got < 0)
		return got;
	swap = r->before;
	r->before = r->path;
	r->path = swap;
	got = read_entry(r, ret, e);
	if (got < 0)
		return got;
	if (got == 0)
		return r->entries > 0 ? 0 : err_set(e, E_INPUT, "manifest: no entries");
	why = check_place(r, ret);
	if (!why && r->entries == MANIFEST_ENTRIES_MAX)
		why = "too many entries";
	if (why) {
		r->line = r->begin_line; /* not that of its last attribute */
		return fault(r, e, why);
	}
	r->entries++;
	r->before_is_dir = ret->type == ENTRY_DIR;
	return 1;
}

int manifest_at(
	struct manifest_reader *r, uint64_t offset, struct entry *ret, struct error *e)
{
	if (offset >= r->text.size)
		return err_set(e, E_INPUT, "manifest: offset beyond its end");
	r->at = (size_t)offset;
	return read_entry(r, ret, e) > 0 ? 0 : E_INPUT;
}

bool manifest_line(struct bytes manifest, size_t *at, struct bytes *ret)
{
	size_t left = manifest.size - *at;
	const unsigned char *start;
	const unsigned char *end;

	if (left == 0)
		return false; /* there may be none at all: NULL + 0 is undefined */
	start = manifest.data + *at;
	end = memchr(start, '\n', left);
	*ret = (struct bytes){ start, end ? (size_t)(end - start) : left };
	*at += ret->size + (end ? 1 : 0);
	return true;
}

int manifest_find(
	struct manifest_reader *r, const char *path, struct entry *ret, struct error *e)
{
	autobuf wanted = { 0 };
	size_t at = strlen(MANIFEST_HEADER); /* which ends as the line of a file "1" */

	/* The path is the last field of an entry's line. */
	buf_adds(&wanted, " ");
	path_print(path, &wanted);
	buf_adds(&wanted, "\n");
	for (;;) {
		const unsigned char *found = NULL;
		const unsigned char *line;

		if (at < r->text.size)
			found = memmem(r->text.data + at, r->text.size - at, wanted.data,
				wanted.size);
		if (!found)
			return 0;
		at = (size_t)(found - r->text.data) + 1;
		line = memrchr(r->text.data, '\n', (size_t)(found - r->text.data));
		line = line ? line + 1 : r->text.data;
		if (line[0] == '+' || line[0] == '=') /* of a file, not a file */
			continue;
		if (manifest_at(r, (uint64_t)(line - r->text.data), ret, e) < 0)
			return E_INPUT;
		if (strcmp(ret->path, path) == 0)
			return 1;
	}
}
