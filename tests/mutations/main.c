/* SPDX-License-Identifier: MIT */
/*
 * mutate SEED CAMPAIGN COUNT [FIRST]: so many mutations in the current directory, which
 * tests/integration/mutations makes.
 */
#include "mutate.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/text.h"

static const struct {
	const char *name;
	const struct campaign *(*get)(void);
} campaigns[] = {
	{ "commits", campaign_commits },
	{ "tags", campaign_tags },
	{ "signers", campaign_signers },
	{ "manifests", campaign_manifests },
	{ "digests", campaign_digests },
	{ "frames", campaign_frames },
	{ "packs", campaign_packs },
	{ "stores", campaign_stores },
	{ "streams", campaign_streams },
	{ "slots", campaign_slots },
};

static uint64_t number(const char *text)
{
	uint64_t n;

	if (!text_u64(text, strlen(text), UINT64_MAX, &n))
		give_up("%s is no number", text);
	return n;
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc > 5)
		give_up("usage: mutate SEED CAMPAIGN COUNT [FIRST]");
	if (digest_init_once(NULL) < 0)
		give_up("libsodium");
	for (size_t i = 0; i < sizeof(campaigns) / sizeof(campaigns[0]); i++)
		if (strcmp(argv[2], campaigns[i].name) == 0)
			return campaign_run(campaigns[i].get(), number(argv[1]),
				       argc > 4 ? number(argv[4]) : 0,
				       number(argv[3])) > 0;
	give_up("there is no campaign %s", argv[2]);
}
