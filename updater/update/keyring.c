/* SPDX-License-Identifier: MIT */
/* The signers in force: see keyring.h. */
#include "update/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"

static int read_owned(
	int dirfd, const char *name, const char *shown, struct buf *ret, struct error *e)
{
	autofd fd = openat(dirfd, name, O_PATH | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(e, "%s", shown);
	r = io_require_root_owned(fd, shown, e);
	if (r < 0)
		return r;
	return io_read_file_at(dirfd, name, SIGNERS_FILE_MAX, ret, e);
}

static int revoke_from(
	struct device *d, int dirfd, const char *name, const char *shown, struct error *e)
{
	autobuf text = { 0 };
	int r = read_owned(dirfd, name, shown, &text, e);

	if (r == E_NOTFOUND)
		return 0;
	if (r < 0)
		return r;
	return signers_revoke(d->signers, shown, buf_bytes(&text), e);
}

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
	int r = read_owned(AT_FDCWD, file, file, &text, e);

	if (r == 0)
		r = parse(d, file, &text, e);
	return r < 0 ? r : revoke_from(d, AT_FDCWD, revoked, revoked, e);
}

static int seed(struct device *d, struct buf *text, struct error *e)
{
	autofd dir = -1;
	int r = read_owned(AT_FDCWD, KEYRING_SEED, KEYRING_SEED, text, e);

	if (r < 0)
		return err_prefix(e, r,
			"no signers: put the builders' public keys there, or set "
			"`signers =`");
	if (d->lock_fd < 0)
		return 0;
	dir = openat(
		d->state_dirfd, "trust", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_sys(e, "%s/trust", d->config.state);
	r = io_replace_at(dir, "allowed_signers", buf_bytes(text), 0644, e);
	return r < 0 ? err_prefix(e, r, "%s/trust", d->config.state) : 0;
}

static int load_own(struct device *d, struct error *e)
{
	autofree char *shown = xasprintf("%s/trust/allowed_signers", d->config.state);
	autobuf text = { 0 };
	int r = read_owned(d->state_dirfd, "trust/allowed_signers", shown, &text, e);

	if (r == E_NOTFOUND)
		r = seed(d, &text, e);
	if (r == 0)
		r = parse(d, shown, &text, e);
	return r < 0 ? r
		     : revoke_from(d, AT_FDCWD, "/etc/osupdate/revoked",
			       "/etc/osupdate/revoked", e);
}

int keyring_load(struct device *d, struct error *e)
{
	autofree char *shown = xasprintf("%s/trust/revoked", d->config.state);
	int r;

	if (d->lock_fd >= 0 && mkdirat(d->state_dirfd, "trust", 0755) < 0 &&
		errno != EEXIST)
		return err_sys(e, "%s/trust", d->config.state);
	r = d->config.signers ? load_pinned(d, e) : load_own(d, e);
	return r < 0 ? r : revoke_from(d, d->state_dirfd, "trust/revoked", shown, e);
}
