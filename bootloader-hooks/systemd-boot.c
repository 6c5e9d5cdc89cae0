/* SPDX-License-Identifier: MIT */
/*
 * systemd-boot's hook: Boot Loader Specification entries (type 1) with boot counting.
 * Protocol and layout: README.md.
 *
 * loader/entries/osupdate-<NAME>-<RANK>[+LEFT[-DONE]].conf, all with the sort-key
 * "osupdate" and the rank as their version: systemd-boot takes the highest that has boots
 * left or is not counted (src/boot/efi/boot.c, config_entry_compare).  An entry named by
 * `default` in loader.conf would not be counted, so none is.
 * An entry is never changed: a new one is written and synced, then the old ones go.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "esp.h"
#include "hook.h"

#define ENTRIES	    "loader/entries"
#define INCOMING    "loader/osupdate.new"
#define PREFIX	    "osupdate-"
#define FIRST_RANK  1000000 /* room below, for slots that become good but not first */
#define RANK_MAX    (UINT64_MAX / 2)
#define TRIAL_BOOTS 3
#define ENTRIES_MAX 32
#define FILE_SIZE   96
#define ENTRY_MAX   65536 /* bytes */

struct entry {
	char file[FILE_SIZE];
	char name[32];
	uint64_t rank;
	bool counted;
	uint64_t left;
};

struct loader_state {
	struct esp esp;
	int dir; /* of the entries; -1: there is none yet */
	struct entry entries[ENTRIES_MAX];
	size_t n;
};

/* --- reading ---------------------------------------------------------------------- */

/* "+3" or "+2-1" */
static bool read_counter(const char *s, size_t n, struct entry *ret)
{
	const char *dash = memchr(s, '-', n);
	size_t digits = dash ? (size_t)(dash - s) : n;
	uint64_t done;

	ret->counted = true;
	return text_u64(s, digits, UINT32_MAX, &ret->left) &&
	       (!dash || text_u64(dash + 1, n - digits - 1, UINT32_MAX, &done));
}

static bool read_name(const char *file, struct entry *ret)
{
	size_t size = strlen(file);
	const char *name = file + strlen(PREFIX);
	const char *end = file + size - strlen(".conf");
	const char *dash;
	const char *plus;

	*ret = (struct entry){ 0 };
	if (size >= FILE_SIZE || size < strlen(PREFIX ".conf") ||
		strncmp(file, PREFIX, strlen(PREFIX)) != 0 || strcmp(end, ".conf") != 0)
		return false;
	memcpy(ret->file, file, size + 1);
	dash = memchr(name, '-', (size_t)(end - name));
	if (!dash || (size_t)(dash - name) >= sizeof(ret->name))
		return false;
	memcpy(ret->name, name, (size_t)(dash - name));
	plus = memchr(dash, '+', (size_t)(end - dash));
	if (plus && !read_counter(plus + 1, (size_t)(end - plus - 1), ret))
		return false;
	return text_u64(
		dash + 1, (size_t)((plus ? plus : end) - dash - 1), RANK_MAX, &ret->rank);
}

static void read_entries(struct loader_state *st)
{
	int own;
	DIR *d;

	st->n = 0;
	cleanup_fd(&st->dir);
	st->dir = openat(
		st->esp.fd, ENTRIES, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (st->dir < 0 && errno == ENOENT)
		return;
	own = st->dir < 0 ? -1 : fcntl(st->dir, F_DUPFD_CLOEXEC, 3);
	d = own < 0 ? NULL : fdopendir(own);
	if (!d)
		hook_die("%s/" ENTRIES ": %s", st->esp.path, strerror(errno));
	rewinddir(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (!read_name(e->d_name, &st->entries[st->n]))
			continue;
		if (++st->n == ENTRIES_MAX)
			hook_die("%s/" ENTRIES ": more than %d entries of ours; remove "
				 "osupdate-*.conf of slots that are gone",
				st->esp.path, ENTRIES_MAX - 1);
	}
	(void)closedir(d);
}

static void state_open(struct loader_state *st)
{
	esp_open(&st->esp);
	read_entries(st);
}

static void state_close(struct loader_state *st)
{
	cleanup_fd(&st->dir);
	esp_close(&st->esp);
}

#define autostate CLEANUP(state_close) struct loader_state

static bool bootable(const struct entry *e)
{
	return !e->counted || e->left > 0;
}

/* The one systemd-boot takes, of all (name NULL) or of one slot. */
static const struct entry *best(const struct loader_state *st, const char *name)
{
	const struct entry *ret = NULL;

	for (size_t i = 0; i < st->n; i++) {
		const struct entry *e = &st->entries[i];

		if (bootable(e) && (!name || strcmp(e->name, name) == 0) &&
			(!ret || e->rank > ret->rank))
			ret = e;
	}
	return ret;
}

static bool confirmed(const struct loader_state *st, const char *name)
{
	for (size_t i = 0; i < st->n; i++)
		if (!st->entries[i].counted && strcmp(st->entries[i].name, name) == 0)
			return true;
	return false;
}

/* --- writing ---------------------------------------------------------------------- */

static void write_entry(struct loader_state *st, const char *file, struct bytes text)
{
	autofd fd = -1;
	struct error e;

	(void)mkdirat(st->esp.fd, "loader", 0755);
	if (mkdirat(st->esp.fd, ENTRIES, 0755) < 0 && errno != EEXIST)
		hook_die("%s/" ENTRIES ": %s", st->esp.path, strerror(errno));
	fd = openat(st->esp.fd, INCOMING,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
	if (fd < 0)
		hook_die("%s/" INCOMING ": %s%s", st->esp.path, strerror(errno),
			errno == EROFS ? "; mount it writable" : "");
	if (io_write_full(fd, text.data, text.size, &e) < 0)
		hook_die("%s/" INCOMING ": %s", st->esp.path, e.text);
	if (fsync(fd) < 0)
		hook_die("%s/" INCOMING ": fsync: %s", st->esp.path, strerror(errno));
	read_entries(st);
	if (renameat(st->esp.fd, INCOMING, st->dir, file) < 0)
		hook_die("%s/" ENTRIES "/%s: rename: %s", st->esp.path, file,
			strerror(errno));
	esp_sync(&st->esp);
}

/* What a slot boots with; the rank is both its place and its version. */
static void make_entry(
	const struct loader_state *st, const char *name, uint64_t rank, struct buf *ret)
{
	autofree char *line = esp_command_line(name);
	struct esp_kernel kernel;

	esp_install(&st->esp, &kernel);
	buf_addf(ret, "title %s %s\nsort-key osupdate\nversion %" PRIu64 "\n", name,
		hook_setting("OSUPDATE_VERSION", ""), rank);
	buf_addf(ret, "linux /osupdate/%s/linux\n", kernel.id);
	if (kernel.initrd)
		buf_addf(ret, "initrd /osupdate/%s/initrd\n", kernel.id);
	buf_addf(ret, "options %s\n", line);
}

/* Remove the slot's entries, but not the file `keep`. */
static void remove_entries(struct loader_state *st, const char *name, const char *keep)
{
	for (size_t i = 0; i < st->n; i++) {
		const struct entry *e = &st->entries[i];

		if (strcmp(e->name, name) != 0 || strcmp(e->file, keep) == 0)
			continue;
		if (unlinkat(st->dir, e->file, 0) < 0)
			hook_die("%s/" ENTRIES "/%s: %s%s", st->esp.path, e->file,
				strerror(errno),
				errno == EROFS ? "; mount it writable" : "");
	}
	esp_sync(&st->esp);
}

/* Kernels that no entry names any more. */
static void collect(struct loader_state *st)
{
	autobuf used = { 0 };

	read_entries(st);
	for (size_t i = 0; i < st->n; i++) {
		struct error e;

		/* An entry that cannot be read may name any of them. */
		if (io_read_file_at(st->dir, st->entries[i].file, ENTRY_MAX, &used, &e) <
			0)
			return;
		buf_adds(&used, "\n");
	}
	esp_collect(&st->esp, used.data ? used.data : "");
}

/* --- verbs ------------------------------------------------------------------------ */

static void get_primary(void)
{
	autostate st = { .dir = -1, .esp.fd = -1 };
	const struct entry *e;

	state_open(&st);
	e = best(&st, NULL);
	if (!e)
		hook_die("%s/" ENTRIES ": no entry of ours may be booted", st.esp.path);
	hook_answer(e->name);
}

static bool is_good(const char *name)
{
	autostate st = { .dir = -1, .esp.fd = -1 };

	state_open(&st);
	return best(&st, name) != NULL;
}

static uint64_t rank_above(const struct loader_state *st)
{
	uint64_t top = FIRST_RANK - 1;

	for (size_t i = 0; i < st->n; i++)
		top = st->entries[i].rank > top ? st->entries[i].rank : top;
	/* We would not find it again, and remove the one that is there. */
	if (top == RANK_MAX)
		hook_die("%s/" ENTRIES ": osupdate-*-%" PRIu64
			 "*.conf: no rank is higher, "
			 "and it is not one of ours; remove it",
			st->esp.path, top);
	return top + 1;
}

static uint64_t rank_below(const struct loader_state *st)
{
	uint64_t low = FIRST_RANK + 1;

	for (size_t i = 0; i < st->n; i++)
		low = st->entries[i].rank < low ? st->entries[i].rank : low;
	return low > 0 ? low - 1 : 0;
}

static bool same_text(
	const struct loader_state *st, const struct entry *e, const struct buf *text)
{
	autobuf found = { 0 };
	struct error why;

	return io_read_file_at(st->dir, e->file, ENTRY_MAX, &found, &why) == 0 &&
	       found.size == text->size &&
	       memcmp(found.data, text->data, text->size) == 0;
}

static void set_primary(const char *name)
{
	autostate st = { .dir = -1, .esp.fd = -1 };
	autobuf text = { 0 };
	const struct entry *first;
	char file[FILE_SIZE];
	bool trial;
	uint64_t rank;

	state_open(&st);
	first = best(&st, NULL);
	trial = !confirmed(&st, name);
	if (first && strcmp(first->name, name) == 0 && first->counted == trial &&
		(!trial || first->left == TRIAL_BOOTS)) {
		make_entry(&st, name, first->rank, &text);
		if (same_text(&st, first, &text)) {
			(void)snprintf(file, sizeof(file), "%s", first->file);
			remove_entries(&st, name, file);
			collect(&st);
			return; /* asked for again */
		}
		buf_reset(&text);
	}
	rank = rank_above(&st);
	(void)snprintf(file, sizeof(file), PREFIX "%s-%" PRIu64 "%s.conf", name, rank,
		trial ? "+3" : "");
	make_entry(&st, name, rank, &text);
	write_entry(&st, file, buf_bytes(&text));
	read_entries(&st);
	remove_entries(&st, name, file);
	collect(&st);
}

/* Blessing is a copy under the name without counter, then the counted one goes: a rename
 * is two changes on FAT, and a power cut between them would leave neither. */
static void bless(struct loader_state *st, const struct entry *e, const char *file)
{
	autobuf text = { 0 };
	struct error why;

	if (io_read_file_at(st->dir, e->file, ENTRY_MAX, &text, &why) < 0)
		hook_die("%s/" ENTRIES "/%s", st->esp.path, why.text);
	write_entry(st, file, buf_bytes(&text));
}

static void set_good(const char *name)
{
	autostate st = { .dir = -1, .esp.fd = -1 };
	autobuf text = { 0 };
	const struct entry *e;
	char file[FILE_SIZE];

	state_open(&st);
	e = best(&st, name);
	(void)snprintf(file, sizeof(file), PREFIX "%s-%" PRIu64 ".conf", name,
		e ? e->rank : rank_below(&st));
	if (!e) {
		make_entry(&st, name, rank_below(&st), &text);
		write_entry(&st, file, buf_bytes(&text));
	} else if (e->counted) {
		bless(&st, e, file);
	}
	read_entries(&st);
	remove_entries(&st, name, file);
	collect(&st);
}

static void set_bad(const char *name)
{
	autostate st = { .dir = -1, .esp.fd = -1 };

	state_open(&st);
	remove_entries(&st, name, "");
	collect(&st);
}

static const struct loader systemd_boot = {
	.name_valid = esp_name_valid,
	.name_rule = ESP_NAME_RULE,
	.get_primary = get_primary,
	.set_primary = set_primary,
	.is_good = is_good,
	.set_good = set_good,
	.set_bad = set_bad,
};

int main(int argc, char **argv)
{
	return hook_main(&systemd_boot, argc, argv);
}
