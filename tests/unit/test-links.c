/* SPDX-License-Identifier: MIT */
/* Groups of hard links. */
#include <criterion/criterion.h>

#include "slot/links.h"

static void count(void *ctx, const struct link_group *g)
{
	*(uint64_t *)ctx += g->names;
}

Test(links, an_inode_belongs_to_one_group_only)
{
	struct links *l = links_new();
	uint64_t names = 0;

	cr_assert_not_null(links_claim(l, "a", 1, 2));
	cr_assert_null(links_claim(l, "b", 1, 2));
	cr_assert_not_null(links_claim(l, "b", 2, 3));
	cr_assert_eq(links_find(l, "a")->inode, 1);
	cr_assert_eq(links_find(l, "b")->nlink, 3);
	cr_assert_null(links_find(l, "c"));
	links_find(l, "b")->names++;
	links_each(l, count, &names);
	cr_assert_eq(names, 3);
	links_free(l);
}
