/* SPDX-License-Identifier: MIT */
/*
 * The device once it is open: its record, its slots by index, its store.  See device.h;
 * opening it is open.c.
 */
#include "update/device.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/io.h"
#include "base/trusted.h"
#include "build-config.h"
#include "slot/survey.h"
#include "slot/verify.h"
#include "store/kernel.h"
#include "update/doubt.h"
#include "update/history.h"

#define STORE_USER  "osupdate"
#define SECRET_MAX  65536 /* bytes of a password or key file */
#define OPTIONS_MAX 20

int device_save(struct device *d, struct error *e)
{
	int r;

	if (d->lock_fd < 0)
		return 0; /* opened for reading: nothing is written, ever */
	r = state_save(d->state_dirfd, &d->state, e);
	return r < 0 ? err_prefix(e, r, "%s: state record", d->config.state) : 0;
}

struct known_time device_time(const struct device *d)
{
	struct known_time t = { .clock = (int64_t)time(NULL),
		.floor = OSUPDATE_BUILD_TIME };

	if (d->state.floor_time > t.floor)
		t.floor = d->state.floor_time;
	return t;
}

enum action device_step(struct device *d, enum event event)
{
	struct transition t = machine_step(d->state.phase, event);

	if (t.next != d->state.phase) {
		d->state.phase = t.next;
		memcpy(d->state.boot_id, d->boot_id, sizeof(d->boot_id));
	}
	return t.action;
}

void device_idle(struct device *d)
{
	d->state.phase = PHASE_IDLE;
	d->state.target[0] = '\0';
	d->state.release = (struct release_ref){ 0 };
	d->state.arm_calls = 0;
	d->state.retries = 0;
	memcpy(d->state.boot_id, d->boot_id, sizeof(d->boot_id));
}

int device_settle(struct device *d, struct error *e)
{
	int r;

	device_idle(d);
	r = device_save(d, e);
	return r < 0 ? r : device_save(d, e);
}

void device_note_error(struct device *d, const char *step, const struct error *why)
{
	struct error ignored;

	if (!why && d->state.error_time == 0)
		return;
	d->state.error_time = 0;
	if (why)
		state_set_error(&d->state, (int64_t)time(NULL), step, why->text);
	(void)device_save(d, &ignored);
}

void device_history(const struct device *d, const char *event, int index,
	const struct release_ref *ref, const char *text)
{
	if (d->lock_fd >= 0)
		history_add(d->state_dirfd, event,
			index >= 0 ? d->config.slots[index].name : NULL, ref, text);
}

int device_slot(const struct device *d, const char *name, int *ret, struct error *e)
{
	for (int i = 0; i < SLOT_COUNT; i++)
		if (strcmp(d->config.slots[i].name, name) == 0) {
			*ret = i;
			return 0;
		}
	return err_set(e, E_NOTFOUND, "no slot is named \"%s\"; the slots are %s and %s",
		name, d->config.slots[0].name, d->config.slots[1].name);
}

int device_other(int index)
{
	return index == 0 ? 1 : 0;
}

int device_target(const struct device *d)
{
	int i = SLOT_NONE;

	if (d->state.target[0] && device_slot(d, d->state.target, &i, NULL) == 0)
		return i;
	return SLOT_NONE;
}

void device_survey(struct device *d, int index)
{
	if (d->survey && d->surveyed == index)
		return;
	survey_free(d->survey);
	d->survey = survey_start(d->state_dirfd, &d->config.slots[index]);
	d->surveyed = index;
}

void device_close(struct device *d)
{
	survey_free(d->survey);
	d->survey = NULL;
	store_close(d->store);
	d->store = NULL;
	signers_free(d->signers);
	d->signers = NULL;
	state_release(&d->state);
	hook_release(&d->hook);
	config_release(&d->config);
	cleanup_fd(&d->state_dirfd);
	d->state_dirfd = -1;
	cleanup_fd(&d->lock_fd);
	d->lock_fd = -1;
}

/* Secrets are read by root, so that the store's user need not own them. */
static int add_secret(
	const char *key, const char *file, char **options, size_t *n, struct error *e)
{
	autobuf text = { 0 };
	int r;

	if (!file)
		return 0;
	r = trusted_read(file, SECRET_MAX, &text, e);
	if (r < 0)
		return r;
	if (strcmp(key, "password") == 0 && text.size && text.data[text.size - 1] == '\n')
		text.data[--text.size] = '\0';
	options[(*n)++] = xasprintf("%s=%s", key, text.data ? text.data : "");
	sodium_memzero(text.data, text.size);
	return 0;
}

static void add_option(const char *key, const char *value, char **options, size_t *n)
{
	if (value)
		options[(*n)++] = xasprintf("%s=%s", key, value);
}

static void add_commit(const struct oid *commit, struct buf *list)
{
	char hex[OID_HEX_MAX];

	oid_hex(commit, hex);
	buf_addf(list, "%s%s", list->size ? " " : "", hex);
}

/*
 * Commits of what slots hold: streams may begin from one of them.  Of the one we run
 * from, if there is one: what the other holds goes away while it is written.
 */
static void add_have(const struct device *d, char **options, size_t *n)
{
	autobuf have = { 0 };

	for (int i = 0; i < SLOT_COUNT; i++) {
		const struct slot_record *rec = &d->records[i];

		if (rec->contents != SLOT_SEALED || (d->booted >= 0 && i != d->booted))
			continue;
		add_commit(&rec->commit, &have);
	}
	if (have.size > 0)
		add_option("have", have.data, options, n);
}

/* What stays in a git store: both slots' releases, the one on its way into a slot, and
 * what may be installed next. */
static void add_keep(const struct device *d, char **options, size_t *n)
{
	autobuf keep = { 0 };

	for (int i = 0; i < SLOT_COUNT; i++)
		if (d->records[i].contents == SLOT_SEALED)
			add_commit(&d->records[i].commit, &keep);
	if (d->state.release.serial > 0)
		add_commit(&d->state.release.commit, &keep);
	if (d->state.has_candidate)
		add_commit(&d->state.candidate.commit, &keep);
	if (keep.size > 0)
		add_option("keep", keep.data, options, n);
}

/* What release streams, if they are followed, and git over http are asked with. */
static int add_http_options(
	const struct device *d, char **options, size_t *n, struct error *e)
{
	const struct config *c = &d->config;
	char rate[16];
	int r;

	if (c->stream) {
		add_option("stream", c->stream, options, n);
		add_have(d, options, n);
		if (d->ahead)
			add_option("ahead", "yes", options, n);
	}
	(void)snprintf(rate, sizeof(rate), "%u", c->rate_limit);
	if (c->rate_limit > 0)
		add_option("rate-limit", rate, options, n);
	r = add_secret("netrc", c->netrc, options, n, e);
	if (r == 0)
		r = add_secret(
			"client-certificate", c->client_certificate, options, n, e);
	return r < 0 ? r : add_secret("client-key", c->client_key, options, n, e);
}

/* Something is being downloaded: time to look at where it will go. */
static void on_store_event(void *ctx, const struct progress_event *event)
{
	struct device *d = ctx;

	if (d->will_install && d->booted >= 0 && event->done > 0 &&
		strcmp(event->step, "fetch") == 0)
		device_survey(d, device_other(d->booted));
	if (d->progress && d->progress->report)
		d->progress->report(d->progress->ctx, event);
}

int device_store(struct device *d, struct store **ret, struct error *e)
{
	char *options[OPTIONS_MAX] = { NULL };
	struct store_options o = {
		.program = OSUPDATE_LIB_DIR "/osupdate-store",
		.user = STORE_USER,
		.state_dirfd = d->state_dirfd,
		.options = (const char *const *)options,
		.stall_timeout_ms = d->config.stall_timeout_ms,
		.progress = &d->store_progress,
	};
	const char *unconfined;
	const char *doubt;
	size_t n = 0;
	int r;

	if (d->store) {
		*ret = d->store;
		return 0;
	}
	doubt = d->lock_fd >= 0 ? doubt_about(d->state_dirfd) : NULL;
	unconfined = kernel_unconfined();
	d->store_progress = (struct progress){
		.report = on_store_event,
		.stop = d->progress ? d->progress->stop : NULL,
		.ctx = d,
	};
	add_option("url", d->config.url, options, &n);
	add_option("ca", d->config.ca, options, &n);
	add_option("username", d->config.username, options, &n);
	add_option("proxy", d->config.proxy, options, &n);
	add_keep(d, options, &n);
	add_option("doubt", doubt, options, &n);
	r = add_secret("password", d->config.password_file, options, &n, e);
	if (r == 0)
		r = add_secret("ssh-key", d->config.ssh_key, options, &n, e);
	if (r == 0)
		r = add_secret("known-hosts", d->config.known_hosts, options, &n, e);
	if (r == 0)
		r = add_http_options(d, options, &n, e);
	if (r == 0)
		r = store_open(&o, &d->store, e);
	if (r == 0 && doubt)
		doubt_told(d->state_dirfd); /* all options were answered */
	if (r == 0 && unconfined)
		progress_note(
			d->progress, "the store process is not kept from %s", unconfined);
	for (size_t i = 0; i < n; i++) {
		sodium_memzero(options[i], strlen(options[i]));
		free(options[i]);
	}
	*ret = d->store;
	return r;
}

int device_open_slot(const struct device *d, int index, int *ret_root, struct error *e)
{
	const struct slot *slot = &d->config.slots[index];
	struct error why = { 0 };
	dev_t device;
	int r = slot_device(slot, &device, e);

	if (r < 0)
		return r;
	if (index == d->booted && mount_clone_root(device, false, ret_root, &why) == 0)
		return 0;
	r = mount_slot(slot->device, false, ret_root, e);
	return r < 0 ? err_prefix(e, r, "slot %s (%s)", slot->name, slot->device) : 0;
}

int device_slot_release(
	const struct device *d, int index, struct release **ret, struct error *e)
{
	const char *name = d->config.slots[index].name;
	struct bytes tags[RELEASE_TAGS_MAX];
	struct bytes commit;
	autobuf proof = { 0 };
	autofd root = -1;
	size_t n_tags;
	int r = device_open_slot(d, index, &root, e);

	if (r < 0)
		return r;
	r = verify_read_proof(root, &proof, e);
	if (r == 0)
		r = release_split_proof(buf_bytes(&proof), &commit, tags, &n_tags, e);
	if (r == 0)
		r = release_verify(commit, tags, n_tags, d->signers, ret, e);
	return r < 0 ? err_prefix(e, r, "slot %s: its own release", name) : 0;
}

int device_slot_manifest(const struct device *d, int slot, const struct release *rel,
	struct bytes *ret, struct error *e)
{
	const char *name = d->config.slots[slot].name;
	struct manifest_sums sums;
	struct digest digest;
	automap map = { 0 };
	autofd root = -1;
	autofd fd = -1;
	int r = device_open_slot(d, slot, &root, e);

	if (r == 0)
		r = verify_open_manifest(root, &fd, e);
	if (r == 0)
		r = io_map(fd, &map, e);
	if (r < 0)
		return err_prefix(e, r, "slot %s: manifest", name);
	digest = digest_of(map);
	if (!digest_equal(&digest, &release_info(rel)->manifest))
		return err_set(e, E_INPUT,
			"slot %s: its manifest is not the one that was signed", name);
	r = manifest_check(map, &sums, e);
	if (r < 0)
		return err_prefix(e, r, "slot %s: manifest", name);
	*ret = map;
	map = (struct bytes){ 0 };
	return 0;
}
