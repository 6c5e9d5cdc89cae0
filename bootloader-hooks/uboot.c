/* SPDX-License-Identifier: MIT */
/*
 * U-Boot's hook: BOOT_ORDER, BOOT_<NAME>_OK, _LEFT and _ARGS in its environment.
 * Protocol: README.md.
 *
 * libubootenv's tools know where the environment is and write the older of its two
 * copies.  All of a verb is one such write, so U-Boot sees all of it or nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/subprocess.h"
#include "hook.h"
#include "order.h"

#define ENV_MAX		(1024 * 1024) /* bytes of all variables */
#define SCRIPT_LINE_MAX 1000	      /* fw_setenv cuts lines off at 1022, silently */
#define TIMEOUT_MS	20000	      /* for one tool; osupdate's own is 30 s */

struct env {
	int lock;
	struct buf text; /* NAME=value lines, as printed */
	struct order order;
};

static const char *config_path(void)
{
	return hook_setting("OSUPDATE_FW_ENV_CONFIG", "/etc/fw_env.config");
}

/* BOOT_<NAME>_OK may start with anything that is in a name. */
static bool name_valid(const char *name)
{
	return order_word_valid(name, strlen(name));
}

static struct order_entry *entry_get(struct env *env, const char *name)
{
	struct order_entry *entry = order_get(&env->order, name);

	if (!entry)
		hook_die(
			"%s: more than %d names in BOOT_ORDER", config_path(), ORDER_MAX);
	return entry;
}

/* --- the tools -------------------------------------------------------------------- */

/* Without a default environment, which would be taken silently for a damaged one. */
static void tool_run(const char *tool, const char *option, int stdin_fd, struct buf *ret)
{
	const char *argv[] = { tool, "-c", config_path(), "-f", "", option,
		option ? "-" : NULL, NULL };
	const struct subprocess p = {
		.argv = argv,
		.stdin_fd = stdin_fd,
		.stdout_max = ENV_MAX,
		.timeout_ms = TIMEOUT_MS,
	};
	autobuf err = { 0 };
	struct error e;
	int status = 0;
	int r = subprocess_run(&p, ret, &err, &status, &e);

	if (r == E_NOTFOUND)
		hook_die("%s: there is none; install libubootenv-tool", tool);
	if (r < 0)
		hook_die("%s -c %s: %s", tool, config_path(), e.text);
	if (status != 0)
		hook_die("%s -c %s: exit code %d: %.*s; if both copies of the "
			 "environment are damaged, `env default -a; saveenv` in U-Boot "
			 "makes it anew, then `osupdate confirm`",
			tool, config_path(), status,
			(int)strcspn(err.data ? err.data : "", "\n"),
			err.data ? err.data : "");
}

/* --- reading ---------------------------------------------------------------------- */

/* The value of `name`, NULL when it is not set. */
static const char *var_find(const struct env *env, const char *name, size_t *ret_size)
{
	size_t n = strlen(name);
	const char *found = NULL;

	for (const char *p = env->text.data; p && *p;) {
		size_t size = strcspn(p, "\n");

		if (strncmp(p, name, n) == 0 && p[n] == '=') {
			/* Printed twice: one is inside another's value of several lines.
			 */
			if (found)
				hook_die("%s: the environment has a variable with a "
					 "line \"%s=\" in its value; unset it with "
					 "`fw_setenv -c %s`",
					config_path(), name, config_path());
			found = p + n + 1;
			*ret_size = size - n - 1;
		}
		p += size;
		p += *p == '\n';
	}
	return found;
}

/* BOOT_<NAME>_<WHAT>, one digit; anything else counts as nothing, as in uboot.cmd. */
static unsigned var_digit(const struct env *env, const char *name, const char *what)
{
	autofree char *var = xasprintf("BOOT_%s_%s", name, what);
	size_t size = 0;
	const char *value = var_find(env, var, &size);

	if (!value || size != 1 || *value < '0' || *value > '9')
		return 0;
	return (unsigned)(*value - '0');
}

static void parse(struct env *env, const char *name)
{
	size_t size = 0;
	const char *value = var_find(env, "BOOT_ORDER", &size);

	if (value && !order_read(&env->order, value, size))
		hook_die("%s: BOOT_ORDER=\"%.*s\" is not a list of boot names; mend it "
			 "with `fw_setenv -c %s BOOT_ORDER \"A B\"`",
			config_path(), (int)size, value, config_path());
	if (name)
		(void)entry_get(env, name); /* its variables may stand there without it */
	for (size_t i = 0; i < env->order.n; i++) {
		struct order_entry *entry = &env->order.entries[i];

		entry->ok = var_digit(env, entry->name, "OK");
		entry->try = var_digit(env, entry->name, "LEFT");
	}
}

static void env_close(struct env *env)
{
	cleanup_fd(&env->lock);
	buf_release(&env->text);
}

#define autoenv CLEANUP(env_close) struct env

/* `name`: what the verb is about, or NULL. */
static void env_open(struct env *env, bool writable, const char *name)
{
	const char *path = config_path();

	env->lock = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (env->lock < 0 && errno == ENOENT)
		hook_die("%s: there is none; write it (it says where U-Boot's "
			 "environment is), or name another with fw-env-config= in [boot]",
			path);
	if (env->lock < 0)
		hook_die("%s: %s", path, strerror(errno));
	/* The tools lock each of their calls, but not from reading to writing. */
	if (flock(env->lock, writable ? LOCK_EX : LOCK_SH) < 0)
		hook_die("%s: lock: %s", path, strerror(errno));
	tool_run("fw_printenv", NULL, -1, &env->text);
	if (env->text.size && strlen(env->text.data) != env->text.size)
		hook_die("%s: the environment has a NUL in it", path);
	parse(env, name);
}

/* --- writing ---------------------------------------------------------------------- */

/* A line of fw_setenv's script, if it changes anything.  An empty value unsets. */
static void set_var(
	const struct env *env, const char *name, const char *value, struct buf *script)
{
	size_t size = 0;
	const char *old = var_find(env, name, &size);
	size_t n = strlen(value);

	if (old ? size == n && memcmp(old, value, n) == 0 : n == 0)
		return;
	if (strlen(name) + n + 1 > SCRIPT_LINE_MAX)
		hook_die("%s: longer than the %d bytes that fw_setenv takes; shorten the "
			 "release's kernel arguments",
			name, SCRIPT_LINE_MAX);
	buf_addf(script, "%s=%s\n", name, value);
}

static void set_entry(
	const struct env *env, const struct order_entry *entry, struct buf *script)
{
	autofree char *ok = xasprintf("BOOT_%s_OK", entry->name);
	autofree char *left = xasprintf("BOOT_%s_LEFT", entry->name);
	char digit[2] = "";

	digit[0] = (char)('0' + entry->ok);
	set_var(env, ok, digit, script);
	digit[0] = (char)('0' + entry->try);
	set_var(env, left, digit, script);
}

/* With `args` also the kernel arguments of the slot `name`. */
static void env_save(const struct env *env, const char *name, const char *args)
{
	autofree char *args_name = args ? xasprintf("BOOT_%s_ARGS", name) : NULL;
	autobuf order = { 0 };
	autobuf script = { 0 };
	autofd fd = -1;
	struct error e;

	for (size_t i = 0; i < env->order.n; i++) {
		buf_addf(&order, "%s%s", i ? " " : "", env->order.entries[i].name);
		set_entry(env, &env->order.entries[i], &script);
	}
	set_var(env, "BOOT_ORDER", order.data ? order.data : "", &script);
	if (args)
		set_var(env, args_name, args, &script);
	if (script.size == 0) {
		/* A call before may have been killed between its write and its sync, and
		 * writing again would wear flash. */
		sync();
		return;
	}
	fd = memfd_create("uboot", MFD_CLOEXEC);
	if (fd < 0)
		hook_die("memfd_create: %s", strerror(errno));
	if (io_pwrite_full(fd, script.data, script.size, 0, &e) < 0)
		hook_die("variables for fw_setenv: %s", e.text);
	tool_run("fw_setenv", "-s", fd, NULL); /* which syncs */
}

/* --- verbs ------------------------------------------------------------------------ */

static void get_primary(void)
{
	autoenv env = { .lock = -1 };
	const struct order_entry *primary;

	env_open(&env, false, NULL);
	primary = order_primary(&env.order);
	if (!primary)
		hook_die("%s: no slot in BOOT_ORDER is bootable; `set-state NAME good` "
			 "makes one",
			config_path());
	hook_answer(primary->name);
}

static bool is_good(const char *name)
{
	autoenv env = { .lock = -1 };

	env_open(&env, false, name);
	return order_bootable(entry_get(&env, name));
}

/* U-Boot's shell drops quotes and backslashes of a value, and $ and ` may be its own. */
static const char *kernel_arguments(void)
{
	const char *args = hook_setting("OSUPDATE_KERNEL_ARGUMENTS", "");

	for (const char *p = args; *p; p++)
		if (*p < ' ' || *p > '~' || strchr("'\\$`", *p))
			hook_die("kernel arguments \"%s\": U-Boot's shell does not keep "
				 "character %zu as it is; make a release without it",
				args, (size_t)(p - args) + 1);
	return args;
}

static void set_primary(const char *name)
{
	autoenv env = { .lock = -1 };
	const char *args = kernel_arguments();

	env_open(&env, true, name);
	order_set_primary(&env.order, entry_get(&env, name));
	env_save(&env, name, args);
}

static void set_good(const char *name)
{
	autoenv env = { .lock = -1 };

	env_open(&env, true, name);
	order_set_good(entry_get(&env, name));
	env_save(&env, NULL, NULL);
}

static void set_bad(const char *name)
{
	autoenv env = { .lock = -1 };

	env_open(&env, true, name);
	order_set_bad(&env.order, entry_get(&env, name));
	env_save(&env, NULL, NULL);
}

static const struct loader uboot = {
	.name_valid = name_valid,
	.name_rule = "letters, digits and _, at most 31",
	.get_primary = get_primary,
	.set_primary = set_primary,
	.is_good = is_good,
	.set_good = set_good,
	.set_bad = set_bad,
};

int main(int argc, char **argv)
{
	return hook_main(&uboot, argc, argv);
}
