/* SPDX-License-Identifier: MIT */
/* Health checks: see health.h. */
#include "update/health.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/subprocess.h"
#include "base/text.h"
#include "base/trusted.h"

#define OUTPUT_MAX	     (1 << 20) /* of one check; more fails it */
#define SYSTEMCTL_TIMEOUT_MS 30000

/* Where checks stand, in the order they are run. */
static const char *const places[] = { "/usr/lib/osupdate/health", "/etc/osupdate/health",
	"/usr/lib/greenboot/check", "/etc/greenboot/check" };

struct run {
	const struct health_options *options;
	struct health *health;
	int64_t deadline_ms;
};

void health_release(struct health *h)
{
	buf_release(&h->log);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with this clock */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- one result ------------------------------------------------------------------- */

/* The last line of what it printed: where scripts say why they end. */
static void last_line(const struct buf *text, struct buf *out)
{
	const char *end = text->data + text->size;
	const char *start;

	while (end > text->data && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	for (start = end; start > text->data && start[-1] != '\n';)
		start--;
	if (end - start > 120)
		end = start + 120;
	text_escape(out,
		(struct bytes){ (const unsigned char *)start, (size_t)(end - start) },
		false);
}

static void failed(
	struct run *run, bool required, const char *reason, const struct buf *text)
{
	struct health *h = run->health;

	progress_note(run->options->progress, "%s health check failed: %s",
		required ? "required" : "wanted", reason);
	if (!required)
		h->n_wanted_failed++;
	else if (h->n_required_failed++ == 0)
		(void)snprintf(h->reason, sizeof(h->reason), "%s", reason);
	buf_addf(&h->log, "%s health check failed: %s\n",
		required ? "required" : "wanted", reason);
	if (text && text->size)
		buf_add(&h->log, text->data, text->size);
	if (h->log.size && h->log.data[h->log.size - 1] != '\n')
		buf_adds(&h->log, "\n");
}

/* --- scripts ---------------------------------------------------------------------- */

/* Standard output and error as one text: what a person would have seen. */
static int run_script(const char *path, int timeout_ms, struct buf *text, int *ret_status,
	struct error *e)
{
	const char *const argv[] = { path, NULL };
	const struct subprocess p = {
		.argv = argv,
		.stdin_fd = -1,
		.stdout_max = OUTPUT_MAX,
		.timeout_ms = timeout_ms,
	};
	autobuf err = { 0 };
	int r = subprocess_run(&p, text, &err, ret_status, e);

	if (text->size && text->data[text->size - 1] != '\n' && err.size)
		buf_adds(text, "\n");
	if (err.size)
		buf_add(text, err.data, err.size);
	return r;
}

static void run_check(struct run *run, const char *path, bool required)
{
	int64_t left = run->deadline_ms - now_ms();
	int timeout_ms = run->options->check_timeout_ms;
	autobuf text = { 0 };
	autobuf reason = { 0 };
	struct error why = { 0 };
	int status = 0;
	int r;

	run->health->n_checks++;
	buf_addf(&reason, "%s: ", path);
	if (left <= 0) {
		buf_adds(&reason, "not run, the checks before it took all the time");
		failed(run, required, reason.data, NULL);
		return;
	}
	timeout_ms = left < timeout_ms ? (int)left : timeout_ms;
	r = run_script(path, timeout_ms, &text, &status, &why);
	if (r == 0 && status == 0)
		return;
	if (r < 0 && why.sys == ETIMEDOUT)
		buf_addf(&reason, "no end within %d s", (timeout_ms + 999) / 1000);
	else if (r < 0)
		buf_adds(&reason, why.text);
	else
		buf_addf(&reason, "exit code %d%s", status, text.size ? ": " : "");
	if (r == 0 && text.size)
		last_line(&text, &reason);
	failed(run, required, reason.data, &text);
}

/* Executable regular files that only root may have written, names as run-parts(8). */
static int usable(int dirfd, const char *dir, const char *name, struct error *e)
{
	autofree char *path = xasprintf("%s/%s", dir, name);
	autofd own = -1;
	autofd fd = -1;
	struct stat st;

	if (name[0] == '.' || name[strlen(name) - 1] == '~')
		return 0;
	fd = openat(dirfd, name, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		!(st.st_mode & S_IXUSR))
		return 0;
	if (trusted_open(path, O_PATH, &own, e) < 0)
		return err_prefix(e, E_UNTRUSTED, "health check");
	return 1;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int run_named(struct run *run, int dirfd, const char *dir, bool required,
	char **names, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		autofree char *path = xasprintf("%s/%s", dir, names[i]);
		int r = progress_check(run->options->progress, e);

		if (r == 0)
			r = usable(dirfd, dir, names[i], e);
		if (r < 0)
			return r;
		if (r > 0)
			run_check(run, path, required);
	}
	return 0;
}

static int run_dir(struct run *run, const char *place, bool required, struct error *e)
{
	autofree char *dir =
		xasprintf("%s/%s.d", place, required ? "required" : "wanted");
	autofd fd = -1;
	int r = trusted_open(dir, O_RDONLY | O_DIRECTORY, &fd, e);
	autofd own = -1;
	char **names = NULL;
	size_t n = 0;
	size_t cap = 0;
	DIR *d;

	if (r < 0)
		return r == E_NOTFOUND ? 0 : r;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	d = own < 0 ? NULL : fdopendir(own);
	if (!d)
		return err_sys(e, "%s", dir);
	(void)take_fd(&own); /* closedir's now */
	for (struct dirent *entry = readdir(d); r == 0 && entry; entry = readdir(d)) {
		ARRAY_GROW(names, n, cap);
		names[n++] = xstrdup(entry->d_name);
	}
	(void)closedir(d);
	if (n)
		qsort(names, n, sizeof(*names), compare);
	if (r == 0)
		r = run_named(run, fd, dir, required, names, n, e);
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return r;
}

/* --- boot-complete.target ----------------------------------------------------------- */

static int systemctl(const char *const *argv, struct buf *ret, struct error *e)
{
	const struct subprocess p = {
		.argv = argv,
		.stdin_fd = -1,
		.stdout_max = 65536,
		.timeout_ms = SYSTEMCTL_TIMEOUT_MS,
	};
	int status;

	return subprocess_run(&p, ret, NULL, &status, e);
}

/* systemctl show prints "Job=" and its number, or nothing where there is none. */
static bool has_job(const char *shown)
{
	const char *job = strstr(shown, "Job=");

	return job && job[4] >= '1' && job[4] <= '9';
}

/* Where systemd runs: everything that boot-complete.target requires must be up. */
static int check_boot_complete(struct run *run, struct error *e)
{
	static const char *const show[] = { "systemctl", "show", "--property=ActiveState",
		"--property=Job", "boot-complete.target", NULL };
	static const char *const failures[] = { "systemctl", "--failed", "--plain",
		"--no-legend", "--no-pager", NULL };
	autobuf state = { 0 };
	autobuf units = { 0 };
	autobuf reason = { 0 };
	struct error why;
	int r;

	if (access("/run/systemd/system", F_OK) < 0) /* sd_booted(3) */
		return 0;
	r = systemctl(show, &state, e);
	if (r < 0)
		return r;
	run->health->n_checks++;
	if (state.data && strstr(state.data, "ActiveState=active"))
		return 0;
	if (state.data && has_job(state.data))
		return err_set(e, E_BUSY,
			"the system is still coming up (boot-complete.target is not "
			"reached yet)");
	buf_adds(&reason, "boot-complete.target was not reached");
	if (systemctl(failures, &units, &why) == 0 && units.size)
		buf_addf(&reason, ": %.*s failed", (int)strcspn(units.data, " \n"),
			units.data);
	failed(run, true, reason.data, &units);
	return 0;
}

int health_run(const struct health_options *o, struct health *ret, struct error *e)
{
	autohealth h = { 0 };
	struct run run = {
		.options = o, .health = &h, .deadline_ms = now_ms() + o->total_timeout_ms
	};
	int r = check_boot_complete(&run, e);

	for (int required = 1; required >= 0; required--)
		for (size_t i = 0; r == 0 && i < sizeof(places) / sizeof(places[0]); i++)
			r = run_dir(&run, places[i], required == 1, e);
	if (r < 0)
		return r;
	*ret = h;
	h = (struct health){ 0 };
	return 0;
}
