/* SPDX-License-Identifier: MIT */
/* Installing a named release and saying what came of it: `install` and `rollback
 * RELEASE`. */
#ifndef CMD_DEPLOYED_H
#define CMD_DEPLOYED_H

#include <stdio.h>

#include "cmd/cli.h"
#include "update/deploy.h"

void deployed_print(FILE *f, const struct device *d, const struct release_ref *ref,
	const struct deploy_result *res);

int deployed_install(struct cli *cli, struct device *d, const char *name,
	const struct deploy *o, struct error *e);

#endif
