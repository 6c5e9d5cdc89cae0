/* SPDX-License-Identifier: MIT */
/*
 * The firmware's variables: records of u8 which, u8 size and a value of that size, with
 * its attributes; bit 7 of the first byte: the configuration names no disk.  efibootmgr,
 * which makes new ones, is played.
 */
#include "base/subprocess.h"
#include "loader-esp.h"

#define GUID "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

static const char *const names[] = { "BootOrder", "BootNext", "BootCurrent", "Boot0000",
	"Boot0001", "Boot001A", "BootFFFF", "Boot00g0" };

static void put_variable(const char *name, struct bytes value)
{
	autofree char *path = xasprintf("efivars/%s" GUID, name);

	put_file(path, value);
}

/* In the place of the real one: the first free option, with the label that is given. */
int subprocess_run(const struct subprocess *p, struct buf *ret_stdout,
	struct buf *ret_stderr, int *ret_status, struct error *e)
{
	static const unsigned char head[10] = { 7, 0, 0, 0, 1 };
	static const char *const free_names[] = { "Boot0002", "Boot0003", "Boot0004",
		"Boot0005" };
	const char *label = NULL;
	autobuf value = { 0 };

	(void)ret_stdout;
	(void)ret_stderr;
	(void)e;
	for (size_t i = 0; p->argv[i]; i++)
		if (strcmp(p->argv[i], "--label") == 0)
			label = p->argv[i + 1];
	assert(label);
	buf_add(&value, head, sizeof(head));
	for (; *label; label++) {
		buf_add(&value, label, 1);
		buf_add(&value, "", 1);
	}
	buf_add(&value, "\0", 2);
	*ret_status = 1;
	for (size_t i = 0; i < 4 && *ret_status; i++) {
		autofree char *path = xasprintf("efivars/%s" GUID, free_names[i]);

		if (access(path, F_OK) == 0)
			continue;
		put_file(path, buf_bytes(&value));
		*ret_status = 0;
	}
	return 0;
}

void loader_init(void)
{
	esp_make();
	assert(mkdir("efivars", 0700) == 0);
	assert(setenv("OSUPDATE_EFIVARS", "efivars", 1) == 0);
}

void loader_put(struct bytes input)
{
	bool named = !input.size || input.data[0] < 128;

	assert(setenv("OSUPDATE_DISK", named ? "/dev/x" : "", 1) == 0);
	assert(setenv("OSUPDATE_PARTITION", named ? "1" : "", 1) == 0);
	empty_directory("efivars");
	while (input.size >= 2) {
		const char *name = names[input.data[0] % 8];
		size_t n = input.data[1];

		n = n <= input.size - 2 ? n : input.size - 2;
		put_variable(name, (struct bytes){ input.data + 2, n });
		input.data += 2 + n;
		input.size -= 2 + n;
	}
}
