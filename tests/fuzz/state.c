/* SPDX-License-Identifier: MIT */
/*
 * The state record: a first byte, then either the whole text or the lines before its
 * digest, which is made here.  What is parsed prints the same for ever after.
 */
#include "fuzz.h"
#include "update/state-text.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	assert(digest_init_once(NULL) == 0);
	return 0;
}

static void add_digest(struct buf *text)
{
	char hex[DIGEST_HEX_MAX];
	struct digest d = digest_of(buf_bytes(text));

	digest_hex(&d, hex);
	buf_addf(text, "digest %s\n\n", hex);
}

/* Texts from elsewhere are cut and cleaned before they are put into a record. */
static void check_texts(struct bytes raw)
{
	autofree char *text = xstrndup((const char *)raw.data, raw.size);
	struct state s = { .phase = PHASE_IDLE };
	struct state again = { 0 };
	autobuf out = { 0 };

	state_set_error(&s, 1, "fetch", text);
	state_deny(&s, &(struct release_ref){ .serial = 1 }, text);
	state_print(&s, &out);
	assert(state_parse(&out, &again));
	assert(strcmp(again.error_text, s.error_text) == 0);
	assert(again.n_denied == 1 &&
		strcmp(again.denied[0].reason, s.denied[0].reason) == 0);
	state_release(&again);
	state_release(&s);
}

static void check_record(const struct buf *text)
{
	struct state s = { 0 };
	struct state again = { 0 };
	autobuf first = { 0 };
	autobuf second = { 0 };

	if (state_parse(text, &s)) {
		state_print(&s, &first);
		assert(first.size == STATE_SIZE && state_parse(&first, &again));
		assert(again.phase == s.phase && again.floor == s.floor);
		assert(again.floor_time == s.floor_time && again.retries == s.retries);
		state_print(&again, &second);
		assert(bytes_same(buf_bytes(&first), buf_bytes(&second)));
	}
	state_release(&again);
	state_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autobuf text = { 0 };

	if (size == 0)
		return 0;
	buf_add(&text, data + 1, size - 1);
	if (data[0] % 4 == 1) {
		check_texts(buf_bytes(&text));
		return 0;
	}
	if (data[0] % 4 != 0)
		add_digest(&text);
	check_record(&text);
	return 0;
}
