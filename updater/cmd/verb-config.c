/* SPDX-License-Identifier: MIT */
/* config check: everything that can be wrong before an update, found before it. */
#include <stdio.h>

#include "cmd/cli.h"

int verb_config(struct cli *cli, int argc, char **argv, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	char primary[SLOT_NAME_MAX + 1];
	int r;

	if (argc != 2 || strcmp(argv[1], "check") != 0)
		return cli_usage("config check", e);
	r = cli_open(cli, false, &d, e);
	for (int i = 0; r == 0 && i < SLOT_COUNT; i++) {
		dev_t device;

		r = slot_device(&d.config.slots[i], &device, e);
	}
	if (r == 0)
		r = hook_get_primary(&d.hook, primary, e);
	if (r < 0)
		return r;
	(void)printf("%s: good (product %s, channel %s, hook %s, slots %s and %s%s%s)\n",
		d.config.file, d.config.product, d.config.channel, d.hook.path,
		d.config.slots[0].name, d.config.slots[1].name,
		d.booted >= 0 ? ", booted " : "",
		d.booted >= 0 ? d.config.slots[d.booted].name : "");
	return 0;
}
