/* SPDX-License-Identifier: MIT */
/*
 * The firmware's boot variables (UEFI 2.10, section 3.3) through efivarfs: Boot####,
 * BootOrder, BootNext, BootCurrent.  Each write is one SetVariable call, which is atomic.
 * Written here and not by efibootmgr, whose --delete-bootnext fails (version 17) and
 * whose
 * --delete-bootnum writes BootOrder as well.
 */
#ifndef BOOTLOADER_HOOKS_EFIVAR_H
#define BOOTLOADER_HOOKS_EFIVAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EFI_NONE       (-1)
#define EFI_ORDER_MAX  256
#define EFI_LABEL_SIZE 80

/* A Boot#### variable. */
struct efi_option {
	uint16_t number;
	char label[EFI_LABEL_SIZE]; /* other than ASCII becomes ? */
};

struct efi_order {
	uint16_t numbers[EFI_ORDER_MAX];
	size_t n;
};

/* All functions end the process with a reason when they fail. */
/* efivarfs= in [boot], by default /sys/firmware/efi/efivars. */
const char *efivar_directory(void);
/* Up to `max` options; returns how many. */
size_t efivar_options(struct efi_option *ret, size_t max);
void efivar_order(struct efi_order *ret);
void efivar_set_order(const struct efi_order *order);
/* "BootNext" or "BootCurrent": a number, or EFI_NONE. */
int efivar_number(const char *name);
void efivar_set_next(uint16_t number);
void efivar_delete_next(void);
void efivar_delete_option(uint16_t number);

#endif
