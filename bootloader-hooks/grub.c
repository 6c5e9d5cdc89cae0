/* SPDX-License-Identifier: MIT */
/*
 * GRUB's hook: ORDER, <NAME>_OK and <NAME>_TRY in a grubenv.  Protocol: README.md.
 *
 * The file is GRUB's too, which writes its blocks in place and never replays a
 * journal.  So do we: the same 1024 bytes, one pwrite, fdatasync; never truncated,
 * never renamed, and our variables first, so that a change touches one sector.
 * All other lines are kept as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"

#define ENV_SIZE     1024 /* GRUB_DEFAULT_ENVBLK_SIZE */
#define ENV_HEADER   "# GRUB Environment Block\n"
#define SECTOR_SIZE  512
#define TRIAL_BOOTS  3 /* grub.cfg has its count-down unrolled from here */
#define NAMES_MAX    8
#define NAME_MAX_LEN 31
#define CMDLINE_MAX  65536

/* One boot name and what GRUB is told of it. */
struct entry {
	char name[NAME_MAX_LEN + 1];
	unsigned ok;
	unsigned try;
};

struct env {
	int fd;
	char old[ENV_SIZE];
	struct entry entries[NAMES_MAX]; /* in ORDER's order */
	size_t n;
	struct buf others; /* lines of others, raw */
};

struct line {
	const char *start;
	size_t size; /* with its newline */
	size_t name; /* length of the name; 0 for a comment */
};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(1);
}

static const char *env_path(void)
{
	const char *path = getenv("OSUPDATE_GRUBENV");

	return path && *path ? path : "/boot/grub/grubenv";
}

/* --- names ------------------------------------------------------------------------ */

/* What GRUB takes for a variable's name, since <NAME>_OK is one. */
static bool name_valid(const char *s, size_t n)
{
	if (n == 0 || n > NAME_MAX_LEN || (s[0] >= '0' && s[0] <= '9'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'A' && s[i] <= 'Z') &&
			!(s[i] >= 'a' && s[i] <= 'z') && s[i] != '_')
			return false;
	return true;
}

static struct entry *entry_find(struct env *env, const char *name)
{
	for (size_t i = 0; i < env->n; i++)
		if (strcmp(env->entries[i].name, name) == 0)
			return &env->entries[i];
	return NULL;
}

/* The entry of that name, made if there is none. */
static struct entry *entry_get(struct env *env, const char *name)
{
	struct entry *entry = entry_find(env, name);

	if (entry)
		return entry;
	if (env->n == NAMES_MAX)
		die("%s: more than %d names in ORDER", env_path(), NAMES_MAX);
	entry = &env->entries[env->n++];
	*entry = (struct entry){ 0 };
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	return entry;
}

static bool bootable(const struct entry *entry)
{
	return entry->ok == 1 || entry->try > 0;
}

/* --- reading ---------------------------------------------------------------------- */

/* The line at `p`; false at the padding.  Backslash quotes, newlines included. */
static bool line_next(const char *p, const char *end, struct line *ret)
{
	const char *q = p;

	*ret = (struct line){ .start = p };
	if (p == end)
		return false;
	if (*p == '#') {
		q = memchr(p, '\n', (size_t)(end - p));
		if (!q)
			return false;
		ret->size = (size_t)(q - p) + 1;
		return true;
	}
	for (; q < end && *q != '\n'; q++) {
		if (*q == '=' && ret->name == 0)
			ret->name = (size_t)(q - p);
		if (*q == '\\' && q + 1 < end)
			q++;
	}
	if (q >= end || ret->name == 0)
		die("%s: damaged at byte %zu; make it anew with `grub-editenv %s "
		    "create`, then "
		    "`osupdate confirm`",
			env_path(), (size_t)(p - (end - ENV_SIZE)), env_path());
	ret->size = (size_t)(q - p) + 1;
	return true;
}

static void read_order(struct env *env, const char *value, size_t n)
{
	env->n = 0;
	for (size_t i = 0; i < n;) {
		size_t len = 0;
		char name[NAME_MAX_LEN + 1] = "";

		if (value[i] == ' ') {
			i++;
			continue;
		}
		while (i + len < n && value[i + len] != ' ')
			len++;
		if (!name_valid(value + i, len))
			die("%s: ORDER=\"%.*s\" is not a list of boot names; mend it "
			    "with "
			    "`grub-editenv %s set \"ORDER=A B\"`",
				env_path(), (int)n, value, env_path());
		memcpy(name, value + i, len);
		(void)entry_get(env, name);
		i += len;
	}
}

/* The entry and field a line is about, NULL when it is not ours. */
static unsigned *line_field(struct env *env, const struct line *line)
{
	for (size_t i = 0; i < env->n; i++) {
		struct entry *entry = &env->entries[i];
		size_t n = strlen(entry->name);

		if (line->name <= n || memcmp(line->start, entry->name, n) != 0)
			continue;
		if (line->name == n + 3 && memcmp(line->start + n, "_OK", 3) == 0)
			return &entry->ok;
		if (line->name == n + 4 && memcmp(line->start + n, "_TRY", 4) == 0)
			return &entry->try;
	}
	return NULL;
}

static bool is_order(const struct line *line)
{
	return line->name == 5 && memcmp(line->start, "ORDER", 5) == 0;
}

/* As grub.cfg reads it: one digit that it knows; anything else counts as nothing. */
static unsigned read_field(const struct line *line)
{
	char digit = line->start[line->name + 1];

	if (line->size != line->name + 3 || digit < '0' || digit > '0' + TRIAL_BOOTS)
		return 0;
	return (unsigned)(digit - '0');
}

/* Sort the lines into ours and others'; a repeated one counts as GRUB counts: the last.
 */
static void parse(struct env *env, const char *name)
{
	const char *start = env->old + sizeof(ENV_HEADER) - 1;
	const char *end = env->old + ENV_SIZE;
	struct line line;

	for (const char *p = start; line_next(p, end, &line); p += line.size)
		if (is_order(&line))
			read_order(env, p + 6, line.size - 7);
	if (name)
		(void)entry_get(env, name); /* its variables may stand there without it */
	for (const char *p = start; line_next(p, end, &line); p += line.size) {
		unsigned *field = line_field(env, &line);

		if (field)
			*field = read_field(&line);
		else if (!is_order(&line))
			buf_add(&env->others, p, line.size);
	}
}

static void env_close(struct env *env)
{
	cleanup_fd(&env->fd);
	buf_release(&env->others);
}

#define autoenv CLEANUP(env_close) struct env

/* `name`: what the verb is about, or NULL. */
static void env_open(struct env *env, bool writable, const char *name)
{
	const char *path = env_path();
	struct error e;
	struct stat st;

	env->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY);
	if (env->fd < 0 && errno == ENOENT)
		die("%s: there is none; make it with `grub-editenv %s create`, or name "
		    "another with grubenv= in [boot]",
			path, path);
	if (env->fd < 0 && errno == EROFS)
		die("%s: the boot partition is mounted read-only; mount it writable",
			path);
	if (env->fd < 0)
		die("%s: %s", path, strerror(errno));
	/* GRUB cannot be kept out, but a person calling us while osupdate runs can. */
	if (flock(env->fd, writable ? LOCK_EX : LOCK_SH) < 0)
		die("%s: lock: %s", path, strerror(errno));
	if (fstat(env->fd, &st) < 0)
		die("%s: stat: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size != ENV_SIZE)
		die("%s: not a GRUB environment (a file of %d bytes); make it anew with "
		    "`rm %s; grub-editenv %s create`",
			path, ENV_SIZE, path, path);
	if (io_pread_full(env->fd, env->old, ENV_SIZE, 0, &e) < 0)
		die("%s: %s", path, e.text);
	if (memcmp(env->old, ENV_HEADER, sizeof(ENV_HEADER) - 1) != 0)
		die("%s: not a GRUB environment (its first line is another); make it "
		    "anew "
		    "with `rm %s; grub-editenv %s create`",
			path, path, path);
	parse(env, name);
}

/* --- writing ---------------------------------------------------------------------- */

static void print(const struct env *env, struct buf *out)
{
	buf_adds(out, ENV_HEADER "ORDER=");
	for (size_t i = 0; i < env->n; i++)
		buf_addf(out, "%s%s", i ? " " : "", env->entries[i].name);
	buf_adds(out, "\n");
	for (size_t i = 0; i < env->n; i++) {
		const struct entry *entry = &env->entries[i];

		buf_addf(out, "%s_OK=%u\n%s_TRY=%u\n", entry->name, entry->ok,
			entry->name, entry->try);
	}
	if (out->size > SECTOR_SIZE)
		die("%s: the names in ORDER are too long for one sector", env_path());
	buf_add(out, env->others.data, env->others.size);
	if (out->size > ENV_SIZE)
		die("%s: full; remove variables of others with `grub-editenv %s unset "
		    "NAME`",
			env_path(), env_path());
	while (out->size < ENV_SIZE)
		buf_add(out, "#", 1);
}

static void env_save(const struct env *env)
{
	autobuf out = { 0 };
	ssize_t n;

	print(env, &out);
	if (memcmp(out.data, env->old, ENV_SIZE) == 0)
		return;
	n = pwrite(env->fd, out.data, ENV_SIZE, 0);
	if (n != ENV_SIZE)
		die("%s: write: %s", env_path(), n < 0 ? strerror(errno) : "cut short");
	if (fdatasync(env->fd) < 0)
		die("%s: fdatasync: %s", env_path(), strerror(errno));
}

/* --- verbs ------------------------------------------------------------------------ */

/* Move `entry` to the front or the back; the others keep their order. */
static void reorder(struct env *env, const struct entry *entry, bool front)
{
	struct entry moved = *entry;
	size_t at = (size_t)(entry - env->entries);

	if (front)
		memmove(env->entries + 1, env->entries, at * sizeof(moved));
	else
		memmove(env->entries + at, env->entries + at + 1,
			(env->n - at - 1) * sizeof(moved));
	env->entries[front ? 0 : env->n - 1] = moved;
}

static void answer(const char *text)
{
	if (printf("%s\n", text) < 0 || fflush(stdout) != 0)
		die("stdout: %s", strerror(errno));
}

/* The value of osupdate.slot= or rauc.slot= in `word`, NULL if it is neither. */
static const char *slot_of(const char *word)
{
	static const char *const keys[] = { "osupdate.slot=", "rauc.slot=" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strncmp(word, keys[i], strlen(keys[i])) == 0)
			return word + strlen(keys[i]);
	return NULL;
}

static int get_current(const char *name)
{
	const char *found = NULL;
	autobuf text = { 0 };
	struct error e;

	(void)name;
	if (io_read_file_at(AT_FDCWD, "/proc/cmdline", CMDLINE_MAX, &text, &e) < 0)
		die("%s", e.text);
	for (char *word = text.data; word && *word;) {
		char *next = word + strcspn(word, " \t\n");
		const char *value = slot_of(word);

		if (*next)
			*next++ = '\0';
		if (value && found && strcmp(value, found) != 0)
			die("/proc/cmdline names two slots: %s and %s", found, value);
		found = value ? value : found;
		word = next;
	}
	if (!found)
		die("/proc/cmdline has no osupdate.slot= (nor rauc.slot=): grub.cfg must "
		    "pass it");
	if (!name_valid(found, strlen(found)))
		die("/proc/cmdline: osupdate.slot=%s is no boot name", found);
	answer(found);
	return 0;
}

static int get_primary(const char *name)
{
	autoenv env = { .fd = -1 };

	(void)name;
	env_open(&env, false, NULL);
	for (size_t i = 0; i < env.n; i++)
		if (bootable(&env.entries[i])) {
			answer(env.entries[i].name);
			return 0;
		}
	die("%s: no slot in ORDER is bootable; `set-state NAME good` makes one",
		env_path());
}

static int get_state(const char *name)
{
	autoenv env = { .fd = -1 };

	env_open(&env, false, name);
	answer(bootable(entry_get(&env, name)) ? "good" : "bad");
	return 0;
}

static int set_primary(const char *name)
{
	autoenv env = { .fd = -1 };
	struct entry *entry;

	env_open(&env, true, name);
	entry = entry_get(&env, name);
	/* What was confirmed once is not tried again, so it needs no counter. */
	entry->try = entry->ok == 1 ? 0 : TRIAL_BOOTS;
	entry->ok = entry->ok == 1;
	reorder(&env, entry, true);
	env_save(&env);
	return 0;
}

static int set_good(const char *name)
{
	autoenv env = { .fd = -1 };
	struct entry *entry;

	env_open(&env, true, name);
	entry = entry_get(&env, name);
	entry->ok = 1;
	entry->try = 0;
	env_save(&env);
	return 0;
}

static int set_bad(const char *name)
{
	autoenv env = { .fd = -1 };
	struct entry *entry;

	env_open(&env, true, name);
	entry = entry_get(&env, name);
	entry->ok = 0;
	entry->try = 0;
	reorder(&env, entry, false);
	env_save(&env);
	return 0;
}

/* --- command line ----------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int n_args;
	const char *state; /* set-state's second argument */
	int (*run)(const char *name);
} verbs[] = {
	{ "get-current", 0, NULL, get_current },
	{ "get-primary", 0, NULL, get_primary },
	{ "set-primary", 1, NULL, set_primary },
	{ "get-state", 1, NULL, get_state },
	{ "set-state", 2, "good", set_good },
	{ "set-state", 2, "bad", set_bad },
};

int main(int argc, char **argv)
{
	const char *name = argc > 2 ? argv[2] : NULL;

	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *verb = &verbs[i];

		if (strcmp(verb->name, argv[1]) != 0 || verb->n_args != argc - 2 ||
			(verb->state && strcmp(verb->state, argv[3]) != 0))
			continue;
		if (name && !name_valid(name, strlen(name)))
			die("\"%s\" cannot be a boot name with GRUB: letters, digits and "
			    "_, at "
			    "most %d, no digit first; set bootname= in [slot]",
				name, NAME_MAX_LEN);
		return verb->run(name);
	}
	die("usage: %s get-current | get-primary | set-primary NAME | get-state NAME | "
	    "set-state NAME good|bad",
		argv[0]);
}
