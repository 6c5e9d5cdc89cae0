/* SPDX-License-Identifier: MIT */
/* log and show: the releases of this device's channel, from the store, offline. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "cmd/lookup.h"
#include "manifest/manifest.h"
#include "update/history.h"

#define LOG_DEFAULT 20
#define LOG_MAX	    100000

struct log {
	const struct device *device;
	struct libscols_table *table;
};

/* "booted A, denied": why this line matters here. */
static void marks(const struct device *d, const struct release_info *info, bool trusted,
	struct buf *out)
{
	for (int i = 0; i < SLOT_COUNT; i++)
		if (d->records[i].contents == SLOT_SEALED &&
			digest_equal(&d->records[i].identity, &info->identity))
			buf_addf(out, "%s%s %s", out->size ? ", " : "",
				i == d->booted ? "booted" : "slot",
				d->config.slots[i].name);
	if (state_denied(&d->state, &info->identity))
		buf_addf(out, "%sdenied", out->size ? ", " : "");
	if (!trusted)
		buf_addf(out, "%snot trusted", out->size ? ", " : "");
}

static int log_line(void *ctx, struct bytes commit, struct error *e)
{
	struct log *log = ctx;
	autorelease rel = NULL;
	struct release_info info = { 0 };
	struct error why = { 0 };
	autobuf payload = { 0 };
	autobuf armor = { 0 };
	autobuf note = { 0 };
	char serial[24];
	char hex[OID_HEX_MAX];
	char when[TEXT_TIME_MAX];
	bool trusted =
		release_verify(commit, NULL, 0, log->device->signers, &rel, &why) == 0;
	const char *cells[6];

	if (trusted)
		info = *release_info(rel);
	else if (release_split_commit(commit, &payload, &armor, &why) < 0 ||
		 release_read_payload(buf_bytes(&payload), &info, &why) < 0)
		(void)snprintf(info.version, sizeof(info.version), "?");
	info.commit = oid_of("commit", commit);
	oid_hex(&info.commit, hex);
	hex[12] = '\0';
	(void)snprintf(serial, sizeof(serial), "%" PRIu64, info.serial);
	text_time(info.time, when);
	marks(log->device, &info, trusted, &note);
	cells[0] = serial;
	cells[1] = info.version;
	cells[2] = hex;
	cells[3] = when;
	cells[4] = note.data ? note.data : "";
	cells[5] = info.subject;
	return table_row(log->table, cells, e);
}

/* --- the device's own history --------------------------------------------------------
 */

static int device_line(void *ctx, const struct history_line *l, struct error *e)
{
	autofree char *event = xstrndup((const char *)l->event.data, l->event.size);
	autofree char *slot = xstrndup((const char *)l->slot.data, l->slot.size);
	autofree char *version = xstrndup((const char *)l->version.data, l->version.size);
	autofree char *text = xstrndup((const char *)l->text.data, l->text.size);
	char when[TEXT_TIME_MAX];
	char serial[24] = "-";
	const char *const cells[] = { when, event, slot, serial, version, text };

	text_time(l->time, when);
	if (l->serial)
		(void)snprintf(serial, sizeof(serial), "%" PRIu64, l->serial);
	return table_row(ctx, cells, e);
}

static int print_device_log(struct cli *cli, struct error *e)
{
	static const char *const columns[] = { "TIME", "EVENT", "SLOT", "SERIAL",
		"VERSION", "WHY", NULL };
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	struct libscols_table *table = NULL;
	int r = cli_open(cli, false, &d, e);

	if (r == 0)
		r = table_new(columns, &table, e);
	if (r < 0)
		return r;
	r = history_read(d.state_dirfd, device_line, table, e);
	if (r < 0) {
		table_free(table);
		return r;
	}
	return table_print(table, e);
}

int verb_log(struct cli *cli, int argc, char **argv, struct error *e)
{
	static const struct option options[] = {
		{ "max-count", required_argument, NULL, 'n' },
		{ "device", no_argument, NULL, 'd' },
		{ 0 },
	};
	static const char *const columns[] = { "SERIAL", "VERSION", "COMMIT", "TIME",
		"HERE", "SUBJECT", NULL };
	static const char usage[] = "log [-n N] | log --device";
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	uint64_t max = LOG_DEFAULT;
	struct log log = { .device = &d };
	struct store *store = NULL;
	bool device_log = false;
	int c;
	int r;

	while ((c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
		device_log |= c == 'd';
		if (c == '?' ||
			(c == 'n' && !text_u64(optarg, strlen(optarg), LOG_MAX, &max)))
			return cli_usage(usage, e);
	}
	if (optind != argc)
		return cli_usage(usage, e);
	if (device_log)
		return print_device_log(cli, e);
	r = cli_open(cli, false, &d, e);
	if (r == 0)
		r = device_store(&d, &store, e);
	if (r == 0)
		r = table_new(columns, &log.table, e);
	if (r < 0)
		return r;
	r = store_log(store, d.config.channel, (uint32_t)max, log_line, &log, e);
	if (r < 0) {
		table_free(log.table);
		return err_prefix(e, r, "log");
	}
	return table_print(log.table, e);
}

static void print_text(const char *name, const char *value)
{
	(void)printf("%-10s ", name);
	output_foreign(stdout, value);
	(void)putchar('\n');
}

static void print_info(
	const struct device *d, const struct found *f, const struct manifest_sums *sums)
{
	const struct release_info *info = release_info(f->release);
	autobuf here = { 0 };
	char hex[DIGEST_HEX_MAX];
	char text[TEXT_TIME_MAX];

	print_text("version", info->version);
	(void)printf("%-10s %" PRIu64 "\n", "serial", info->serial);
	print_text("product", info->product);
	for (size_t i = 0; i < info->n_channels; i++)
		print_text("channel", info->channels[i]);
	oid_hex(&info->commit, hex);
	print_text("commit", hex);
	digest_hex(&info->identity, hex);
	print_text("identity", hex);
	text_time(info->time, text);
	print_text("time", text);
	if (info->valid_until != INT64_MAX) {
		text_time(info->valid_until, text);
		print_text("until", text);
	}
	print_text("signed by", release_principal(f->release));
	digest_hex(&info->manifest, hex);
	print_text("manifest", hex);
	text_size(sums->file_bytes, text);
	(void)printf("%-10s %" PRIu64 " entries, %s of files\n", "contents",
		sums->entries, text);
	marks(d, info, true, &here);
	print_text("here", here.size ? here.data : "-");
	print_text("subject", info->subject);
}

int verb_show(struct cli *cli, int argc, char **argv, struct error *e)
{
	autodevice d = { .state_dirfd = -1, .lock_fd = -1 };
	autofound found = { .slot = SLOT_NONE };
	struct manifest_sums sums;
	int r;

	if (argc != 2)
		return cli_usage("show RELEASE", e);
	r = cli_open(cli, false, &d, e);
	if (r == 0)
		r = lookup_manifest(&d, argv[1], &found, e);
	if (r == 0)
		r = manifest_check(found.manifest, &sums, e);
	if (r == 0)
		print_info(&d, &found, &sums);
	return r;
}
