/* SPDX-License-Identifier: MIT */
/* systemd-boot's entries: each line of the input is the name of a file that is there. */
#include "loader-esp.h"

#define ENTRIES	  "esp/loader/entries"
#define FILES_MAX 30 /* the hook takes no more of its own */

void loader_init(void)
{
	esp_make();
	assert(mkdir("esp/loader", 0700) == 0 && mkdir(ENTRIES, 0700) == 0);
}

static bool is_file_name(const char *name, size_t n)
{
	return n > 0 && n <= 255 && !memchr(name, '/', n) && !memchr(name, '\0', n) &&
	       !(name[0] == '.' && n <= 2);
}

void loader_put(struct bytes input)
{
	autofree char *text = xstrndup((const char *)input.data, input.size);
	unsigned files = 0;

	empty_directory(ENTRIES);
	for (const char *p = text; *p && files < FILES_MAX;) {
		size_t n = strcspn(p, "\n");

		if (is_file_name(p, n)) {
			autofree char *path = xasprintf(ENTRIES "/%.*s", (int)n, p);

			put_file(path,
				bytes_of("linux /osupdate/0123456789abcdef/linux\n"));
			files++;
		}
		p += n + (p[n] == '\n');
	}
}
