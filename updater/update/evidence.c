/* SPDX-License-Identifier: MIT */
/*
 * Why did the trial end?  Asked on the boot after it (failure_find in failure.h), most
 * telling source first: the kernel's last words in pstore, the journal of the boot that
 * failed; else only whether the release ever came so far as to run osupdate.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/subprocess.h"
#include "update/failure.h"
#include "update/state-text.h"

#define PSTORE_FILE_MAX	   (1 << 20)
#define PSTORE_DEPTH	   3 /* systemd-pstore archives in directories */
#define JOURNAL_MAX	   65536
#define JOURNAL_TIMEOUT_MS 20000
#define CLOCK_SLACK_S	   2 /* between our file's time and the kernel's */

static const char panic_mark[] = "Kernel panic - not syncing: ";

/* --- pstore ----------------------------------------------------------------------- */

/* The newest record of a panic that is not older than the trial. */
struct dump {
	int64_t since;
	int64_t time;
	struct buf text;
};

static void read_dump(int dirfd, const char *name, const struct stat *st, struct dump *d)
{
	struct buf text = { 0 };
	struct error why;

	if (st->st_mtim.tv_sec < d->since || st->st_mtim.tv_sec < d->time ||
		io_read_file_at(dirfd, name, PSTORE_FILE_MAX, &text, &why) < 0 ||
		!text.size ||
		!memmem(text.data, text.size, panic_mark, strlen(panic_mark))) {
		buf_release(&text);
		return;
	}
	buf_release(&d->text);
	d->text = text;
	d->time = st->st_mtim.tv_sec;
}

static void search_dumps(int dirfd, int depth, struct dump *d)
{
	autofd own = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);

	if (!dir)
		return;
	(void)take_fd(&own); /* closedir's now */
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		struct stat st;

		if (entry->d_name[0] == '.' ||
			fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0) {
			autofd sub = openat(dirfd, entry->d_name,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

			if (sub >= 0)
				search_dumps(sub, depth - 1, d);
		} else if (S_ISREG(st.st_mode) &&
			   strncmp(entry->d_name, "dmesg", 5) == 0) {
			read_dump(dirfd, entry->d_name, &st, d);
		}
	}
	(void)closedir(dir);
}

/* Up to the panic and three lines more: what follows are registers. */
static struct bytes telling_part(const struct buf *text, const char *words)
{
	const char *end = text->data + text->size;
	const char *p = words;

	for (int lines = 0; p < end && lines < 4; p++)
		lines += *p == '\n';
	return (struct bytes){ (const unsigned char *)text->data,
		(size_t)(p - text->data) };
}

static bool find_panic(int64_t since, struct failure *f)
{
	static const char *const places[] = { "/sys/fs/pstore",
		"/var/lib/systemd/pstore" };
	struct dump d = { .since = since };
	const char *words;
	char text[STATE_TEXT_MAX];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		autofd fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			search_dumps(fd, PSTORE_DEPTH, &d);
	}
	if (!d.text.size)
		return false;
	words = (const char *)memmem(
		d.text.data, d.text.size, panic_mark, strlen(panic_mark));
	words += strlen(panic_mark);
	(void)snprintf(text, sizeof(text), "kernel panic: %.*s",
		(int)strcspn(words, "\r\n"), words);
	state_text_set(f->text, text);
	failure_add_log(f, telling_part(&d.text, words));
	f->kind = FAILURE_PANIC;
	buf_release(&d.text);
	return true;
}

/* --- journal ---------------------------------------------------------------------- */

/* "aaaa-bb…" as journalctl has it: 32 hex digits. */
static void without_dashes(const char *boot_id, char ret[BOOT_ID_MAX])
{
	size_t n = 0;

	for (const char *p = boot_id; *p && n + 1 < BOOT_ID_MAX; p++)
		if (*p != '-')
			ret[n++] = *p;
	ret[n] = '\0';
}

static bool journalctl(
	const char *boot, const char *format, const char *lines, struct buf *ret)
{
	const char *argv[] = { "journalctl", "--quiet", "--no-pager", boot, format, lines,
		NULL };
	const struct subprocess p = {
		.argv = argv,
		.stdin_fd = -1,
		.stdout_max = JOURNAL_MAX,
		.timeout_ms = JOURNAL_TIMEOUT_MS,
	};
	struct error why;
	int status;

	return subprocess_run(&p, ret, NULL, &status, &why) == 0 && status == 0 &&
	       ret->size;
}

/* The last lines of the boot that failed.  An armed release's boot id is unknown: then it
 * is the boot before this one, unless that is the one that armed it. */
static void add_journal(const struct state *s, struct failure *f)
{
	bool reached = s->phase != PHASE_ARMED;
	char id[BOOT_ID_MAX];
	char boot[BOOT_ID_MAX + 8];
	autobuf first = { 0 };
	autobuf text = { 0 };

	without_dashes(s->boot_id, id);
	(void)snprintf(boot, sizeof(boot), "--boot=%s", reached ? id : "-1");
	if (!reached && (!journalctl(boot, "--output=json", "--lines=1", &first) ||
				strstr(first.data, id)))
		return;
	if (journalctl(boot, "--output=short-monotonic", "--lines=25", &text))
		failure_add_log(f, buf_bytes(&text));
}

/* --- together --------------------------------------------------------------------- */

/* When the record last changed: what is older belongs to another story. */
static int64_t record_time(int state_dirfd)
{
	struct stat st;

	if (fstatat(state_dirfd, "state", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return (int64_t)time(NULL);
	return st.st_mtim.tv_sec - CLOCK_SLACK_S;
}

void failure_find(int state_dirfd, const struct state *s, struct failure *ret)
{
	*ret = (struct failure){ .time = (int64_t)time(NULL), .release = s->release };
	memcpy(ret->slot, s->target, sizeof(ret->slot));
	if (find_panic(record_time(state_dirfd), ret))
		return;
	add_journal(s, ret);
	if (s->phase == PHASE_ARMED) {
		ret->kind = FAILURE_NOT_REACHED;
		state_text_set(ret->text,
			"it did not come up: the boot loader went back by itself");
		return;
	}
	ret->kind = FAILURE_RESET;
	state_text_set(ret->text,
		"it came up, but was reset during its trial: power loss or a hang");
}
