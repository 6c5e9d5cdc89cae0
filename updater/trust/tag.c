/* SPDX-License-Identifier: MIT */
/*
 * Signed tags: see tag.h.  As for commits there is one spelling:
 *
 *   "object " commit LF "type commit" LF "tag osupdate/" serial "/" name LF
 *   "tagger " who LF LF message armor
 */
#include "trust/tag.h"

#include <inttypes.h>

#include "base/text.h"
#include "trust/trailers.h"

static const char armor_begin[] = "-----BEGIN SSH SIGNATURE-----\n";

/* Where the signature begins, at the beginning of a line; once.  Its last newline is
 * there, as git writes it: a signature has one spelling. */
static bool split(struct bytes tag, struct bytes *ret_payload, struct bytes *ret_armor)
{
	const size_t n = sizeof(armor_begin) - 1;
	const unsigned char *end = tag.data + tag.size;
	const unsigned char *found = NULL;
	const unsigned char *line = tag.data;

	while (line && (size_t)(end - line) >= n) {
		const unsigned char *newline = memchr(line, '\n', (size_t)(end - line));

		if (memcmp(line, armor_begin, n) == 0) {
			if (found)
				return false;
			found = line;
		}
		line = newline ? newline + 1 : NULL;
	}
	if (!found || end[-1] != '\n')
		return false;
	*ret_payload = (struct bytes){ tag.data, (size_t)(found - tag.data) };
	*ret_armor = (struct bytes){ found, (size_t)(end - found) };
	return true;
}

/* The rest of the line, of one byte at least. */
static bool take_rest(struct bytes *in)
{
	const unsigned char *end = in->size ? memchr(in->data, '\n', in->size) : NULL;

	if (!end || end == in->data)
		return false;
	in->size -= (size_t)(end - in->data) + 1;
	in->data = end + 1;
	return true;
}

/* `in` moves to the message. */
static int read_headers(
	struct bytes *in, const struct release_info *info, struct error *e)
{
	autofree char *name = xasprintf("tag osupdate/%" PRIu64 "/", info->serial);
	char hex[OID_HEX_MAX];

	oid_hex(&info->commit, hex);
	if (!text_take(in, "object ") || !text_take(in, hex) || !text_take(in, "\n"))
		return err_set(e, E_UNTRUSTED, "a tag of something else");
	if (!text_take(in, "type commit\n"))
		return err_set(e, E_UNTRUSTED, "a tag of no commit");
	if (!text_take(in, name) || !take_rest(in))
		return err_set(e, E_UNTRUSTED,
			"a tag that is not named osupdate/%" PRIu64 "/…", info->serial);
	if (!text_take(in, "tagger ") || !take_rest(in) || !text_take(in, "\n"))
		return err_set(
			e, E_UNTRUSTED, "a tag with other headers than git writes");
	return 0;
}

static bool same_channels(const struct release_info *a, const struct release_info *b)
{
	if (a->n_channels != b->n_channels)
		return false;
	for (size_t i = 0; i < a->n_channels; i++)
		if (strcmp(a->channels[i], b->channels[i]) != 0)
			return false;
	return true;
}

/* What the tag's message says, in the trailers that the commit has. */
static int compare(struct bytes message, const struct release_info *info, struct error *e)
{
	struct release_info said = { .valid_until = INT64_MAX };
	int r = trailers_read(message, &said, e);

	if (r < 0)
		return r;
	if (strcmp(said.product, info->product) != 0 ||
		strcmp(said.version, info->version) != 0 || said.serial != info->serial ||
		!digest_equal(&said.manifest, &info->manifest) ||
		said.manifest_size != info->manifest_size ||
		said.valid_until != info->valid_until || !same_channels(&said, info))
		return err_set(
			e, E_UNTRUSTED, "a tag with other trailers than the commit");
	return 0;
}

static int check_text(struct bytes tag, struct error *e)
{
	if (tag.size == 0 || tag.size > RELEASE_TAG_MAX ||
		memchr(tag.data, '\0', tag.size) || memchr(tag.data, '\r', tag.size) ||
		!text_is_utf8(tag))
		return err_set(e, E_UNTRUSTED, "a tag that is no text, or too large");
	return 0;
}

int tag_verify(struct bytes tag, const struct release_info *info,
	const struct signers *signers, struct sshkey *ret_key, const char **ret_principal,
	struct error *e)
{
	struct bytes payload = { 0 };
	struct bytes armor = { 0 };
	int r = check_text(tag, e);

	if (r == 0 && !split(tag, &payload, &armor))
		r = err_set(e, E_UNTRUSTED, "a tag that is not signed once, with SSH");
	if (r == 0)
		r = sshsig_verify(armor, payload, RELEASE_NAMESPACE, ret_key, e);
	if (r == 0)
		r = signers_know(signers, ret_key, e);
	if (r == 0)
		r = read_headers(&payload, info, e);
	if (r == 0)
		r = compare(payload, info, e);
	if (r == 0)
		r = signers_allow(signers, ret_key, RELEASE_NAMESPACE, info->time,
			ret_principal, e);
	return r;
}
