/* SPDX-License-Identifier: MIT */
/*
 * The record of a slot: see record.h; format: doc/formats.md#slot-record.  Written by
 * root into root's own directory; still read strictly, since a damaged record must
 * not pass for a sealed one.  Keys it does not know are skipped.
 */
#include "slot/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/text.h"
#include "slot/slot.h"

#define SLOTS_DIR     "slots"
#define RECORD_HEADER "osupdate-slot 1\n"
#define RECORD_MAX    4096

/* state/slots, made if it is missing. */
int slot_record_dir(int state_dirfd, int *ret_fd, struct error *e)
{
	int fd;

	if (mkdirat(state_dirfd, SLOTS_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "state directory: make %s", SLOTS_DIR);
	fd = openat(
		state_dirfd, SLOTS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "state directory: %s", SLOTS_DIR);
	*ret_fd = fd;
	return 0;
}

/* --- reading ---------------------------------------------------------------------- */

static bool parse_contents(const char *s, size_t n, enum slot_contents *ret)
{
	static const char *const names[] = {
		[SLOT_EMPTY] = "empty", [SLOT_DIRTY] = "dirty", [SLOT_SEALED] = "sealed"
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == n && memcmp(names[i], s, n) == 0) {
			*ret = (enum slot_contents)i;
			return true;
		}
	return false;
}

static bool parse_string(const char *s, size_t n, char *ret, size_t size)
{
	autobuf text = { 0 };

	if (!text_unescape(s, n, &text) || text.size >= size)
		return false;
	(void)snprintf(ret, size, "%s", text.data ? text.data : "");
	return strlen(ret) == text.size;
}

static bool parse_time(const char *s, size_t n, int64_t *ret)
{
	bool negative = n > 0 && s[0] == '-';
	uint64_t value;

	if (!text_u64(s + negative, n - negative, INT64_MAX, &value))
		return false;
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

/* One "key value" line; true also for a key of a later version. */
static bool parse_line(const char *s, size_t n, struct slot_record *rec)
{
	const char *space = memchr(s, ' ', n);
	size_t key = space ? (size_t)(space - s) : n;
	const char *value = space ? space + 1 : s + n;
	size_t size = space ? n - key - 1 : 0;

#define IS(name) (key == sizeof(name) - 1 && memcmp(s, name, key) == 0)
	if (IS("contents"))
		return parse_contents(value, size, &rec->contents);
	if (IS("identity"))
		return digest_parse(value, size, &rec->identity);
	if (IS("commit"))
		return oid_parse(value, size, &rec->commit);
	if (IS("serial"))
		return text_u64(value, size, UINT64_MAX, &rec->serial);
	if (IS("time"))
		return parse_time(value, size, &rec->time);
	if (IS("version"))
		return parse_string(value, size, rec->version, sizeof(rec->version));
	if (IS("manifest"))
		return digest_parse(value, size, &rec->manifest);
	if (IS("signed-by"))
		return parse_string(value, size, rec->signer, sizeof(rec->signer));
	if (IS("uuid"))
		return parse_string(value, size, rec->uuid, sizeof(rec->uuid));
#undef IS
	return true;
}

static bool parse(const struct buf *text, struct slot_record *rec)
{
	size_t head = sizeof(RECORD_HEADER) - 1;
	const char *end;

	if (text->size < head)
		return false;
	end = text->data + text->size;
	if (memcmp(text->data, RECORD_HEADER, head) != 0 || end[-1] != '\n')
		return false;
	for (const char *p = text->data + head; p < end;) {
		size_t n = (size_t)((const char *)memchr(p, '\n', (size_t)(end - p)) - p);

		if (!parse_line(p, n, rec))
			return false;
		p += n + 1;
	}
	return true;
}

int slot_record_load(
	int state_dirfd, const char *slot, struct slot_record *ret, struct error *e)
{
	struct slot_record rec = { .contents = SLOT_EMPTY };
	autofree char *path = xasprintf(SLOTS_DIR "/%s", slot);
	autobuf text = { 0 };
	int r = io_read_file_at(state_dirfd, path, RECORD_MAX, &text, e);

	if (r == E_NOTFOUND) {
		*ret = rec;
		return 0;
	}
	if (r < 0)
		return r;
	if (!parse(&text, &rec))
		return err_set(e, E_INPUT, "state directory: %s is damaged", path);
	*ret = rec;
	return 0;
}

/* --- writing ---------------------------------------------------------------------- */

const char *slot_contents_name(enum slot_contents c)
{
	switch (c) {
	case SLOT_EMPTY:
		return "empty";
	case SLOT_DIRTY:
		return "dirty";
	case SLOT_SEALED:
		return "sealed";
	}
	return "dirty"; /* not an enum slot_contents: the least that can be claimed */
}

static void print(const struct slot_record *rec, struct buf *out)
{
	char identity[DIGEST_HEX_MAX];
	char manifest[DIGEST_HEX_MAX];
	char commit[OID_HEX_MAX];

	digest_hex(&rec->identity, identity);
	digest_hex(&rec->manifest, manifest);
	oid_hex(&rec->commit, commit);
	buf_addf(out,
		RECORD_HEADER "contents %s\nidentity %s\ncommit %s\nserial %" PRIu64
			      "\ntime %" PRId64 "\nversion ",
		slot_contents_name(rec->contents), identity, commit, rec->serial,
		rec->time);
	text_escape(out, bytes_of(rec->version), true);
	buf_addf(out, "\nmanifest %s\nuuid %s\n", manifest, rec->uuid);
	if (rec->signer[0])
		buf_addf(out, "signed-by %s\n", rec->signer);
}

int slot_record_save(
	int state_dirfd, const char *slot, const struct slot_record *rec, struct error *e)
{
	autobuf text = { 0 };
	autofd dir = -1;
	int r = slot_record_dir(state_dirfd, &dir, e);

	if (r < 0)
		return r;
	print(rec, &text);
	r = io_replace_at(dir, slot, buf_bytes(&text), 0600, e);
	return r < 0 ? err_prefix(e, r, "state directory: %s/%s", SLOTS_DIR, slot) : 0;
}

void slot_record_from(struct slot_record *ret, const struct release *release)
{
	const struct release_info *info = release_info(release);

	ret->identity = info->identity;
	ret->commit = info->commit;
	ret->serial = info->serial;
	ret->time = info->time;
	ret->manifest = info->manifest;
	(void)snprintf(ret->version, sizeof(ret->version), "%s", info->version);
	(void)snprintf(ret->signer, sizeof(ret->signer), "%s", release_signer(release));
}
