/* SPDX-License-Identifier: MIT */
/*
 * GRUB's environment block: 1024 bytes, of which the input up to a NUL is the beginning;
 * then a release's kernel arguments.
 */
#include "loader.h"

#define ENV_SIZE 1024

static int fd;

void loader_init(void)
{
	assert(setenv("OSUPDATE_GRUBENV", memory_file(&fd), 1) == 0);
}

void loader_put(struct bytes input)
{
	unsigned char block[ENV_SIZE];
	struct bytes rest = input;

	input = take_part(&rest);
	loader_arguments(rest);
	memset(block, '#', sizeof(block));
	if (input.size > 0)
		memcpy(block, input.data, input.size < ENV_SIZE ? input.size : ENV_SIZE);
	memory_put(fd, (struct bytes){ block, ENV_SIZE });
}
