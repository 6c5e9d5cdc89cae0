/* SPDX-License-Identifier: MIT */
/*
 * A verified release.  `struct release` exists only if a trusted key signed the
 * commit: nothing else in the program makes one.  Format: doc/formats.md#release.
 */
#ifndef TRUST_RELEASE_H
#define TRUST_RELEASE_H

#include <stdint.h>

#include "base/digest.h"
#include "trust/signers.h"

#define RELEASE_COMMIT_MAX   65536 /* bytes of a raw commit object, without its header */
#define RELEASE_TAG_MAX	     65536
#define RELEASE_TAGS_MAX     64
#define RELEASE_PRODUCT_MAX  128
#define RELEASE_VERSION_MAX  128
#define RELEASE_CHANNELS_MAX 32
#define RELEASE_CHANNEL_MAX  128

/* git's gpg-interface.c, `ssh-keygen -Y sign -n git` */
#define RELEASE_NAMESPACE "git"

struct release;

/* What a signed commit says. */
struct release_info {
	char product[RELEASE_PRODUCT_MAX + 1];
	char version[RELEASE_VERSION_MAX + 1];
	uint64_t serial;
	struct digest manifest;
	uint64_t manifest_size;
	char channels[RELEASE_CHANNELS_MAX][RELEASE_CHANNEL_MAX + 1];
	size_t n_channels;	/* 0: may be offered on any channel */
	int64_t valid_until;	/* seconds; INT64_MAX when not given */
	int64_t time;		/* committer time, seconds since 1970 */
	struct oid commit;	/* names it */
	struct oid tree;	/* names it */
	struct digest identity; /* BLAKE2b-256 of the signed payload: is it */
	char subject[256];
};

/*
 * Verify `commit` (raw object bytes, untrusted) against `signers` and read its
 * trailers.  Before the signature holds nothing is looked at but where it begins
 * and ends.  `tags` are raw tag objects: further signatures, of which as many must hold
 * as the signers' threshold asks for, by distinct keys of distinct principals (tag.h).
 * Errors: E_UNTRUSTED no, bad, or unknown signature, or too few of them; E_UNTRUSTED
 *         also for a signed commit outside the grammar: it is refused, not retried.
 *         On error *ret is unchanged.
 */
int release_verify(struct bytes commit, const struct bytes *tags, size_t n_tags,
	const struct signers *signers, struct release **ret, struct error *e);
void release_free(struct release *r);
static inline void release_cleanup(struct release **r)
{
	release_free(*r);
}
#define autorelease CLEANUP(release_cleanup) struct release *

const struct release_info *release_info(const struct release *r);
const char *release_principal(const struct release *r);
/* Fingerprint of the key that signed the commit. */
const char *release_signer(const struct release *r);
/* The raw commit and tags it was made from, for the slot's own proof. */
struct bytes release_commit(const struct release *r);
const struct bytes *release_tags(const struct release *r, size_t *ret_n);

/*
 * The proof a slot carries at usr/lib/osupdate/release: raw commit and tags.
 *   "osupdate-release 1\n" ( ("commit" / "tag") SP size LF raw LF )+
 */
void release_print_proof(const struct release *r, struct buf *out);
/* Split a proof (untrusted) into pieces borrowed from it.  Errors: E_INPUT. */
int release_split_proof(struct bytes proof, struct bytes *ret_commit,
	struct bytes ret_tags[RELEASE_TAGS_MAX], size_t *ret_n_tags, struct error *e);

/*
 * Split a raw commit into the signed payload and the armor, both appended to
 * buffers.  The grammar is exact: tree, parent*, author, committer, gpgsig, message.
 * Values are not looked at.  For the builder too.  Errors: E_UNTRUSTED.
 */
int release_split_commit(struct bytes commit, struct buf *ret_payload,
	struct buf *ret_armor, struct error *e);

/*
 * Read a signed payload (no signature in it): headers and trailers.  Also for showing
 * what an unverified commit claims; trust nothing it returns then.  ret->commit stays
 * zero: the payload does not know it.  The subject may hold control characters: escape
 * it before printing.
 * Errors: E_UNTRUSTED naming the header or trailer.
 */
int release_read_payload(struct bytes payload, struct release_info *ret, struct error *e);

#endif
