/* SPDX-License-Identifier: MIT */
/* A set of object ids: see oidset.h. */
#include "store/server/oidset.h"

#include "base/buf.h"

/* Where `id` stands or would stand.  Ids are hashes already; a server that works to make
 * them collide here slows down only its own fetch. */
static size_t place(const struct oidset *s, const git_oid *id)
{
	size_t at;

	memcpy(&at, id->id, sizeof(at));
	for (at &= s->cap - 1;; at = (at + 1) & (s->cap - 1))
		if (git_oid_is_zero(&s->slots[at]) || git_oid_equal(&s->slots[at], id))
			return at;
}

static void grow(struct oidset *s)
{
	struct oidset bigger = { .cap = s->cap ? s->cap * 2 : 1024 };

	bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < s->cap; i++)
		if (!git_oid_is_zero(&s->slots[i]))
			(void)oidset_add(&bigger, &s->slots[i]);
	free(s->slots);
	*s = bigger;
}

bool oidset_add(struct oidset *s, const git_oid *id)
{
	size_t at;

	if (s->n * 2 >= s->cap)
		grow(s);
	at = place(s, id);
	if (!git_oid_is_zero(&s->slots[at]))
		return false;
	s->slots[at] = *id;
	s->n++;
	return true;
}

bool oidset_has(const struct oidset *s, const git_oid *id)
{
	return s->cap && !git_oid_is_zero(&s->slots[place(s, id)]);
}

void oidset_release(struct oidset *s)
{
	free(s->slots);
	*s = (struct oidset){ 0 };
}
