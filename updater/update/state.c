/* SPDX-License-Identifier: MIT */
/*
 * The state record: see state.h; format: doc/formats.md#state.  Saving writes the twin,
 * whose blocks exist already, and exchanges the names: no step of it needs space.
 * Loading believes nothing whose digest is wrong, and never fails for what it reads.
 */
#include "update/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "update/state-text.h"

#define STATE_FILE "state"
#define STATE_TWIN "state.new"

/* --- files ------------------------------------------------------------------------ */

/* 1 whole, 0 not whole, E_NOTFOUND absent, or an error of the system. */
static int load_one(int dirfd, const char *name, struct state *ret, struct error *e)
{
	autobuf text = { 0 };
	int r = io_read_file_at(dirfd, name, STATE_SIZE, &text, e);

	*ret = (struct state){ 0 };
	if (r == E_INPUT || (r < 0 && e->sys == ELOOP))
		return 0; /* too long, or no regular file: not ours */
	/* A sector that cannot be read is damage like any other. */
	if (r < 0 && e->sys == EIO)
		return 0;
	if (r < 0)
		return r;
	if (state_parse(&text, ret))
		return 1;
	*ret = (struct state){ 0 };
	return 0;
}

int state_load(
	int state_dirfd, struct state *ret, enum state_found *ret_found, struct error *e)
{
	struct error why = { 0 };
	struct state twin;
	int r = load_one(state_dirfd, STATE_FILE, ret, &why);
	int t;

	*ret_found = STATE_FOUND;
	if (r == 1)
		return 0;
	if (r < 0 && r != E_NOTFOUND) {
		if (e)
			*e = why;
		return r;
	}
	/* The twin is the record before this one, or one that was complete but not yet
	 * announced: each a state the device was in, from which every step can be redone.
	 */
	t = load_one(state_dirfd, STATE_TWIN, &twin, &why);
	if (t == 1) {
		*ret = twin;
		return 0;
	}
	*ret_found = r == E_NOTFOUND && t == E_NOTFOUND ? STATE_ABSENT : STATE_DAMAGED;
	return 0;
}

/* Real bytes in all blocks, so that the next save needs none. */
static int write_twin(int dirfd, struct bytes data, struct error *e)
{
	autofd fd = openat(dirfd, STATE_TWIN,
		O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
		0644);
	struct stat st;
	int r;

	if (fd < 0)
		return err_sys(e, STATE_TWIN);
	if (fstat(fd, &st) < 0)
		return err_sys(e, STATE_TWIN ": stat");
	if (!S_ISREG(st.st_mode))
		return err_set(e, E_INPUT, STATE_TWIN ": not a regular file; remove it");
	r = io_pwrite_full(fd, data.data, data.size, 0, e);
	if (r < 0)
		return err_prefix(e, r, STATE_TWIN);
	if (st.st_size > STATE_SIZE && ftruncate(fd, STATE_SIZE) < 0)
		return err_sys(e, STATE_TWIN ": truncate");
	if (fdatasync(fd) < 0)
		return err_sys(e, STATE_TWIN ": fdatasync");
	return 0;
}

/* The first save, or a file system that cannot exchange (vfat): one rename, and a twin
 * for the next time. */
static int replace(int dirfd, struct error *e)
{
	autobuf empty = { 0 };
	int r;

	if (renameat(dirfd, STATE_TWIN, dirfd, STATE_FILE) < 0)
		return err_sys(e, "rename " STATE_TWIN);
	r = io_sync(dirfd, e);
	if (r < 0)
		return r;
	while (empty.size < STATE_SIZE)
		buf_add(&empty, "\n", 1);
	r = write_twin(dirfd, buf_bytes(&empty), e);
	return r < 0 ? r : io_sync(dirfd, e);
}

int state_save(int state_dirfd, const struct state *s, struct error *e)
{
	autobuf text = { 0 };
	int r;

	state_print(s, &text);
	r = write_twin(state_dirfd, buf_bytes(&text), e);
	if (r < 0)
		return r;
	if (renameat2(state_dirfd, STATE_TWIN, state_dirfd, STATE_FILE,
		    RENAME_EXCHANGE) == 0)
		return io_sync(state_dirfd, e);
	if (errno == ENOENT || errno == EINVAL || errno == ENOSYS)
		return replace(state_dirfd, e);
	return err_sys(e, "exchange " STATE_TWIN);
}

void state_release(struct state *s)
{
	if (!s)
		return;
	free(s->unknown);
	*s = (struct state){ 0 };
}

/* --- what it holds ---------------------------------------------------------------- */

const struct denial *state_denied(const struct state *s, const struct digest *identity)
{
	for (size_t i = 0; i < s->n_denied; i++)
		if (digest_equal(&s->denied[i].release.identity, identity))
			return &s->denied[i];
	return NULL;
}

const struct denial *state_release_denied(const struct state *s)
{
	return state_denied(s, &s->release.identity);
}

void state_allow(struct state *s, const struct digest *identity)
{
	const struct denial *d = state_denied(s, identity);
	size_t at;

	if (!d)
		return;
	at = (size_t)(d - s->denied);
	memmove(&s->denied[at], &s->denied[at + 1],
		(s->n_denied - at - 1) * sizeof(s->denied[0]));
	s->n_denied--;
}

void state_deny(struct state *s, const struct release_ref *ref, const char *reason)
{
	/* The caller may pass what a denial holds already. */
	struct denial d = { .release = *ref };

	state_text_set(d.reason, reason);
	state_allow(s, &ref->identity);
	if (s->n_denied == STATE_DENIED_MAX)
		state_allow(s, &s->denied[0].release.identity);
	s->denied[s->n_denied++] = d;
}

void state_set_error(struct state *s, int64_t now, const char *step, const char *text)
{
	s->error_time = now ? now : 1; /* 0 means none */
	(void)snprintf(s->error_step, sizeof(s->error_step), "%s", step);
	state_text_set(s->error_text, text);
}

void state_raise_floor(struct state *s, const struct release_ref *ref)
{
	if (ref->serial <= s->floor)
		return;
	s->floor = ref->serial;
	memcpy(s->floor_signer, ref->signer, sizeof(s->floor_signer));
	/* Earlier than before only when a person took it: after one of a builder whose
	 * clock was ahead. */
	s->floor_time = ref->time;
}

void state_set_news(struct state *s, const struct release_info *info)
{
	s->valid_until = info->valid_until;
	if (s->valid_until == INT64_MAX)
		s->valid_until = 0;
	else if (s->valid_until == 0)
		s->valid_until = 1; /* 0 means for ever */
}

void state_set_release(struct release_ref *ret, const struct release *release)
{
	const struct release_info *info = release_info(release);

	*ret = (struct release_ref){
		.identity = info->identity,
		.commit = info->commit,
		.serial = info->serial,
		.time = info->time,
	};
	memcpy(ret->version, info->version, sizeof(ret->version));
	(void)snprintf(ret->signer, sizeof(ret->signer), "%s", release_signer(release));
}

void state_set_recorded(struct release_ref *ret, const struct slot_record *rec)
{
	*ret = (struct release_ref){
		.identity = rec->identity,
		.commit = rec->commit,
		.serial = rec->serial,
		.time = rec->time,
	};
	memcpy(ret->version, rec->version, sizeof(ret->version));
	memcpy(ret->signer, rec->signer, sizeof(ret->signer));
}
