/* SPDX-License-Identifier: MIT */
/* Which extended attributes belong into a release: manifest.h, doc/formats.md. */

#include "manifest/manifest.h"

const char *xattr_fault(const char *name)
{
	static const char *const exact[] = {
		"security.capability", "security.selinux", "security.ima",
		"system.posix_acl_access", "system.posix_acl_default",
	};
	static const char *const spaces[] = { "user.", "trusted." };

	if (strlen(name) > NAME_BYTES_MAX)
		return "name of an attribute too long";
	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		if (strcmp(name, exact[i]) == 0)
			return NULL;
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		if (strncmp(name, spaces[i], strlen(spaces[i])) == 0 && name[strlen(spaces[i])])
			return NULL;
	return "attribute that is not part of a release";
}
