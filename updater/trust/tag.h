/* SPDX-License-Identifier: MIT */
/*
 * A further signature on a release: a signed tag object, as stock `git tag -s` makes it
 * with gpg.format=ssh.  It repeats the commit's Osupdate- trailers, so that what it
 * vouches for does not hang on the commit's id alone.  Format: doc/formats.md#tag.
 */
#ifndef TRUST_TAG_H
#define TRUST_TAG_H

#include "trust/release.h"

/*
 * Does `tag` (raw object bytes, untrusted) vouch for `info`, a release whose own
 * signature holds?  Before the signature is a known key's, nothing is looked at but where
 * it begins. *ret_principal is borrowed from `signers`. Errors: E_UNTRUSTED with the
 * reason.
 */
int tag_verify(struct bytes tag, const struct release_info *info,
	const struct signers *signers, struct sshkey *ret_key, const char **ret_principal,
	struct error *e);

#endif
