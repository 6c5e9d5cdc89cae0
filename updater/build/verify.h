/* SPDX-License-Identifier: MIT */
/* Everything a device would check about a release, and that its tree says the same. */
#ifndef BUILD_VERIFY_H
#define BUILD_VERIFY_H

#include "base/progress.h"
#include "build/committed.h"

struct verify_sums {
	struct release_info info;
	char *principal; /* owned */
	uint64_t entries;
	uint64_t contents; /* different ones, all read and hashed */
	uint64_t bytes;	   /* of them */
};

/*
 * The signers to check with: `file`, or NULL: what git uses, the configuration's
 * gpg.ssh.allowedSignersFile and gpg.ssh.revocationFile.  Errors: E_USAGE, E_INPUT.
 */
int verify_signers(
	git_repository *repo, const char *file, struct signers **ret, struct error *e);

/*
 * Signature, trailers, manifest, every content, and the tree against the manifest both
 * ways.  Errors: E_UNTRUSTED the signature or what it covers; E_INPUT anything else
 * that is wrong, by path.
 */
int verify_release(git_repository *repo, const struct oid *id,
	const struct signers *signers, const struct progress *progress,
	struct verify_sums *ret, struct error *e);

#endif
