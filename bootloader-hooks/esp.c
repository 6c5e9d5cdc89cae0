/* SPDX-License-Identifier: MIT */
/* Kernels on the EFI system partition: see esp.h. */
#include "esp.h"

#include <blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/io.h"
#include "hook.h"

#define DIRECTORY "osupdate"
#define INCOMING  "incoming" /* a file that is being written */
#define SLACK	  (1 << 20)  /* bytes left for entries and directories */
#define CHUNK	  (1 << 20)
#define NAME_SIZE 31

bool esp_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > NAME_SIZE)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(name[i] >= '0' && name[i] <= '9') &&
			!(name[i] >= 'A' && name[i] <= 'Z') &&
			!(name[i] >= 'a' && name[i] <= 'z') && name[i] != '_')
			return false;
	return true;
}

void esp_open(struct esp *esp)
{
	esp->path = hook_setting("OSUPDATE_ESP", "/boot/efi");
	esp->fd = open(esp->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (esp->fd < 0)
		hook_die("%s: %s; mount the EFI system partition there, or name another "
			 "place with esp= in [boot]",
			esp->path, strerror(errno));
}

void esp_close(struct esp *esp)
{
	cleanup_fd(&esp->fd);
}

void esp_sync(const struct esp *esp)
{
	if (syncfs(esp->fd) < 0)
		hook_die("%s: syncfs: %s", esp->path, strerror(errno));
}

static void make_directory(const struct esp *esp, const char *name)
{
	if (mkdirat(esp->fd, name, 0755) < 0 && errno != EEXIST)
		hook_die("%s/%s: %s%s", esp->path, name, strerror(errno),
			errno == EROFS ? "; mount it writable" : "");
}

/* --- out of the slot -------------------------------------------------------------- */

/* Symlinks stay inside the slot.  -1 when it is not there and need not be. */
static int open_in_slot(const char *path, bool needed)
{
	const char *root = getenv("OSUPDATE_ROOT");
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	autofd dir = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	long fd;

	if (!root)
		hook_die("OSUPDATE_ROOT is not set: where is the slot's kernel?");
	if (dir < 0)
		hook_die("%s: %s", root, strerror(errno));
	while (*path == '/')
		path++;
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd < 0 && (errno != ENOENT || needed))
		hook_die("the slot's %s: %s; name its kernel with kernel= and its initrd "
			 "with initrd= in [boot]",
			path, strerror(errno));
	return (int)fd;
}

static void map(int fd, const char *what, struct bytes *ret)
{
	struct error e;

	if (fd >= 0 && io_map(fd, ret, &e) < 0)
		hook_die("the slot's %s: %s", what, e.text);
}

static void make_id(struct bytes linux_, struct bytes initrd, char ret[ESP_ID_SIZE])
{
	const struct digest both[2] = { digest_of(linux_), digest_of(initrd) };
	const struct digest all =
		digest_of((struct bytes){ (const unsigned char *)both, sizeof(both) });
	char hex[DIGEST_HEX_MAX];

	digest_hex(&all, hex);
	memcpy(ret, hex, ESP_ID_SIZE - 1);
	ret[ESP_ID_SIZE - 1] = '\0';
}

/* --- onto the partition ----------------------------------------------------------- */

static bool is_there(int dir, const char *name, struct bytes contents)
{
	autofd fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	automap found = { 0 };
	struct stat st;
	struct error e;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		(size_t)st.st_size != contents.size)
		return false;
	return contents.size == 0 ||
	       (io_map(fd, &found, &e) == 0 &&
		       memcmp(found.data, contents.data, contents.size) == 0);
}

static void require_space(const struct esp *esp, size_t size)
{
	struct statvfs st;

	if (fstatvfs(esp->fd, &st) < 0)
		hook_die("%s: statvfs: %s", esp->path, strerror(errno));
	if ((uint64_t)st.f_bavail * st.f_frsize < size + SLACK)
		hook_die("%s: full: %zu bytes are needed, %llu are free; make the EFI "
			 "system partition larger or remove what others left there",
			esp->path, size + SLACK,
			(unsigned long long)st.f_bavail * st.f_frsize);
}

/* Written under another name, on the disk, then under its own. */
static void put(const struct esp *esp, int dir, const char *name, struct bytes contents)
{
	autofd fd = -1;
	struct error e;

	if (is_there(dir, name, contents))
		return;
	require_space(esp, contents.size);
	fd = openat(dir, INCOMING,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
	if (fd < 0)
		hook_die("%s/" DIRECTORY ": %s%s", esp->path, strerror(errno),
			errno == EROFS ? "; mount it writable" : "");
	for (size_t done = 0; done < contents.size; done += CHUNK) {
		size_t n = contents.size - done < CHUNK ? contents.size - done : CHUNK;

		if (io_write_full(fd, contents.data + done, n, &e) < 0)
			hook_die("%s/" DIRECTORY ": %s", esp->path, e.text);
	}
	if (fsync(fd) < 0)
		hook_die("%s/" DIRECTORY ": fsync: %s", esp->path, strerror(errno));
	if (renameat(dir, INCOMING, dir, name) < 0)
		hook_die("%s/" DIRECTORY "/%s: rename: %s", esp->path, name,
			strerror(errno));
}

void esp_install(const struct esp *esp, struct esp_kernel *ret)
{
	const char *kernel = hook_setting("OSUPDATE_KERNEL", "vmlinuz");
	const char *initrd = getenv("OSUPDATE_INITRD");
	bool named = initrd && *initrd;
	autofd kernel_fd = open_in_slot(kernel, true);
	autofd initrd_fd = open_in_slot(named ? initrd : "initrd.img", named);
	automap linux_ = { 0 };
	automap init = { 0 };
	autofd dir = -1;
	char path[sizeof(DIRECTORY) + ESP_ID_SIZE];
	struct error e;

	if (digest_init_once(&e) < 0)
		hook_die("%s", e.text);
	map(kernel_fd, kernel, &linux_);
	map(initrd_fd, "initrd", &init);
	make_id(linux_, init, ret->id);
	ret->initrd = initrd_fd >= 0;
	(void)snprintf(path, sizeof(path), DIRECTORY "/%s", ret->id);
	make_directory(esp, DIRECTORY);
	make_directory(esp, path);
	dir = openat(esp->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		hook_die("%s/%s: %s", esp->path, path, strerror(errno));
	put(esp, dir, "linux", linux_);
	if (ret->initrd)
		put(esp, dir, "initrd", init);
	esp_sync(esp);
}

static void remove_kernel(int parent, const char *id)
{
	static const char *const files[] = { "linux", "initrd", INCOMING };
	autofd dir = openat(parent, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (dir < 0)
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlinkat(dir, files[i], 0); /* it may well not be there */
	(void)unlinkat(parent, id, AT_REMOVEDIR); /* left for the next time */
}

void esp_collect(const struct esp *esp, const char *used)
{
	autofd parent = openat(
		esp->fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	autofd own = parent < 0 ? -1 : fcntl(parent, F_DUPFD_CLOEXEC, 3);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	char ids[64][ESP_ID_SIZE];
	size_t n = 0;

	if (!d)
		return;
	(void)take_fd(&own); /* closedir's now */
	for (struct dirent *entry = readdir(d); entry && n < 64; entry = readdir(d))
		if (strlen(entry->d_name) == ESP_ID_SIZE - 1 &&
			!strstr(used, entry->d_name))
			memcpy(ids[n++], entry->d_name, ESP_ID_SIZE);
	(void)closedir(d);
	for (size_t i = 0; i < n; i++)
		remove_kernel(parent, ids[i]);
	if (n)
		esp_sync(esp);
}

/* --- the command line ------------------------------------------------------------- */

/* PARTUUID=… of a partition, which stays when disks are found in another order. */
static char *root_of(const char *device)
{
	blkid_probe probe = blkid_new_probe_from_filename(device);
	const char *uuid = NULL;
	char *ret;

	if (probe && blkid_probe_enable_partitions(probe, 1) == 0 &&
		blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS) == 0 &&
		blkid_do_safeprobe(probe) >= 0)
		(void)blkid_probe_lookup_value(probe, "PART_ENTRY_UUID", &uuid, NULL);
	ret = uuid ? xasprintf("PARTUUID=%s", uuid) : xstrdup(device);
	blkid_free_probe(probe);
	return ret;
}

char *esp_command_line(const char *name)
{
	const char *device = getenv("OSUPDATE_DEVICE");
	const char *machine = hook_setting("OSUPDATE_ARGUMENTS", "");
	const char *release = hook_setting("OSUPDATE_KERNEL_ARGUMENTS", "");
	autofree char *root = NULL;

	if (!device || !*device)
		hook_die("OSUPDATE_DEVICE is not set: what is the slot's device?");
	root = root_of(device);
	return xasprintf("root=%s ro osupdate.slot=%s panic=10%s%s%s%s", root, name,
		*machine ? " " : "", machine, *release ? " " : "", release);
}
