/* SPDX-License-Identifier: MIT */
/* One line, "<identity> all|streams|told": see doubt.h. */
#include "update/doubt.h"

#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"

#define DOUBT_NAME "doubt"
#define DOUBT_MAX  128	 /* bytes */
#define DAY_S	   86400 /* seconds */

/* The last word of the line, or NULL. */
static const char *load(int state_dirfd, struct digest *ret)
{
	static const char *const words[] = { "all", "streams", "told" };
	autobuf text = { 0 };

	if (io_read_file_at(state_dirfd, DOUBT_NAME, DOUBT_MAX, &text, NULL) < 0 ||
		text.size < 2 * DIGEST_SIZE ||
		!digest_parse(text.data, 2 * DIGEST_SIZE, ret))
		return NULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		autofree char *end = xasprintf(" %s\n", words[i]);

		if (strcmp(text.data + 2 * DIGEST_SIZE, end) == 0)
			return words[i];
	}
	return NULL;
}

static void save(int state_dirfd, const struct digest *identity, const char *word)
{
	char hex[DIGEST_HEX_MAX];
	autofree char *text = NULL;

	digest_hex(identity, hex);
	text = xasprintf("%s %s\n", hex, word);
	/* Without it things are as bad as they are. */
	(void)io_replace_at(state_dirfd, DOUBT_NAME, bytes_of(text), 0600, NULL);
}

void doubt_note(int state_dirfd, const struct digest *identity)
{
	struct digest known;
	const char *word = load(state_dirfd, &known);
	bool same = word && digest_equal(&known, identity);

	if (!word || strcmp(word, "all") != 0)
		save(state_dirfd, identity, same ? "streams" : "all");
}

void doubt_signatures(int state_dirfd, struct bytes commit)
{
	const struct digest of = digest_of(commit);
	struct digest known;
	const char *word = load(state_dirfd, &known);
	bool same = word && digest_equal(&known, &of);

	/* Who waits for another signature would load all of it again and again. */
	if ((!word || strcmp(word, "all") != 0) &&
		!(same && io_is_recent(state_dirfd, DOUBT_NAME, DAY_S)))
		save(state_dirfd, &of, "streams");
}

int doubt_error(
	int state_dirfd, const struct digest *identity, int r, const struct error *e)
{
	if (r == E_REMOTE && e && e->sys == ERR_UNSIGNED)
		doubt_note(state_dirfd, identity);
	return r;
}

const char *doubt_about(int state_dirfd)
{
	struct digest known;
	const char *word = load(state_dirfd, &known);

	return word && strcmp(word, "told") != 0 ? word : NULL;
}

void doubt_told(int state_dirfd)
{
	struct digest known;

	if (load(state_dirfd, &known))
		save(state_dirfd, &known, "told");
}

void doubt_clear(int state_dirfd)
{
	(void)unlinkat(state_dirfd, DOUBT_NAME, 0); /* most often there is none */
}
