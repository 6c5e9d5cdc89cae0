/* SPDX-License-Identifier: MIT */
/*
 * GRUB's hook: ORDER, <NAME>_OK and <NAME>_TRY in a grubenv.  Protocol: README.md.
 *
 * The file is GRUB's too, which writes its blocks in place and never replays a
 * journal.  So do we: the same 1024 bytes, one pwrite, fdatasync; never truncated,
 * never renamed.  What decides about booting fills the first sector and kernel arguments
 * stand in the second; a change of both is two writes, so each touches one sector.
 * All other lines are kept as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "hook.h"
#include "order.h"

#define ENV_SIZE    1024 /* GRUB_DEFAULT_ENVBLK_SIZE */
#define ENV_HEADER  "# GRUB Environment Block\n"
#define SECTOR_SIZE 512

struct env {
	int fd;
	char old[ENV_SIZE];
	struct order order;
	struct buf arguments; /* <NAME>_ARGS lines, raw */
	struct buf others;    /* lines of others, raw */
};

struct line {
	const char *start;
	size_t size; /* with its newline */
	size_t name; /* length of the name; 0 for a comment */
};

static const char *env_path(void)
{
	return hook_setting("OSUPDATE_GRUBENV", "/boot/grub/grubenv");
}

/* --- names ------------------------------------------------------------------------ */

/* What GRUB takes for a variable's name, since <NAME>_OK is one. */
static bool name_valid(const char *name)
{
	return order_word_valid(name, strlen(name)) && !(*name >= '0' && *name <= '9');
}

/* The entry of that name, made if there is none. */
static struct order_entry *entry_get(struct env *env, const char *name)
{
	struct order_entry *entry = order_get(&env->order, name);

	if (!entry)
		hook_die("%s: more than %d names in ORDER", env_path(), ORDER_MAX);
	return entry;
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
		hook_die("%s: damaged at byte %zu; make it anew with `grub-editenv %s "
			 "create`, then "
			 "`osupdate confirm`",
			env_path(), (size_t)(p - (end - ENV_SIZE)), env_path());
	ret->size = (size_t)(q - p) + 1;
	return true;
}

static void read_order(struct env *env, const char *value, size_t n)
{
	bool valid = order_read(&env->order, value, n);

	for (size_t i = 0; valid && i < env->order.n; i++)
		valid = name_valid(env->order.entries[i].name);
	if (!valid)
		hook_die("%s: ORDER=\"%.*s\" is not a list of boot names; mend it with "
			 "`grub-editenv %s set \"ORDER=A B\"`",
			env_path(), (int)n, value, env_path());
}

/* The entry and field a line is about, NULL when it is not ours. */
static unsigned *line_field(struct env *env, const struct line *line)
{
	for (size_t i = 0; i < env->order.n; i++) {
		struct order_entry *entry = &env->order.entries[i];
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

static bool is_arguments_of(const struct line *line, const char *name)
{
	size_t n = strlen(name);

	return line->name == n + 5 && memcmp(line->start, name, n) == 0 &&
	       memcmp(line->start + n, "_ARGS", 5) == 0;
}

static bool is_arguments(const struct env *env, const struct line *line)
{
	for (size_t i = 0; i < env->order.n; i++)
		if (is_arguments_of(line, env->order.entries[i].name))
			return true;
	return false;
}

/* The comment that fills the first sector: nothing but #. */
static bool is_filler(const struct line *line)
{
	size_t n = 0;

	while (n < line->size && line->start[n] == '#')
		n++;
	return n + 1 == line->size;
}

/* As grub.cfg reads it: one digit that it knows; anything else counts as nothing. */
static unsigned read_field(const struct line *line)
{
	char digit = line->start[line->name + 1];

	if (line->size != line->name + 3 || digit < '0' ||
		digit > '0' + ORDER_TRIAL_BOOTS)
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
		else if (is_arguments(env, &line))
			buf_add(&env->arguments, p, line.size);
		else if (!is_order(&line) && !is_filler(&line))
			buf_add(&env->others, p, line.size);
	}
}

static void env_close(struct env *env)
{
	cleanup_fd(&env->fd);
	buf_release(&env->arguments);
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
		hook_die("%s: there is none; make it with `grub-editenv %s create`, or "
			 "name "
			 "another with grubenv= in [boot]",
			path, path);
	if (env->fd < 0 && errno == EROFS)
		hook_die("%s: the boot partition is mounted read-only; mount it writable",
			path);
	if (env->fd < 0)
		hook_die("%s: %s", path, strerror(errno));
	/* GRUB cannot be kept out, but a person calling us while osupdate runs can. */
	if (flock(env->fd, writable ? LOCK_EX : LOCK_SH) < 0)
		hook_die("%s: lock: %s", path, strerror(errno));
	if (fstat(env->fd, &st) < 0)
		hook_die("%s: stat: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size != ENV_SIZE)
		hook_die("%s: not a GRUB environment (a file of %d bytes); make it anew "
			 "with "
			 "`rm %s; grub-editenv %s create`",
			path, ENV_SIZE, path, path);
	if (io_pread_full(env->fd, env->old, ENV_SIZE, 0, &e) < 0)
		hook_die("%s: %s", path, e.text);
	if (memcmp(env->old, ENV_HEADER, sizeof(ENV_HEADER) - 1) != 0)
		hook_die(
			"%s: not a GRUB environment (its first line is another); make it "
			"anew "
			"with `rm %s; grub-editenv %s create`",
			path, path, path);
	parse(env, name);
}

/* --- writing ---------------------------------------------------------------------- */

static void print_ours(const struct env *env, struct buf *out)
{
	buf_adds(out, ENV_HEADER "ORDER=");
	for (size_t i = 0; i < env->order.n; i++)
		buf_addf(out, "%s%s", i ? " " : "", env->order.entries[i].name);
	buf_adds(out, "\n");
	for (size_t i = 0; i < env->order.n; i++) {
		const struct order_entry *entry = &env->order.entries[i];

		buf_addf(out, "%s_OK=%u\n%s_TRY=%u\n", entry->name, entry->ok,
			entry->name, entry->try);
	}
	if (out->size > SECTOR_SIZE - 2)
		hook_die(
			"%s: the names in ORDER are too long for one sector", env_path());
}

/* Others' lines while they leave room for a filler, which is two bytes at least; returns
 * where the first stands that does not. */
static const char *print_others(const struct env *env, struct buf *out)
{
	const char *p = env->others.data;
	const char *end;
	struct line line;

	if (!env->others.size)
		return NULL;
	end = p + env->others.size;
	for (; p < end && line_next(p, end, &line); p += line.size) {
		if (out->size + line.size > SECTOR_SIZE - 2)
			break;
		buf_add(out, p, line.size);
	}
	return p;
}

static void print(const struct env *env, struct buf *out)
{
	const char *rest;

	print_ours(env, out);
	rest = print_others(env, out);
	while (out->size < SECTOR_SIZE - 1)
		buf_add(out, "#", 1);
	buf_adds(out, "\n");
	if (env->arguments.size)
		buf_add(out, env->arguments.data, env->arguments.size);
	if (rest)
		buf_add(out, rest, (size_t)(env->others.data + env->others.size - rest));
	if (out->size > ENV_SIZE)
		hook_die(
			"%s: full: kernel arguments of %zu bytes leave no room; shorten "
			"the release's, or remove variables of others with `grub-editenv "
			"%s unset NAME`",
			env_path(), env->arguments.size, env_path());
	while (out->size < ENV_SIZE)
		buf_add(out, "#", 1);
}

static void env_save(struct env *env)
{
	autobuf out = { 0 };
	ssize_t n;

	print(env, &out);
	if (memcmp(out.data, env->old, ENV_SIZE) != 0) {
		n = pwrite(env->fd, out.data, ENV_SIZE, 0);
		if (n != ENV_SIZE)
			hook_die("%s: write: %s", env_path(),
				n < 0 ? strerror(errno) : "cut short");
	}
	/* Also when nothing changed: a call before may have been killed just here. */
	if (fdatasync(env->fd) < 0)
		hook_die("%s: fdatasync: %s", env_path(), strerror(errno));
	memcpy(env->old, out.data, ENV_SIZE);
}

/* Exchange the slot's kernel arguments, as GRUB quotes values: only the backslash. */
static void set_arguments(struct env *env, const char *name, const char *arguments)
{
	const char *p = env->arguments.data;
	const char *end = p ? p + env->arguments.size : NULL;
	struct buf lines = { 0 };
	struct line line;

	for (; p && p < end && line_next(p, end, &line); p += line.size)
		if (!is_arguments_of(&line, name))
			buf_add(&lines, p, line.size);
	if (*arguments) {
		buf_addf(&lines, "%s_ARGS=", name);
		for (const char *c = arguments; *c; c++)
			buf_addf(&lines, *c == '\\' ? "\\%c" : "%c", *c);
		buf_adds(&lines, "\n");
	}
	buf_release(&env->arguments);
	env->arguments = lines;
}

/* --- verbs ------------------------------------------------------------------------ */

static void get_primary(void)
{
	autoenv env = { .fd = -1 };
	const struct order_entry *primary;

	env_open(&env, false, NULL);
	primary = order_primary(&env.order);
	if (!primary)
		hook_die("%s: no slot in ORDER is bootable; `set-state NAME good` makes "
			 "one",
			env_path());
	hook_answer(primary->name);
}

static bool is_good(const char *name)
{
	autoenv env = { .fd = -1 };

	env_open(&env, false, name);
	return order_bootable(entry_get(&env, name));
}

static void set_primary(const char *name)
{
	const char *arguments = getenv("OSUPDATE_KERNEL_ARGUMENTS");
	autoenv env = { .fd = -1 };

	env_open(&env, true, name);
	if (arguments) {
		set_arguments(&env, name, arguments);
		env_save(&env); /* there before anything boots with them */
	}
	order_set_primary(&env.order, entry_get(&env, name));
	env_save(&env);
}

static void set_good(const char *name)
{
	autoenv env = { .fd = -1 };

	env_open(&env, true, name);
	order_set_good(entry_get(&env, name));
	env_save(&env);
}

static void set_bad(const char *name)
{
	autoenv env = { .fd = -1 };

	env_open(&env, true, name);
	order_set_bad(&env.order, entry_get(&env, name));
	env_save(&env);
}

static const struct loader grub = {
	.name_valid = name_valid,
	.name_rule = "letters, digits and _, at most 31, no digit first",
	.get_primary = get_primary,
	.set_primary = set_primary,
	.is_good = is_good,
	.set_good = set_good,
	.set_bad = set_bad,
};

int main(int argc, char **argv)
{
	return hook_main(&grub, argc, argv);
}
