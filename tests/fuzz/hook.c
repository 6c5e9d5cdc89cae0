/* SPDX-License-Identifier: MIT */
/*
 * What a boot loader hook answers: a byte that chooses the verb, the exit code, then what
 * it prints, NUL, its complaint; or a key and a name of [boot].
 */
#include <errno.h>

#include "base/subprocess.h"
#include "boot/hook.h"
#include "fuzz.h"

static struct bytes input;

/* In the place of the real one. */
int subprocess_run(const struct subprocess *p, struct buf *ret_stdout,
	struct buf *ret_stderr, int *ret_status, struct error *e)
{
	unsigned char status = input.size ? input.data[0] : 0;
	struct bytes rest = { input.data + 1, input.size ? input.size - 1 : 0 };
	struct bytes out;

	if (status == 0xff) {
		errno = ETIMEDOUT;
		return err_sys(e, "hook");
	}
	out = status < 0x80 ? rest : take_part(&rest);
	if (out.size > p->stdout_max)
		return err_set(e, E_INPUT, "it prints too much");
	buf_add(ret_stdout, out.data, out.size);
	buf_add(ret_stderr, rest.data, rest.size < 4096 ? rest.size : 4096);
	*ret_status = status < 0x80 ? 0 : status;
	return 0;
}

static void try_open(void)
{
	struct bytes part = take_part(&input);
	autofree char *key = xstrndup((const char *)part.data, part.size);
	autofree char *name = xstrndup((const char *)input.data, input.size);
	const char *const keys[] = { key, "value", NULL };
	struct hook h = { 0 };
	struct error e;

	if (hook_open(*name ? "/" : "/usr/bin", *name ? name : "true", keys, 1000, &h,
		    &e) < 0)
		return;
	assert(hook_key_valid(key) && strncmp(h.env[0], "OSUPDATE_", 9) == 0);
	hook_release(&h);
}

static void check_name(int r, const char *name)
{
	assert(r == 0 ? slot_name_valid(name) : name[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[] = "/hooks/grub";
	static char device[] = "/dev/x";
	static char grubenv[] = "OSUPDATE_GRUBENV=/x";
	static char *env[] = { grubenv, NULL };
	const struct hook h = { .path = path, .env = env, .timeout_ms = 1000 };
	const struct slot slot = { .name = "A", .bootname = "A", .device = device };
	const struct hook_subject subject = {
		.slot = &slot, .root = "/", .version = "1"
	};
	enum boot_state state = BOOT_BAD;
	char name[SLOT_NAME_MAX + 1] = "";
	struct error e = { 0 };

	if (size == 0)
		return 0;
	input = (struct bytes){ data + 1, size - 1 };
	switch (data[0] % 6) {
	case 0:
		check_name(hook_get_current(&h, name, &e), name);
		break;
	case 1:
		check_name(hook_get_primary(&h, name, &e), name);
		break;
	case 2:
		assert(hook_get_state(&h, &subject, &state, &e) <= 0);
		break;
	case 3:
		assert(hook_set_primary(&h, &subject, &e) <= 0);
		break;
	case 4:
		assert(hook_set_state(&h, &subject, BOOT_GOOD, &e) <= 0);
		break;
	default:
		try_open();
	}
	return 0;
}
