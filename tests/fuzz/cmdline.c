/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line: it names a slot that is configured, none, or it is refused.
 * What is found is found again in a line of that word alone.
 */
#include "fuzz.h"
#include "slot/slot.h"

static char device[] = "/dev/none";
static const struct slot slots[SLOT_COUNT] = { { "A", "A", device },
	{ "B", "system.1", device } };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = { data, size };
	struct bytes text = take_part(&in);
	autofree char *line = xstrndup((const char *)text.data, text.size);
	autofree char *alone = NULL;
	struct error e = { 0 };
	int again = -1;
	int found = -2;

	if (slot_by_cmdline(slots, line, &found, &e) < 0) {
		assert(found == -2 && e.code == E_INPUT && strstr(line, ".slot="));
		return 0;
	}
	assert(found >= -1 && found < SLOT_COUNT);
	if (found < 0)
		return 0;
	assert(strstr(line, slots[found].bootname));
	alone = xasprintf("osupdate.slot=%s", slots[found].bootname);
	assert(slot_by_cmdline(slots, alone, &again, &e) == 0 && again == found);
	return 0;
}
