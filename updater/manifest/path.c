/* SPDX-License-Identifier: MIT */
/*
 * Paths of a release: see path.h.  The rule of escaped components is what 65 cases run
 * through git's fsck, push and clone asked for; escaping too much costs nothing.
 */
#include "manifest/path.h"

#include <stdio.h>
#include <string.h>

const char *path_fault(const char *path, size_t n)
{
	size_t start = 0;

	if (n == 1 && path[0] == '.')
		return NULL;
	if (n == 0)
		return "empty";
	if (n > PATH_BYTES_MAX)
		return "path too long";
	if (path[0] == '/')
		return "absolute";
	if (memchr(path, '\0', n))
		return "NUL byte";
	for (size_t i = 0; i <= n; i++) {
		size_t size = i - start;

		if (i < n && path[i] != '/')
			continue;
		if (size == 0)
			return "empty component";
		if (size > NAME_BYTES_MAX)
			return "component too long";
		if (path[start] == '.' && (size == 1 || (size == 2 && path[start + 1] == '.')))
			return "component . or ..";
		start = i + 1;
	}
	return NULL;
}

static unsigned rank(char c)
{
	if (c == '\0')
		return 0;
	return c == '/' ? 1 : (unsigned)(unsigned char)c + 1;
}

int path_compare(const char *a, const char *b)
{
	bool root_a = a[0] == '.' && a[1] == '\0';
	bool root_b = b[0] == '.' && b[1] == '\0';

	if (root_a || root_b)
		return (root_b ? 1 : 0) - (root_a ? 1 : 0);
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (int)rank(*a) - (int)rank(*b);
}

bool path_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (strcmp(dir, ".") == 0)
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

bool path_is_reserved(const char *path)
{
	return strcmp(path, PATH_MANIFEST) == 0 || strcmp(path, PATH_RELEASE) == 0 ||
		path_within(path, PATH_BLOBS);
}

/* Length of a code point that file systems ignore in names (HFS+), else 0. */
static size_t ignored(const unsigned char *p, size_t left)
{
	if (left < 3)
		return 0;
	if (p[0] == 0xe2 && p[1] == 0x80 &&
		((p[2] >= 0x8c && p[2] <= 0x8f) || (p[2] >= 0xaa && p[2] <= 0xae)))
		return 3; /* U+200C-200F, U+202A-202E */
	if (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xaa && p[2] <= 0xaf)
		return 3; /* U+206A-206F */
	if (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf)
		return 3; /* U+FEFF */
	return 0;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* `name` is lower-cased, stripped, and cut to what matters. */
static bool name_is_escaped(const char *name)
{
	static const char *const prefixes[] = {
		".git", ".mailmap", "git~", "gitmod~", "gitatt~", "gitign~", "mailma~",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return (strncmp(name, "gi", 2) == 0 || strncmp(name, "ma", 2) == 0) && is_hex(name[2]) &&
		is_hex(name[3]) && is_hex(name[4]) && is_hex(name[5]) && name[6] == '~';
}

bool path_is_escaped(const char *path)
{
	const unsigned char *p = (const unsigned char *)path;
	size_t left = strlen(path);
	char name[12];
	size_t n = 0;

	memset(name, 0, sizeof(name));
	for (;;) {
		size_t skip;

		if (left == 0 || *p == '/' || *p == '\\') {
			if (name_is_escaped(name))
				return true;
			if (left == 0)
				return false;
			memset(name, 0, sizeof(name));
			n = 0;
			skip = 1;
		} else {
			skip = ignored(p, left);
			if (skip == 0) {
				/* The longest prefix has 8 bytes: the rest cannot matter. */
				if (n < sizeof(name) - 1)
					name[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
				skip = 1;
			}
		}
		p += skip;
		left -= skip;
	}
}

void path_blob(const struct digest *d, char out[PATH_BLOB_MAX])
{
	char hex[DIGEST_HEX_MAX];

	digest_hex(d, hex);
	(void)snprintf(out, PATH_BLOB_MAX, PATH_BLOBS "/%.2s/%s", hex, hex);
}
