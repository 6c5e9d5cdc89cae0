/* SPDX-License-Identifier: MIT */
/* One line, "<identity> <commit> all|streams|told": see doubt.h. */
#include "update/doubt.h"

#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define DOUBT_NAME "doubt"
#define DOUBT_MAX  256	 /* bytes */
#define DAY_S	   86400 /* seconds */

struct doubt {
	struct digest release; /* identity; zeros: of none */
	struct digest commit;  /* digest of a raw commit; zeros: of none */
	const char *word;      /* about what; NULL: there is no doubt */
};

static struct doubt load(int state_dirfd)
{
	static const char *const words[] = { "all", "streams", "told" };
	const size_t hex = (size_t)2 * DIGEST_SIZE;
	autobuf text = { 0 };
	struct doubt d = { 0 };

	if (io_read_file_at(state_dirfd, DOUBT_NAME, DOUBT_MAX, &text, NULL) < 0 ||
		text.size < 2 * (hex + 1) || !digest_parse(text.data, hex, &d.release) ||
		text.data[hex] != ' ' ||
		!digest_parse(text.data + hex + 1, hex, &d.commit))
		return (struct doubt){ 0 };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		autofree char *end = xasprintf(" %s\n", words[i]);

		if (strcmp(text.data + 2 * hex + 1, end) == 0)
			d.word = words[i];
	}
	return d.word ? d : (struct doubt){ 0 };
}

static void save(int state_dirfd, const struct doubt *d, const char *word)
{
	char release[DIGEST_HEX_MAX];
	char commit[DIGEST_HEX_MAX];
	autofree char *text = NULL;

	digest_hex(&d->release, release);
	digest_hex(&d->commit, commit);
	text = xasprintf("%s %s %s\n", release, commit, word);
	/* Without it things are as bad as they are. */
	(void)io_replace_at(state_dirfd, DOUBT_NAME, bytes_of(text), 0600, NULL);
}

void doubt_note(int state_dirfd, const struct digest *identity)
{
	struct doubt d = load(state_dirfd);
	bool same = d.word && digest_equal(&d.release, identity);

	if (d.word && strcmp(d.word, "all") == 0)
		return;
	d.release = *identity;
	save(state_dirfd, &d, same ? "streams" : "all");
}

void doubt_signatures(int state_dirfd, struct bytes commit)
{
	struct doubt d = load(state_dirfd);
	const struct digest of = digest_of(commit);

	if (d.word && strcmp(d.word, "all") == 0)
		return;
	/* Who waits for another signature would load all of it again and again. */
	if (d.word && digest_equal(&d.commit, &of) &&
		io_is_recent(state_dirfd, DOUBT_NAME, DAY_S))
		return;
	d.commit = of;
	save(state_dirfd, &d, "streams");
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
	struct doubt d = load(state_dirfd);

	return d.word && strcmp(d.word, "told") != 0 ? d.word : NULL;
}

void doubt_told(int state_dirfd)
{
	struct doubt d = load(state_dirfd);

	if (d.word)
		save(state_dirfd, &d, "told");
}

void doubt_clear(int state_dirfd)
{
	(void)unlinkat(state_dirfd, DOUBT_NAME, 0); /* most often there is none */
}
