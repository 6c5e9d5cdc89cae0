/* SPDX-License-Identifier: MIT */
/* Rebooting, as the machine's own init does it: see reboot.h. */
#include "cmd/reboot.h"

#include "base/subprocess.h"

#define REBOOT_TIMEOUT_MS 60000

int reboot_now(struct error *e)
{
	static const char *const argv[] = { "reboot", NULL };
	const struct subprocess p = {
		.argv = argv, .stdin_fd = -1, .timeout_ms = REBOOT_TIMEOUT_MS
	};
	int status;
	int r = subprocess_run(&p, NULL, NULL, &status, e);

	if (r == 0 && status != 0)
		r = err_set(e, E_SYSTEM,
			"reboot failed with exit code %d: reboot by hand", status);
	return r;
}
