/* SPDX-License-Identifier: MIT */
/* See device.h. */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/text.h"
#include "manifest/manifest.h"
#include "mutate.h"
#include "slot/install.h"
#include "slot/mount.h"
#include "slot/tree.h"
#include "slot/verify.h"
#include "store/frame.h"
#include "store/process.h"
#include "update/policy.h"

#define STALL_MS  20000
#define LINES_MAX 1024

/* --- in the place of slots --------------------------------------------------------- */

int __wrap_mount_slot(const char *device, bool writable, int *ret_root, struct error *e);
int __wrap_mount_finish(const char *device, int *root, struct error *e);
int __wrap_mount_uuid(const char *device, char ret[FS_UUID_MAX], struct error *e);
int __wrap_mount_stamp(const char *device, struct digest *ret, struct error *e);
int __wrap_mount_repair(const char *device, bool mountable, bool damaged,
	const struct progress *p, struct error *e);
int __wrap_mount_clone_root(dev_t device, bool writable, int *ret_root, struct error *e);
int __wrap_slot_device(const struct slot *slot, dev_t *ret, struct error *e);

int __wrap_mount_slot(const char *device, bool writable, int *ret_root, struct error *e)
{
	(void)writable;
	*ret_root = open(device, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_root < 0 ? err_sys(e, "%s", device) : 0;
}

int __wrap_mount_finish(const char *device, int *root, struct error *e)
{
	(void)device;
	(void)e;
	cleanup_fd(root);
	*root = -1;
	return 0;
}

int __wrap_mount_uuid(const char *device, char ret[FS_UUID_MAX], struct error *e)
{
	(void)device;
	(void)e;
	(void)snprintf(ret, FS_UUID_MAX, "00000000-0000-0000-0000-000000000000");
	return 0;
}

/* Never twice the same: no stat index is believed. */
int __wrap_mount_stamp(const char *device, struct digest *ret, struct error *e)
{
	static uint64_t n;

	(void)e;
	*ret = digest_of(bytes_of(device));
	n++;
	memcpy(ret->b, &n, sizeof(n));
	return 0;
}

int __wrap_mount_repair(const char *device, bool mountable, bool damaged,
	const struct progress *p, struct error *e)
{
	(void)device;
	(void)mountable;
	(void)damaged;
	(void)p;
	(void)e;
	return 0;
}

int __wrap_mount_clone_root(dev_t device, bool writable, int *ret_root, struct error *e)
{
	(void)device;
	(void)writable;
	(void)ret_root;
	return err_set(e, E_NOTFOUND, "not booted");
}

int __wrap_slot_device(const struct slot *slot, dev_t *ret, struct error *e)
{
	(void)slot;
	(void)e;
	*ret = 0;
	return 0;
}

/* --- in the place of the store process --------------------------------------------- */

/* No process has it: what is done to it by mistake is done to nobody. */
#define NO_PID INT_MAX

static struct buf *recorded;
static struct bytes replayed;
static int far_end = -1;

int __real_process_start(const char *program, const char *user, int state_dirfd,
	int base_fd, struct process *ret, struct error *e);
int __wrap_process_start(const char *program, const char *user, int state_dirfd,
	int base_fd, struct process *ret, struct error *e);
void __real_process_end(struct process *p, int grace_ms, struct buf *ret_why);
void __wrap_process_end(struct process *p, int grace_ms, struct buf *ret_why);
int __real_frame_fill(struct frame_reader *r, int fd, size_t *ret_n, struct error *e);
int __wrap_frame_fill(struct frame_reader *r, int fd, size_t *ret_n, struct error *e);

void device_record(struct buf *into)
{
	recorded = into;
}

void device_replay(struct bytes frames)
{
	replayed = frames;
}

int __wrap_process_start(const char *program, const char *user, int state_dirfd,
	int base_fd, struct process *ret, struct error *e)
{
	static const int size = 8 << 20;
	int pair[2];

	if (!replayed.data)
		return __real_process_start(program, user, state_dirfd, base_fd, ret, e);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(e, "socketpair");
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (send(pair[1], replayed.data, replayed.size, 0) != (ssize_t)replayed.size)
		give_up("replay: %s", strerror(errno));
	if (shutdown(pair[1], SHUT_WR) < 0)
		give_up("replay: %s", strerror(errno));
	far_end = pair[1];
	*ret = (struct process){ .pid = NO_PID, .fd = pair[0], .err_fd = -1 };
	return 0;
}

void __wrap_process_end(struct process *p, int grace_ms, struct buf *ret_why)
{
	if (p->pid != NO_PID) {
		__real_process_end(p, grace_ms, ret_why);
		return;
	}
	cleanup_fd(&p->fd);
	p->fd = -1;
	p->pid = 0;
	cleanup_fd(&far_end);
	far_end = -1;
}

int __wrap_frame_fill(struct frame_reader *r, int fd, size_t *ret_n, struct error *e)
{
	int err = __real_frame_fill(r, fd, ret_n, e);

	if (err == 0 && recorded && *ret_n > 0)
		buf_add(recorded, r->data + r->end - *ret_n, *ret_n);
	return err;
}

/* --- the device -------------------------------------------------------------------- */

static char slot_a[] = "slot-a";
static char slot_b[] = "slot-b";
static const struct slot slots[] = { { "A", "A", slot_a }, { "B", "B", slot_b } };

/* What every attempt has anew. */
static void make_room(void)
{
	struct error e = { 0 };

	if (tree_remove(AT_FDCWD, slot_b, &e) < 0 ||
		tree_remove(AT_FDCWD, "state/slots", &e) < 0)
		give_up("%s", e.text);
	if (mkdir(slot_b, 0755) < 0)
		give_up("%s: %s", slot_b, strerror(errno));
}

static int judge(const struct release *rel, struct error *e)
{
	static char channel[] = "stable";
	static char product[] = "kiosk-amd64";
	static const struct config config = { .channel = channel, .product = product };
	static const struct state state = { .floor = 1 };
	static const struct known_time now = { 0, 0 };

	return policy_judge(&config, &state, release_info(rel), &now, false, e);
}

static const struct signers *signers(void)
{
	static struct signers *s;
	struct error e = { 0 };
	autobuf text = { 0 };

	if (s)
		return s;
	load("signers.2", &text);
	if (signers_parse("signers.2", buf_bytes(&text), &s, &e) < 0)
		give_up("%s", e.text);
	return s;
}

static int get_release(struct store *store, const struct attempt *a, struct release **ret,
	struct error *e)
{
	char selector[64] = "channel:stable";
	char hex[OID_HEX_MAX];
	autoraw raw = { 0 };
	struct oid tip;
	int r = 0;

	if (!a->no_fetch) {
		r = store_fetch(store, "stable", &tip, e);
		if (r < 0)
			return r;
		oid_hex(&tip, hex);
		(void)snprintf(selector, sizeof(selector), "commit:%s", hex);
	}
	r = store_release(store, selector, &raw, e);
	if (r == 0)
		r = release_verify(
			buf_bytes(&raw.commit), raw.tags, raw.n_tags, signers(), ret, e);
	return r < 0 ? r : judge(*ret, e);
}

static int get_manifest(struct store *store, const struct release_info *info,
	struct bytes *ret, struct error *e)
{
	struct manifest_sums sums;
	autofd spool = -1;
	int r = io_spool(AT_FDCWD, &spool, e);

	if (r == 0)
		r = store_manifest(store, &info->commit, &info->manifest,
			info->manifest_size, spool, e);
	if (r == 0)
		r = io_map(spool, ret, e);
	return r < 0 ? r : manifest_check(*ret, &sums, e);
}

static int nothing_to_tell(void *ctx, struct error *e)
{
	(void)ctx;
	(void)e;
	return 0;
}

static int install(struct store *store, const struct attempt *a, int state,
	const struct release *rel, struct error *e)
{
	struct install in = {
		.state_dirfd = state,
		.slot = &slots[1],
		.booted = a->booted ? &slots[0] : NULL,
		.release = rel,
		.store = store,
		.before_write = nothing_to_tell,
	};
	struct install_sums sums;
	struct bytes map = { 0 };
	int r = get_manifest(store, release_info(rel), &map, e);

	in.manifest = map;
	if (r == 0)
		r = install_run(&in, &sums, e);
	io_unmap(&map);
	return r;
}

int device_update(const struct attempt *a, struct error *e)
{
	autofd state = open("state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct store_options o = {
		.program = getenv("STORE_PROGRAM"),
		.user = "osupdate",
		.state_dirfd = state,
		.options = a->options,
		.stall_timeout_ms = STALL_MS,
	};
	autorelease rel = NULL;
	autostore store = NULL;
	int r;

	if (state < 0 || !o.program)
		give_up("no state directory, or no STORE_PROGRAM");
	make_room();
	r = store_open(&o, &store, e);
	if (r == 0)
		r = get_release(store, a, &rel, e);
	return r < 0 ? r : install(store, a, state, rel, e);
}

/* --- is it that release? ----------------------------------------------------------- */

static struct buf right; /* what slot B should be */
static struct digest identity;

/* The proof may have been taken with more tags than it needs. */
static struct digest check_proof(int root)
{
	struct bytes tags[RELEASE_TAGS_MAX];
	struct digest none = { { 0 } };
	autorelease rel = NULL;
	struct bytes commit;
	autobuf proof = { 0 };
	size_t n;

	if (verify_read_proof(root, &proof, NULL) < 0 ||
		release_split_proof(buf_bytes(&proof), &commit, tags, &n, NULL) < 0 ||
		release_verify(commit, tags, n, signers(), &rel, NULL) < 0)
		return none;
	return release_info(rel)->identity;
}

static struct buf *listing;

static void list_contents(const char *path, const struct stat *st)
{
	char text[PATH_MAX] = "";
	char hex[DIGEST_HEX_MAX];
	struct digest digest;
	autobuf data = { 0 };

	if (S_ISLNK(st->st_mode)) {
		(void)!readlink(path, text, sizeof(text) - 1); /* "" is another link */
	} else if (S_ISREG(st->st_mode)) {
		(void)io_read_file_at(AT_FDCWD, path, SIZE_MAX / 2, &data, NULL);
		digest = digest_of(buf_bytes(&data));
		digest_hex(&digest, hex);
		memcpy(text, hex, sizeof(hex));
	}
	buf_addf(listing, " %s", text);
}

static int list_entry(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	autobuf text = { 0 };
	struct stat now;

	(void)what;
	(void)st;
	if (lstat(path, &now) < 0)
		give_up("%s: %s", path, strerror(errno));
	if (strcmp(path, "slot-b/" PATH_RELEASE) == 0)
		return 0;
	buf_addf(&text, "%o %u:%u %u links, %llx, %lld.%09ld", now.st_mode, now.st_uid,
		now.st_gid, S_ISDIR(now.st_mode) ? 0 : (unsigned)now.st_nlink,
		(unsigned long long)now.st_rdev, (long long)now.st_mtim.tv_sec,
		now.st_mtim.tv_nsec);
	buf_addf(listing, "%s %s", ftw->level ? path : ".", text.data);
	list_contents(path, &now);
	buf_adds(listing, "\n");
	return 0;
}

/* Attributes are verify_slot's business, by the release's own manifest. */
static bool verifies(int root, struct buf *why)
{
	struct verify_sums sums = { 0 };
	struct bytes map = { 0 };
	struct error e = { 0 };
	autofd fd = -1;
	int r = verify_open_manifest(root, &fd, &e);

	if (r == 0)
		r = io_map(fd, &map, &e);
	if (r == 0)
		r = verify_slot(root, map, NULL, NULL, NULL, &sums, &e);
	io_unmap(&map);
	if (r < 0)
		buf_addf(why, ": verify: %s", e.text);
	else if (sums.differences > 0)
		buf_addf(why, ": verify finds %llu differences",
			(unsigned long long)sums.differences);
	return r == 0 && sums.differences == 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A line for each name, sorted: directories are read in the order of chance. */
static void list(struct buf *ret)
{
	char *lines[LINES_MAX];
	autobuf all = { 0 };
	size_t n = 0;

	listing = &all;
	if (nftw(slot_b, list_entry, 16, FTW_PHYS) != 0 || all.size == 0)
		give_up("%s: cannot be listed", slot_b);
	for (char *p = all.data; *p && n < LINES_MAX; n++) {
		lines[n] = p;
		p += strcspn(p, "\n");
		*p++ = '\0';
	}
	qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 0; i < n; i++)
		buf_addf(ret, "%s\n", lines[i]);
}

void device_remember(void)
{
	autofd root = open(slot_b, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autobuf why = { 0 };

	buf_reset(&right);
	list(&right);
	identity = check_proof(root);
	if (!verifies(root, &why))
		give_up("the slot as it should be%s", why.data);
}

bool device_is_right(struct buf *why)
{
	autofd root = open(slot_b, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct digest found = check_proof(root);
	struct bytes a, b, line_a, line_b;
	autobuf now = { 0 };

	list(&now);
	a = buf_bytes(&right);
	b = buf_bytes(&now);
	while (text_take_line(&a, &line_a) && text_take_line(&b, &line_b))
		if (!bytes_same(line_a, line_b)) {
			buf_addf(why, ": %.*s, not %.*s", (int)line_b.size, line_b.data,
				(int)line_a.size, line_a.data);
			return false;
		}
	if (a.size != b.size || !digest_equal(&found, &identity)) {
		buf_adds(why, ": more files, or another proof");
		return false;
	}
	return verifies(root, why);
}

/* --- the store's files ------------------------------------------------------------- */

void device_forget_store(void)
{
	struct error e = { 0 };

	if (tree_remove(AT_FDCWD, "state/store", &e) < 0)
		give_up("%s", e.text);
}

static const char *copied_from;
static uid_t store_uid;
static gid_t store_gid;

static int copy_entry(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	autofree char *to = xasprintf("state/store%s", path + strlen(copied_from));
	autobuf data = { 0 };
	autofd fd = -1;

	(void)ftw;
	if (what == FTW_D) {
		if (mkdir(to, st->st_mode & 07777) < 0)
			give_up("%s: %s", to, strerror(errno));
	} else {
		load(path, &data);
		fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (io_write_full(fd, data.data, data.size, NULL) < 0)
			give_up("%s: %s", to, strerror(errno));
	}
	if (lchown(to, store_uid, store_gid) < 0)
		give_up("%s: %s", to, strerror(errno));
	return 0;
}

void device_put_store(const char *template)
{
	const struct passwd *pw = getpwnam("osupdate");

	if (!pw)
		give_up("no user osupdate");
	store_uid = pw->pw_uid;
	store_gid = pw->pw_gid;
	copied_from = template;
	device_forget_store();
	if (nftw(template, copy_entry, 16, FTW_PHYS) != 0)
		give_up("%s: cannot be copied", template);
}
