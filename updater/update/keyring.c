/* SPDX-License-Identifier: MIT */
/* The signers in force: see keyring.h. */
#include "update/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/beneath.h"
#include "base/io.h"
#include "base/text.h"
#include "base/trusted.h"
#include "slot/verify.h"
#include "update/distrust.h"

static int open_trust(const struct device *d, int *ret, struct error *e)
{
	*ret = openat(
		d->state_dirfd, "trust", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *ret < 0 ? err_sys(e, "%s/trust", d->config.state) : 0;
}

/* --- revocations ------------------------------------------------------------------ */

static bool has_line(struct bytes text, struct bytes line)
{
	struct bytes other;

	while (text_take_line(&text, &other))
		if (other.size == line.size &&
			memcmp(other.data, line.data, line.size) == 0)
			return true;
	return false;
}

/* Add the lines of `text`, which were read as revocations, to <state>/trust/revoked. */
static int remember(struct device *d, struct bytes text, struct error *e)
{
	autobuf all = { 0 };
	struct bytes line;
	autofd dir = -1;
	size_t before;
	int r = open_trust(d, &dir, e);

	if (r == 0)
		r = io_read_file_at(dir, "revoked", SIGNERS_FILE_MAX, &all, e);
	if (r < 0 && r != E_NOTFOUND)
		return r;
	before = all.size;
	if (all.size > 0 && all.data[all.size - 1] != '\n')
		buf_adds(&all, "\n");
	while (text_take_line(&text, &line)) {
		if (line.size == 0 || line.data[0] == '#' ||
			has_line(buf_bytes(&all), line))
			continue;
		buf_add(&all, line.data, line.size);
		buf_adds(&all, "\n");
	}
	if (all.size <= before + 1)
		return 0;
	if (all.size > SIGNERS_FILE_MAX)
		return err_set(e, E_INPUT, "%s/trust/revoked: over %d bytes",
			d->config.state, SIGNERS_FILE_MAX);
	return io_replace_at(dir, "revoked", buf_bytes(&all), 0644, e);
}

/* `own`: our own list, the others are remembered there. */
static int revoke_from(struct device *d, const char *shown, bool own, struct error *e)
{
	autobuf text = { 0 };
	struct error why;
	int r = trusted_read(shown, SIGNERS_FILE_MAX, &text, e);

	if (r == E_NOTFOUND)
		return 0;
	if (r == 0)
		r = signers_revoke(d->signers, shown, buf_bytes(&text), e);
	if (r == 0 && d->lock_fd >= 0 && !own && remember(d, buf_bytes(&text), &why) < 0)
		progress_note(d->progress, "%s: is not remembered: %s", shown, why.text);
	return r;
}

/* --- signers ---------------------------------------------------------------------- */

static int parse(
	struct device *d, const char *shown, const struct buf *text, struct error *e)
{
	d->signers_digest = digest_of(buf_bytes(text));
	return signers_parse(shown, buf_bytes(text), &d->signers, e);
}

static int load_pinned(struct device *d, struct error *e)
{
	const char *file = d->config.signers;
	autobuf text = { 0 };
	autofree char *dir = xstrndup(file, (size_t)(strrchr(file, '/') - file));
	autofree char *revoked = xasprintf("%s/revoked", dir);
	int r = trusted_read(file, SIGNERS_FILE_MAX, &text, e);

	if (r == 0)
		r = parse(d, file, &text, e);
	return r < 0 ? r : revoke_from(d, revoked, false, e);
}

static int seed(struct device *d, struct buf *text, struct error *e)
{
	autofd dir = -1;
	int r = trusted_read(KEYRING_SEED, SIGNERS_FILE_MAX, text, e);

	if (r < 0)
		return err_prefix(e, r,
			"no signers: put the builders' public keys there, or set "
			"`signers =`");
	if (d->lock_fd < 0)
		return 0;
	r = open_trust(d, &dir, e);
	if (r < 0)
		return r;
	r = io_replace_at(dir, "allowed_signers", buf_bytes(text), 0644, e);
	return r < 0 ? err_prefix(e, r, "%s/trust", d->config.state) : 0;
}

static int load_own(struct device *d, struct error *e)
{
	autofree char *shown = xasprintf("%s/trust/allowed_signers", d->config.state);
	autobuf text = { 0 };
	int r = trusted_read(shown, SIGNERS_FILE_MAX, &text, e);

	if (r == E_NOTFOUND)
		r = seed(d, &text, e);
	if (r == 0)
		r = parse(d, shown, &text, e);
	return r < 0 ? r : revoke_from(d, "/etc/osupdate/revoked", false, e);
}

int keyring_load(struct device *d, struct error *e)
{
	autofree char *shown = xasprintf("%s/trust/revoked", d->config.state);
	int r;

	if (d->lock_fd >= 0 && mkdirat(d->state_dirfd, "trust", 0755) < 0 &&
		errno != EEXIST)
		return err_sys(e, "%s/trust", d->config.state);
	r = d->config.signers ? load_pinned(d, e) : load_own(d, e);
	return r < 0 ? r : revoke_from(d, shown, true, e);
}

/* --- a release that brings keys --------------------------------------------------- */

static int adopt_signers(struct device *d, const struct buf *text, struct error *e)
{
	static const char shown[] = "usr/lib/osupdate/allowed_signers";
	struct digest digest = digest_of(buf_bytes(text));
	autosigners parsed = NULL;
	autofd dir = -1;
	int r;

	if (d->config.signers || digest_equal(&digest, &d->signers_digest))
		return 0;
	r = signers_parse(shown, buf_bytes(text), &parsed, e);
	if (r == 0)
		r = open_trust(d, &dir, e);
	if (r == 0)
		r = io_replace_at(dir, "allowed_signers", buf_bytes(text), 0644, e);
	return r < 0 ? r : 1;
}

static int adopt_revoked(struct device *d, const struct buf *text, struct error *e)
{
	int r = signers_revoke(
		d->signers, "usr/lib/osupdate/revoked", buf_bytes(text), e);

	return r < 0 ? r : remember(d, buf_bytes(text), e);
}

static bool carries_keys(int root)
{
	autofd dir = -1;

	return beneath_open(root, "usr/lib/osupdate", O_RDONLY | O_DIRECTORY, 0, &dir,
		       NULL) == 0 &&
	       (faccessat(dir, "allowed_signers", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
		       faccessat(dir, "revoked", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

static int adopt(struct device *d, struct error *e)
{
	autorelease rel = NULL;
	automap manifest = { 0 };
	autobuf signers = { 0 };
	autobuf revoked = { 0 };
	autofd root = -1;
	int changed = 0;
	int r = device_open_slot(d, d->booted, &root, e);

	if (r < 0 || !carries_keys(root))
		return r;
	r = device_slot_release(d, d->booted, &rel, e);
	if (r == 0)
		r = device_slot_manifest(d, d->booted, rel, &manifest, e);
	if (r < 0)
		return r;
	/* Revocations first: new signers are of no use to a key that has leaked. */
	if (verify_read_own(root, manifest, "revoked", SIGNERS_FILE_MAX, &revoked))
		r = adopt_revoked(d, &revoked, e);
	if (r == 0)
		r = distrust_revoked(d, e);
	if (r == 0 && d->state.release.serial > d->state.floor &&
		verify_read_own(
			root, manifest, "allowed_signers", SIGNERS_FILE_MAX, &signers))
		changed = r = adopt_signers(d, &signers, e);
	if (changed > 0)
		progress_note(d->progress, "release %s brought new signers: %s/trust",
			release_info(rel)->version, d->config.state);
	return r;
}

void keyring_adopt(struct device *d)
{
	struct error why = { 0 };

	if (adopt(d, &why) < 0)
		progress_note(d->progress, "the keys stay as they were: %s", why.text);
}
