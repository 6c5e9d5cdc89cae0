/* SPDX-License-Identifier: MIT */
/* See object-dirs.h. */
#include "store/server/object-dirs.h"

#include <fcntl.h>
#include <string.h>

#include "base/io.h"

#define DEPTH_MAX      8     /* repositories that one has objects in, of each other */
#define ALTERNATES_MAX 65536 /* bytes */

static void add(struct object_dirs *d, const char *objects, unsigned depth)
{
	autofree char *file = xasprintf("%s/info/alternates", objects);
	autobuf text = { 0 };
	struct error ignored; /* there is none, mostly */

	if (d->n == OBJECT_DIRS_MAX)
		return;
	d->list[d->n++] = xstrdup(objects);
	if (depth == 0 ||
		io_read_file_at(AT_FDCWD, file, ALTERNATES_MAX, &text, &ignored) < 0)
		return;
	for (const char *line = text.data; line && *line;) {
		size_t n = strcspn(line, "\n");
		autofree char *name = xstrndup(line, n);
		autofree char *path = name[0] == '/' ? xstrdup(name)
						     : xasprintf("%s/%s", objects, name);

		if (strcmp(strrchr(path, '/'), "/objects") == 0)
			add(d, path, depth - 1);
		line += n + (line[n] == '\n');
	}
}

void object_dirs_list(const char *objects, struct object_dirs *ret)
{
	ret->n = 0;
	add(ret, objects, DEPTH_MAX);
}

void object_dirs_release(struct object_dirs *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->list[i]);
	d->n = 0;
}
