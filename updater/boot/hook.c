/* SPDX-License-Identifier: MIT */
/*
 * Running boot loader hooks: see hook.h.  A hook runs as root, so only root may have
 * written it; what it prints is foreign text all the same and checked before use.
 */
#include "boot/hook.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "base/trusted.h"

#define HOOK_PATH    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HOOK_KEY_MAX 40
#define REASON_MAX   300 /* bytes shown of the hook's first line of stderr */

/* One call; `state` only for set-state. */
struct call {
	const char *verb;
	const struct hook_subject *subject;
	const char *state;
};

/* --- opening ---------------------------------------------------------------------- */

bool hook_key_valid(const char *key)
{
	static const char *const ours[] = { "slot", "device", "root", "commit", "version",
		"kernel-arguments" };
	size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (n == 0 || key[n] != '\0' || n > HOOK_KEY_MAX || key[0] < 'a')
		return false;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(key, ours[i]) == 0)
			return false;
	return true;
}

/* "grub, uboot": what a wrong name could have meant. */
static char *list_hooks(const char *dir)
{
	struct buf names = { 0 };
	DIR *d = opendir(dir);

	for (struct dirent *entry = d ? readdir(d) : NULL; entry; entry = readdir(d))
		if (entry->d_name[0] != '.')
			buf_addf(&names, "%s%s", names.size ? ", " : "", entry->d_name);
	if (d)
		(void)closedir(d);
	return buf_take(&names);
}

static int not_found(
	const char *hooks_dir, const char *name, const char *path, struct error *e)
{
	autofree char *have = name[0] == '/' ? NULL : list_hooks(hooks_dir);

	if (!have)
		return err_set(e, E_NOTFOUND,
			"boot loader hook %s: no such file; set hook= in [boot] to the "
			"absolute path of an executable, or to the name of one that is "
			"installed",
			path);
	return err_set(e, E_NOTFOUND,
		"boot loader hook \"%s\": no such file in %s (there %s%s); set hook= in "
		"[boot] "
		"to one of them or to an absolute path",
		name, hooks_dir, *have ? "are: " : "are none", have);
}

/*
 * One of the installed hooks: who may write its directory may replace it. What is above
 * has this program in it, too.
 */
static int open_installed(
	const char *hooks_dir, const char *path, int *ret_fd, struct error *e)
{
	autofd dir = open(hooks_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autofd fd = open(path, O_PATH | O_CLOEXEC);
	int r;

	if (dir < 0 || fd < 0)
		return err_sys(e, "%s", path);
	r = io_require_root_owned(fd, path, e);
	if (r == 0)
		r = io_require_root_owned(dir, hooks_dir, e);
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}

static int check_file(
	const char *hooks_dir, const char *name, const char *path, struct error *e)
{
	autofd fd = -1;
	struct stat st;
	int r = name[0] == '/' ? trusted_open(path, O_PATH, &fd, e)
			       : open_installed(hooks_dir, path, &fd, e);

	if (r == E_NOTFOUND)
		return not_found(hooks_dir, name, path, e);
	if (r < 0)
		return err_prefix(e, r, "boot loader hook");
	if (fstat(fd, &st) < 0)
		return err_sys(e, "boot loader hook %s: stat", path);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & S_IXUSR))
		return err_set(e, E_UNTRUSTED,
			"boot loader hook %s: not an executable file; chmod +x it, or "
			"set "
			"hook= in [boot] to another",
			path);
	return 0;
}

/* grubenv=/x becomes OSUPDATE_GRUBENV=/x. */
static char *env_of_key(const char *key, const char *value)
{
	struct buf out = { 0 };

	buf_adds(&out, "OSUPDATE_");
	for (const char *p = key; *p; p++) {
		char c = *p == '-' ? '_' : *p;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		buf_add(&out, &c, 1);
	}
	buf_addf(&out, "=%s", value);
	return buf_take(&out);
}

int hook_open(const char *hooks_dir, const char *name, const char *const *keys,
	int timeout_ms, struct hook *ret, struct error *e)
{
	autofree char *path =
		name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", hooks_dir, name);
	size_t n = 0;
	int r;

	if (name[0] != '/' && (!*name || *name == '.' || strchr(name, '/')))
		return err_set(e, E_NOTFOUND,
			"boot loader hook \"%s\": neither an absolute path nor a name in "
			"%s",
			name, hooks_dir);
	for (; keys && keys[n * 2]; n++)
		if (!hook_key_valid(keys[n * 2]))
			return err_set(e, E_INPUT,
				"[boot] %s: not a key a hook can be given", keys[n * 2]);
	r = check_file(hooks_dir, name, path, e);
	if (r < 0)
		return r;
	ret->path = take_ptr(&path);
	ret->timeout_ms = timeout_ms;
	ret->env = xcalloc(n + 1, sizeof(*ret->env));
	for (size_t i = 0; i < n; i++)
		ret->env[i] = env_of_key(keys[i * 2], keys[i * 2 + 1]);
	return 0;
}

void hook_release(struct hook *h)
{
	if (!h)
		return;
	for (char **p = h->env; p && *p; p++)
		free(*p);
	free(h->env);
	free(h->path);
	*h = (struct hook){ 0 };
}

/* --- running ---------------------------------------------------------------------- */

static const char *base_name(const struct hook *h)
{
	return strrchr(h->path, '/') + 1;
}

/* "boot loader hook grub: set-state B bad" */
static char *describe(const struct hook *h, const struct call *c)
{
	return xasprintf("boot loader hook %s: %s%s%s%s%s", base_name(h), c->verb,
		c->subject ? " " : "", c->subject ? c->subject->slot->bootname : "",
		c->state ? " " : "", c->state ? c->state : "");
}

static void add_env(char **env, size_t *n, const char *name, const char *value)
{
	if (value)
		env[(*n)++] = xasprintf("%s=%s", name, value);
}

static char **make_env(const struct hook *h, const struct hook_subject *s)
{
	size_t n_keys = 0;
	size_t n = 0;
	char **env;

	while (h->env && h->env[n_keys])
		n_keys++;
	env = xcalloc(n_keys + 9, sizeof(*env));
	env[n++] = xstrdup(HOOK_PATH);
	env[n++] = xstrdup("LC_ALL=C");
	for (size_t i = 0; i < n_keys; i++)
		env[n++] = xstrdup(h->env[i]);
	if (!s)
		return env;
	add_env(env, &n, "OSUPDATE_SLOT", s->slot->name);
	add_env(env, &n, "OSUPDATE_DEVICE", s->slot->device);
	add_env(env, &n, "OSUPDATE_ROOT", s->root);
	add_env(env, &n, "OSUPDATE_COMMIT", s->commit);
	add_env(env, &n, "OSUPDATE_VERSION", s->version);
	add_env(env, &n, "OSUPDATE_KERNEL_ARGUMENTS", s->arguments);
	return env;
}

static void free_env(char **env)
{
	for (char **p = env; *p; p++)
		free(*p);
	free(env);
}

/* The first line, safe to print; "" when there is none. */
static char *first_line(const struct buf *text)
{
	struct buf out = { 0 };
	size_t n = text->data ? strcspn(text->data, "\r\n") : 0;

	if (n > REASON_MAX)
		n = REASON_MAX;
	text_escape(&out, (struct bytes){ (const unsigned char *)text->data, n }, false);
	return buf_take(&out);
}

/* The hook could not be run to its end: `why` says how. */
static int not_run(
	const struct hook *h, const char *what, const struct error *why, struct error *e)
{
	int sys = why->sys;

	if (sys == ETIMEDOUT)
		(void)err_set(e, E_SYSTEM,
			"%s: no end within %d s; raise timeout= in [boot] if it needs "
			"longer",
			what, h->timeout_ms / 1000);
	else
		(void)err_set(e, E_SYSTEM, "%s: %s", what, why->text);
	if (e)
		e->sys = sys;
	return E_SYSTEM;
}

static int run(
	const struct hook *h, const struct call *c, struct buf *ret, struct error *e)
{
	const char *argv[] = { h->path, c->verb,
		c->subject ? c->subject->slot->bootname : NULL, c->state, NULL };
	char **env = make_env(h, c->subject);
	struct subprocess p = {
		.argv = argv,
		.env = (const char *const *)env,
		.stdin_fd = -1,
		.stdout_max = HOOK_STDOUT_MAX,
		.timeout_ms = h->timeout_ms,
	};
	autofree char *what = describe(h, c);
	autofree char *reason = NULL;
	autobuf err = { 0 };
	struct error why;
	int status = 0;
	int r = subprocess_run(&p, ret, &err, &status, &why);

	free_env(env);
	if (r < 0)
		return not_run(h, what, &why, e);
	if (status == 0)
		return 0;
	reason = first_line(&err);
	return err_set(e, E_SYSTEM, "%s: exit code %d: %s", what, status,
		*reason ? reason : "it gave no reason; run it by hand to see why");
}

/* Run and take the answer: one line. */
static int ask(const struct hook *h, const struct call *c, char **ret, struct error *e)
{
	autobuf out = { 0 };
	int r = run(h, c, &out, e);

	if (r < 0)
		return r;
	if (out.size && out.data[out.size - 1] == '\n')
		out.data[--out.size] = '\0';
	/* A NUL inside would hide what follows it. */
	if (out.size && memchr(out.data, '\0', out.size))
		out.data[0] = '\0';
	*ret = buf_take(&out);
	return 0;
}

static int bad_answer(const struct hook *h, const struct call *c, const char *answer,
	const char *wanted, struct error *e)
{
	autofree char *what = describe(h, c);
	autobuf shown = { 0 };

	text_escape(&shown, bytes_of(answer), false);
	return err_set(e, E_SYSTEM, "%s: answered \"%s\", which is not %s", what,
		shown.data ? shown.data : "", wanted);
}

static int ask_name(const struct hook *h, const char *verb, char ret[SLOT_NAME_MAX + 1],
	struct error *e)
{
	const struct call c = { .verb = verb };
	autofree char *answer = NULL;
	int r = ask(h, &c, &answer, e);

	if (r < 0)
		return r;
	if (!slot_name_valid(answer))
		return bad_answer(h, &c, answer, "a boot name", e);
	(void)snprintf(ret, SLOT_NAME_MAX + 1, "%s", answer);
	return 0;
}

int hook_get_current(const struct hook *h, char ret[SLOT_NAME_MAX + 1], struct error *e)
{
	return ask_name(h, "get-current", ret, e);
}

int hook_get_primary(const struct hook *h, char ret[SLOT_NAME_MAX + 1], struct error *e)
{
	return ask_name(h, "get-primary", ret, e);
}

int hook_set_primary(const struct hook *h, const struct hook_subject *s, struct error *e)
{
	const struct call c = { .verb = "set-primary", .subject = s };
	autobuf ignored = { 0 };

	return run(h, &c, &ignored, e);
}

int hook_get_state(const struct hook *h, const struct hook_subject *s,
	enum boot_state *ret, struct error *e)
{
	const struct call c = { .verb = "get-state", .subject = s };
	autofree char *answer = NULL;
	int r = ask(h, &c, &answer, e);

	if (r < 0)
		return r;
	if (strcmp(answer, "good") == 0)
		*ret = BOOT_GOOD;
	else if (strcmp(answer, "bad") == 0)
		*ret = BOOT_BAD;
	else
		return bad_answer(h, &c, answer, "good or bad", e);
	return 0;
}

int hook_set_state(const struct hook *h, const struct hook_subject *s,
	enum boot_state state, struct error *e)
{
	const struct call c = {
		.verb = "set-state",
		.subject = s,
		.state = state == BOOT_GOOD ? "good" : "bad",
	};
	autobuf ignored = { 0 };

	return run(h, &c, &ignored, e);
}
