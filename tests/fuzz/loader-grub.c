/* SPDX-License-Identifier: MIT */
/*
 * GRUB's environment block: 1024 bytes, of which the input up to a NUL is the beginning
 * (more, if it is longer; none: there is no such file); then a release's kernel
 * arguments.
 */
#include "loader.h"

#define ENV_SIZE 1024

static const char *path;
static int fd;

void loader_init(void)
{
	path = memory_file(&fd);
}

void loader_put(struct bytes input)
{
	unsigned char block[ENV_SIZE];
	struct bytes rest = input;

	input = take_part(&rest);
	loader_arguments(rest);
	memset(block, '#', sizeof(block));
	if (input.size > 0 && input.size <= ENV_SIZE)
		memcpy(block, input.data, input.size);
	assert(setenv("OSUPDATE_GRUBENV", input.size ? path : "/none", 1) == 0);
	memory_put(fd, input.size > ENV_SIZE ? input : (struct bytes){ block, ENV_SIZE });
}
