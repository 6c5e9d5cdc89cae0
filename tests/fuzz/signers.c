/* SPDX-License-Identifier: MIT */
/*
 * allowed_signers, then after a NUL revoked keys, then a pattern list.  Seeds have the
 * keys that are asked for here.
 */
#include <sodium.h>

#include "fuzz.h"
#include "trust/pattern.h"
#include "trust/signers.h"

#define SOON 1800000000

static const struct sshkey keys[] = {
	{ SSHKEY_ED25519, "11111111111111111111111111111111", "" },
	{ SSHKEY_ED25519, "22222222222222222222222222222222", "" },
	{ SSHKEY_SK_ED25519, "11111111111111111111111111111111", "ssh:" },
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	assert(sodium_init() >= 0 && setenv("TZ", "Europe/Berlin", 1) == 0);
	return 0;
}

static void ask(const struct signers *s, const struct sshkey *key, bool was_known)
{
	static const int64_t times[] = { INT64_MIN, 0, SOON, INT64_MAX };
	bool known = signers_know(s, key, NULL) == 0;

	assert(was_known || !known);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		const char *principal = NULL;
		struct error e = { 0 };
		int r = signers_allow(s, key, "git", times[i], &principal, &e);

		assert(r == 0 ? known && *principal : r == E_UNTRUSTED && e.text[0]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	struct bytes text = take_part(&in);
	struct bytes revoked = take_part(&in);
	struct bytes list = take_part(&in);
	bool known[3];
	autofree char *patterns = xstrndup((const char *)list.data, list.size);
	autosigners s = NULL;
	struct error e = { 0 };

	(void)pattern_list_match("git", patterns);
	if (signers_parse("s", text, &s, &e) < 0) {
		assert(!s && e.code == E_INPUT);
		return 0;
	}
	assert(signers_threshold(s) >= 1);
	for (size_t i = 0; i < 3; i++) {
		known[i] = signers_know(s, &keys[i], NULL) == 0;
		ask(s, &keys[i], known[i]);
	}
	/* What was read before a mistake is revoked all the same. */
	(void)signers_revoke(s, "r", revoked, &e);
	for (size_t i = 0; i < 3; i++)
		ask(s, &keys[i], known[i]);
	return 0;
}
