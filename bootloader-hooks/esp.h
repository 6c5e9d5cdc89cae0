/* SPDX-License-Identifier: MIT */
/*
 * Kernels on the EFI system partition, for loaders that cannot read slots.  They stand in
 * osupdate/<id>/linux and osupdate/<id>/initrd, where <id> is made of their contents:
 * what is there is never overwritten, and both slots may use the same.  FAT has no
 * journal, so whatever counts is written under a new name first, and synced before it is
 * referred to.
 */
#ifndef BOOTLOADER_HOOKS_ESP_H
#define BOOTLOADER_HOOKS_ESP_H

#include <stdbool.h>

#include "base/buf.h"

#define ESP_ID_SIZE 17

/* All functions end the process with a reason when they fail. */
struct esp {
	int fd;
	const char *path; /* for messages */
};

struct esp_kernel {
	char id[ESP_ID_SIZE];
	bool initrd; /* is there one? */
};

/* What a boot name may be, on a file system without case. */
bool esp_name_valid(const char *name);
#define ESP_NAME_RULE "letters, digits and _, at most 31"

/* [boot] esp=, by default /boot/efi. */
void esp_open(struct esp *esp);
void esp_close(struct esp *esp);
#define autoesp CLEANUP(esp_close) struct esp

/* Bring the kernel and initrd of the slot at OSUPDATE_ROOT here, unless they are.
 * Settings: OSUPDATE_KERNEL (vmlinuz), OSUPDATE_INITRD (initrd.img, which need not
 * exist). */
void esp_install(const struct esp *esp, struct esp_kernel *ret);

/* Remove all kernels but those whose ids are in `used`, separated by blanks. */
void esp_collect(const struct esp *esp, const char *used);

/* Everything written so far is on the disk. */
void esp_sync(const struct esp *esp);

/* The slot's kernel command line: root=, osupdate.slot=, panic=, OSUPDATE_ARGUMENTS (the
 * machine's), OSUPDATE_KERNEL_ARGUMENTS (the release's).  Owned by the caller. */
char *esp_command_line(const char *name);

#endif
