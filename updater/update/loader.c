/* SPDX-License-Identifier: MIT */
/* The boot loader's view of the slots: see loader.h. */
#include "update/loader.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/arguments.h"
#include "base/beneath.h"
#include "base/io.h"

#define ARGUMENTS_FILE "usr/lib/osupdate/kernel-arguments"
#define PATH_SIZE      64 /* of /proc/PID/fd/N */

/* What a subject points into. */
struct told {
	char commit[OID_HEX_MAX];
	char root[PATH_SIZE];
	int root_fd;
	struct buf arguments;
};

static void told_release(struct told *t)
{
	cleanup_fd(&t->root_fd);
	buf_release(&t->arguments);
}

#define autotold CLEANUP(told_release) struct told

static struct hook_subject subject(const struct device *d, int index, struct told *t)
{
	const struct slot_record *rec = &d->records[index];
	struct hook_subject s = { .slot = &d->config.slots[index] };

	if (rec->contents != SLOT_EMPTY) {
		oid_hex(&rec->commit, t->commit);
		s.commit = t->commit;
		s.version = rec->version;
	}
	return s;
}

static int read_arguments(int root, struct buf *ret, struct error *e)
{
	autobuf text = { 0 };
	autofd fd = -1;
	size_t n = 1;
	int r = beneath_open(root, ARGUMENTS_FILE, O_RDONLY, 0, &fd, e);

	if (r == E_NOTFOUND)
		return 0;
	while (r == 0 && n > 0) {
		char chunk[1024];

		r = io_read(fd, chunk, sizeof(chunk), &n, e);
		if (r == 0)
			buf_add(&text, chunk, n);
		if (text.size > ARGUMENTS_FILE_MAX)
			r = err_set(
				e, E_INPUT, "larger than %d bytes", ARGUMENTS_FILE_MAX);
	}
	if (r == 0)
		r = arguments_read(buf_bytes(&text), ret, e);
	return r < 0 ? err_prefix(e, r, "%s", ARGUMENTS_FILE) : 0;
}

/* The slot itself, for hooks that take kernels out of it.  Its mount belongs to no
 * namespace; our own descriptor is the way to it, for the hook and all it starts. */
static int open_root(const struct device *d, int index, struct told *t,
	struct hook_subject *s, struct error *e)
{
	int r = device_open_slot(d, index, &t->root_fd, e);

	if (r == 0)
		r = read_arguments(t->root_fd, &t->arguments, e);
	if (r < 0)
		return r;
	(void)snprintf(
		t->root, sizeof(t->root), "/proc/%d/fd/%d", (int)getpid(), t->root_fd);
	s->root = t->root;
	s->arguments = t->arguments.data ? t->arguments.data : "";
	return 0;
}

int loader_get_state(
	const struct device *d, int index, enum boot_state *ret, struct error *e)
{
	autotold t = { .root_fd = -1 };
	struct hook_subject s = subject(d, index, &t);

	return hook_get_state(&d->hook, &s, ret, e);
}

int loader_set_state(
	const struct device *d, int index, enum boot_state state, struct error *e)
{
	autotold t = { .root_fd = -1 };
	struct hook_subject s = subject(d, index, &t);
	struct error why;

	/* What runs must be confirmed even if it cannot be opened a second time: most
	 * hooks need no more than the name, and the others say so. */
	if (state == BOOT_GOOD && open_root(d, index, &t, &s, &why) < 0)
		progress_note(d->progress, "%s", why.text);
	return hook_set_state(&d->hook, &s, state, e);
}

int loader_get_primary(const struct device *d, int *ret, struct error *e)
{
	char name[SLOT_NAME_MAX + 1];
	int r = hook_get_primary(&d->hook, name, e);

	*ret = SLOT_NONE;
	for (int i = 0; r == 0 && i < SLOT_COUNT; i++)
		if (strcmp(name, d->config.slots[i].bootname) == 0)
			*ret = i;
	return r;
}

int loader_set_primary(const struct device *d, int index, struct error *e)
{
	autotold t = { .root_fd = -1 };
	struct hook_subject s = subject(d, index, &t);
	int r = open_root(d, index, &t, &s, e);

	return r < 0 ? r : hook_set_primary(&d->hook, &s, e);
}
