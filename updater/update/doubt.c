/* SPDX-License-Identifier: MIT */
/* One line, "<identity> new|told": see doubt.h. */
#include "update/doubt.h"

#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"

#define DOUBT_NAME "doubt"
#define DOUBT_MAX  128 /* bytes */

static bool load(int state_dirfd, struct digest *ret, bool *ret_new)
{
	autobuf text = { 0 };
	struct bytes rest;

	if (io_read_file_at(state_dirfd, DOUBT_NAME, DOUBT_MAX, &text, NULL) < 0)
		return false;
	rest = buf_bytes(&text);
	if (rest.size < 2 * DIGEST_SIZE ||
		!digest_parse((const char *)rest.data, 2 * DIGEST_SIZE, ret))
		return false;
	rest.data += 2 * DIGEST_SIZE;
	rest.size -= 2 * DIGEST_SIZE;
	*ret_new = text_take(&rest, " new\n");
	return *ret_new || text_take(&rest, " told\n");
}

static void save(int state_dirfd, const struct digest *identity, bool new)
{
	char hex[DIGEST_HEX_MAX];
	autofree char *text = NULL;

	digest_hex(identity, hex);
	text = xasprintf("%s %s\n", hex, new ? "new" : "told");
	/* Without it things are as bad as they are. */
	(void)io_replace_at(state_dirfd, DOUBT_NAME, bytes_of(text), 0600, NULL);
}

void doubt_note(int state_dirfd, const struct digest *identity)
{
	struct digest known;
	bool new;

	if (!load(state_dirfd, &known, &new) || !digest_equal(&known, identity))
		save(state_dirfd, identity, true);
}

bool doubt_is_new(int state_dirfd)
{
	struct digest known;
	bool new;

	return load(state_dirfd, &known, &new) && new;
}

void doubt_told(int state_dirfd)
{
	struct digest known;
	bool new;

	if (load(state_dirfd, &known, &new) && new)
		save(state_dirfd, &known, false);
}

void doubt_clear(int state_dirfd)
{
	(void)unlinkat(state_dirfd, DOUBT_NAME, 0); /* most often there is none */
}
