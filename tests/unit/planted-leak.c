/* SPDX-License-Identifier: MIT */
/* Leaks on purpose: tests/run must notice, or its word about the other tests is worth
 * nothing.  Not a test itself. */
#include <stdlib.h>

static void *volatile leaked;

int main(void)
{
	leaked = malloc(1000);
	leaked = NULL;
	return 0;
}
