/* SPDX-License-Identifier: MIT */
/* The canonical form of a manifest entry: grammar in manifest.h. */
#include <inttypes.h>

#include "base/text.h"
#include "manifest/manifest.h"

/* Bytes <= 0x20, 0x7f and backslash become \ooo; everything else stays raw. */
void path_print(const char *s, struct buf *out)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= 0x20 || c == 0x7f || c == '\\')
			buf_addf(out, "\\%03o", c);
		else
			buf_add(out, s, 1);
	}
}

static void print_size_and_reference(const struct entry *entry, struct buf *out)
{
	char hex[DIGEST_HEX_MAX];

	switch (entry->type) {
	case ENTRY_FILE:
		digest_hex(&entry->digest, hex);
		buf_addf(out, "%" PRIu64 " %s ", entry->size, hex);
		break;
	case ENTRY_LINK:
	case ENTRY_HARD:
		buf_adds(out, "- ");
		path_print(entry->target, out);
		buf_adds(out, " ");
		break;
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		buf_addf(out, "- %u:%u ", entry->major, entry->minor);
		break;
	case ENTRY_DIR:
	case ENTRY_FIFO:
		buf_adds(out, "- - ");
		break;
	}
}

static void print_xattr(const struct xattr *x, struct buf *out)
{
	buf_adds(out, "= ");
	path_print(x->name, out);
	buf_adds(out, " ");
	if (x->size == 0)
		buf_adds(out, "-");
	else
		text_base64((struct bytes){ x->value, x->size }, out);
	buf_adds(out, "\n");
}

void entry_print(const struct entry *entry, struct buf *out)
{
	char hex[DIGEST_HEX_MAX];

	if (entry->type == ENTRY_HARD)
		buf_adds(out, "h - - - - ");
	else
		buf_addf(out, "%c %04o %u %u %" PRId64 ".%09ld ", (char)entry->type, entry->mode,
			entry->uid, entry->gid, (int64_t)entry->mtime.tv_sec,
			entry->mtime.tv_nsec);
	print_size_and_reference(entry, out);
	path_print(entry->path, out);
	buf_adds(out, "\n");
	for (size_t i = 0; i < entry->n_pieces; i++) {
		digest_hex(&entry->pieces[i].digest, hex);
		buf_addf(out, "+ %" PRIu64 " %s\n", entry->pieces[i].size, hex);
	}
	for (size_t i = 0; i < entry->n_xattrs; i++)
		print_xattr(&entry->xattrs[i], out);
}
