/* SPDX-License-Identifier: MIT */
/* Boot names in order: see order.h. */
#include "order.h"

#include <stdio.h>
#include <string.h>

bool order_word_valid(const char *s, size_t n)
{
	if (n == 0 || n > ORDER_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'A' && s[i] <= 'Z') &&
			!(s[i] >= 'a' && s[i] <= 'z') && s[i] != '_')
			return false;
	return true;
}

struct order_entry *order_find(struct order *order, const char *name)
{
	for (size_t i = 0; i < order->n; i++)
		if (strcmp(order->entries[i].name, name) == 0)
			return &order->entries[i];
	return NULL;
}

struct order_entry *order_get(struct order *order, const char *name)
{
	struct order_entry *entry = order_find(order, name);

	if (entry)
		return entry;
	if (order->n == ORDER_MAX)
		return NULL;
	entry = &order->entries[order->n++];
	*entry = (struct order_entry){ 0 };
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	return entry;
}

bool order_read(struct order *order, const char *value, size_t n)
{
	order->n = 0;
	for (size_t i = 0; i < n;) {
		size_t len = 0;
		char name[ORDER_NAME_MAX + 1] = "";

		if (value[i] == ' ') {
			i++;
			continue;
		}
		while (i + len < n && value[i + len] != ' ')
			len++;
		if (!order_word_valid(value + i, len))
			return false;
		memcpy(name, value + i, len);
		if (!order_get(order, name))
			return false;
		i += len;
	}
	return true;
}

bool order_bootable(const struct order_entry *entry)
{
	return entry->ok == 1 || entry->try > 0;
}

const struct order_entry *order_primary(const struct order *order)
{
	for (size_t i = 0; i < order->n; i++)
		if (order_bootable(&order->entries[i]))
			return &order->entries[i];
	return NULL;
}

/* Move `entry` to the front or the back; the others keep their order. */
static void move(struct order *order, const struct order_entry *entry, bool front)
{
	struct order_entry *all = order->entries;
	struct order_entry moved = *entry;
	size_t at = (size_t)(entry - all);

	if (front)
		memmove(all + 1, all, at * sizeof(moved));
	else
		memmove(all + at, all + at + 1, (order->n - at - 1) * sizeof(moved));
	all[front ? 0 : order->n - 1] = moved;
}

void order_set_primary(struct order *order, struct order_entry *entry)
{
	/* What was confirmed once is not tried again, so it needs no counter. */
	entry->try = entry->ok == 1 ? 0 : ORDER_TRIAL_BOOTS;
	entry->ok = entry->ok == 1;
	move(order, entry, true);
}

void order_set_good(struct order_entry *entry)
{
	entry->ok = 1;
	entry->try = 0;
}

void order_set_bad(struct order *order, struct order_entry *entry)
{
	entry->ok = 0;
	entry->try = 0;
	move(order, entry, false);
}
