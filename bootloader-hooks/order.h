/* SPDX-License-Identifier: MIT */
/*
 * Boot names in the order in which a loader tries them, each confirmed or with boots
 * left: what a loader that can only keep variables is told.  README.md: grub, uboot.
 */
#ifndef BOOTLOADER_HOOKS_ORDER_H
#define BOOTLOADER_HOOKS_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#define ORDER_MAX	  8
#define ORDER_NAME_MAX	  31
#define ORDER_TRIAL_BOOTS 3 /* grub.cfg has its count-down unrolled from here */

struct order_entry {
	char name[ORDER_NAME_MAX + 1];
	unsigned ok;  /* 1: confirmed */
	unsigned try; /* boots left on trial */
};

/* Zeroed is empty. */
struct order {
	struct order_entry entries[ORDER_MAX]; /* the first that may be booted is */
	size_t n;
};

/* Letters, digits and _, at most ORDER_NAME_MAX. */
bool order_word_valid(const char *s, size_t n);

/* The names in `value`, separated by blanks; false when one is none or there are too
 * many. */
bool order_read(struct order *order, const char *value, size_t n);
/* NULL when there is none. */
struct order_entry *order_find(struct order *order, const char *name);
/* Made, as the last, if there is none; NULL when there are too many. */
struct order_entry *order_get(struct order *order, const char *name);
/* The first that may be booted, or NULL. */
const struct order_entry *order_primary(const struct order *order);
bool order_bootable(const struct order_entry *entry);

/* What the verbs mean; `entry` may be another afterwards. */
void order_set_primary(struct order *order, struct order_entry *entry);
void order_set_good(struct order_entry *entry);
void order_set_bad(struct order *order, struct order_entry *entry);

#endif
