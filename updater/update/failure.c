/* SPDX-License-Identifier: MIT */
/* The record of a failed trial: see failure.h.  Finding the cause is evidence.c. */
#include "update/failure.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/io.h"
#include "base/text.h"
#include "update/state-text.h"

#define FAILURE_NAME	 "failure"
#define FAILURE_HEADER	 "osupdate-failure 1\n"
#define FAILURE_FILE_MAX (FAILURE_LOG_MAX * 4 + 4096)

static const char *const kinds[FAILURE_KIND_COUNT] = {
	[FAILURE_PANIC] = "panic",
	[FAILURE_HEALTH] = "health",
	[FAILURE_TIMEOUT] = "timeout",
	[FAILURE_RESET] = "reset",
	[FAILURE_NOT_REACHED] = "not-reached",
};

const char *failure_kind_name(enum failure_kind kind)
{
	return kind < FAILURE_KIND_COUNT ? kinds[kind] : "unknown";
}

void failure_release(struct failure *f)
{
	buf_release(&f->log);
}

void failure_add_log(struct failure *f, struct bytes foreign)
{
	const char *p = (const char *)foreign.data;
	size_t left = foreign.size;

	while (left > 0) {
		const char *end = memchr(p, '\n', left);
		size_t n = end ? (size_t)(end - p) : left;

		text_escape(
			&f->log, (struct bytes){ (const unsigned char *)p, n }, false);
		buf_adds(&f->log, "\n");
		n += end != NULL;
		p += n;
		left -= n;
	}
	while (f->log.size > FAILURE_LOG_MAX) {
		char *end = memchr(f->log.data, '\n', f->log.size);
		size_t n = (size_t)(end - f->log.data) + 1;

		memmove(f->log.data, f->log.data + n, f->log.size - n + 1);
		f->log.size -= n;
	}
}

void failure_save(int state_dirfd, const struct failure *f)
{
	char when[TEXT_TIME_MAX];
	char commit[OID_HEX_MAX];
	autobuf out = { 0 };
	struct error why;

	text_time(f->time, when);
	oid_hex(&f->release.commit, commit);
	buf_addf(&out,
		FAILURE_HEADER "time %s\nkind %s\nslot %s\nserial %" PRIu64
			       "\ncommit %s\nversion ",
		when, failure_kind_name(f->kind), f->slot, f->release.serial, commit);
	text_escape(&out, bytes_of(f->release.version), false);
	buf_addf(&out, "\ntext %s\n", f->text);
	for (const char *p = f->log.data; p && *p; p = strchr(p, '\n') + 1)
		buf_addf(&out, "log %.*s\n", (int)strcspn(p, "\n"), p);
	(void)io_replace_at(state_dirfd, FAILURE_NAME, buf_bytes(&out), 0600, &why);
}

static enum failure_kind kind_by_name(const char *name)
{
	int kind = 0;

	while (kind < FAILURE_KIND_COUNT && strcmp(kinds[kind], name) != 0)
		kind++;
	return (enum failure_kind)kind;
}

/* "key value": false for what is not understood. */
static bool take(struct failure *f, const char *key, const char *value)
{
	size_t n = strlen(value);
	autobuf version = { 0 };

	if (strcmp(key, "time") == 0)
		return text_untime(value, n, &f->time);
	if (strcmp(key, "kind") == 0)
		f->kind = kind_by_name(value);
	else if (strcmp(key, "slot") == 0)
		(void)snprintf(f->slot, sizeof(f->slot), "%s", value);
	else if (strcmp(key, "serial") == 0)
		return text_u64(value, n, UINT64_MAX, &f->release.serial);
	else if (strcmp(key, "commit") == 0)
		return oid_parse(value, n, &f->release.commit);
	else if (strcmp(key, "version") == 0 && text_unescape(value, n, &version))
		(void)snprintf(f->release.version, sizeof(f->release.version), "%s",
			version.data ? version.data : "");
	else if (strcmp(key, "text") == 0)
		state_text_set(f->text, value);
	else if (strcmp(key, "log") == 0)
		buf_addf(&f->log, "%s\n", value);
	return true; /* a newer version's lines do no harm */
}

int failure_load(int state_dirfd, struct failure *ret, struct error *e)
{
	autofailure f = { .kind = FAILURE_KIND_COUNT };
	autobuf text = { 0 };
	int r = io_read_file_at(state_dirfd, FAILURE_NAME, FAILURE_FILE_MAX, &text, e);

	if (r < 0)
		return r;
	if (strncmp(text.data ? text.data : "", FAILURE_HEADER,
		    sizeof(FAILURE_HEADER) - 1) != 0)
		return err_set(e, E_NOTFOUND, "%s: not readable", FAILURE_NAME);
	for (char *p = text.data + sizeof(FAILURE_HEADER) - 1; *p;) {
		char *end = p + strcspn(p, "\n");
		char *space = memchr(p, ' ', (size_t)(end - p));
		bool more = *end != '\0';

		*end = '\0';
		if (space)
			*space = '\0';
		if (!take(&f, p, space ? space + 1 : ""))
			return err_set(e, E_NOTFOUND, "%s: not readable", FAILURE_NAME);
		p = end + more;
	}
	*ret = f;
	f = (struct failure){ 0 };
	return 0;
}
