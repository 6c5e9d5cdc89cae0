/* SPDX-License-Identifier: MIT */
/* The firmware's boot variables: see efivar.h. */
#include "efivar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/io.h"
#include "hook.h"

#define GUID	     "-8be4df61-93ca-11d2-aa0d-00e098032b8c" /* EFI_GLOBAL_VARIABLE */
#define ATTRIBUTES   7 /* non-volatile, boot service, runtime */
#define HEADER_SIZE  4 /* the attributes, before the value */
#define VARIABLE_MAX 65536
#define NAME_SIZE    64

const char *efivar_directory(void)
{
	return hook_setting("OSUPDATE_EFIVARS", "/sys/firmware/efi/efivars");
}

static int open_directory(void)
{
	int fd = open(efivar_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		hook_die("%s: %s; is this machine booted by UEFI, and efivarfs mounted?",
			efivar_directory(), strerror(errno));
	return fd;
}

/* The value without its attributes; false when there is no such variable. */
static bool read_variable(int dir, const char *name, struct buf *ret)
{
	autobuf raw = { 0 };
	struct error e;
	int r = io_read_file_at(dir, name, VARIABLE_MAX, &raw, &e);

	if (r == E_NOTFOUND)
		return false;
	if (r < 0)
		hook_die("%s/%s", efivar_directory(), e.text);
	if (raw.size < HEADER_SIZE)
		return false; /* being created: it has no value yet */
	buf_add(ret, raw.data + HEADER_SIZE, raw.size - HEADER_SIZE);
	return true;
}

static void write_variable(const char *name, const void *value, size_t size)
{
	autofd dir = open_directory();
	autofd fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	unsigned char raw[HEADER_SIZE + EFI_ORDER_MAX * 2] = { ATTRIBUTES };
	struct statfs st;
	ssize_t n;

	if (fd < 0)
		hook_die("%s/%s: %s%s", efivar_directory(), name, strerror(errno),
			errno == EROFS ? "; mount efivarfs writable" : "");
	memcpy(raw + HEADER_SIZE, value, size);
	n = write(fd, raw, HEADER_SIZE + size);
	if (n != (ssize_t)(HEADER_SIZE + size))
		hook_die("%s/%s: write: %s", efivar_directory(), name,
			n < 0 ? strerror(errno) : "cut short");
	/* Any other file system (a test's) keeps the tail of what was there. */
	if (fstatfs(fd, &st) == 0 && (unsigned long)st.f_type != EFIVARFS_MAGIC &&
		(ftruncate(fd, HEADER_SIZE + (off_t)size) < 0 || fsync(fd) < 0))
		hook_die("%s/%s: %s", efivar_directory(), name, strerror(errno));
}

static void delete_variable(const char *name)
{
	autofd dir = open_directory();

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		hook_die("%s/%s: %s", efivar_directory(), name, strerror(errno));
}

/* --- options ---------------------------------------------------------------------- */

/* EFI_LOAD_OPTION: u32 attributes, u16 length of the path list, then the label, UCS-2. */
static void read_label(const struct buf *value, char ret[EFI_LABEL_SIZE])
{
	size_t n = 0;

	for (size_t i = 6; i + 1 < value->size && n + 1 < EFI_LABEL_SIZE; i += 2) {
		unsigned char low = (unsigned char)value->data[i];

		if (low == 0 && value->data[i + 1] == 0)
			break;
		ret[n++] = value->data[i + 1] == 0 && low >= ' ' && low < 0x7f ? (char)low
									       : '?';
	}
	ret[n] = '\0';
}

/* "Boot001A-<GUID>" */
static bool read_number(const char *file, uint16_t *ret)
{
	unsigned number = 0;

	if (strlen(file) != strlen("Boot0000" GUID) || strncmp(file, "Boot", 4) != 0 ||
		strcasecmp(file + 8, GUID) != 0)
		return false;
	for (size_t i = 4; i < 8; i++) {
		static const char digits[] = "0123456789ABCDEF";
		const char *digit = strchr(digits, file[i]);

		if (!digit)
			return false; /* BootNext, say */
		number = number * 16 + (unsigned)(digit - digits);
	}
	*ret = (uint16_t)number;
	return true;
}

size_t efivar_options(struct efi_option *ret, size_t max)
{
	int fd = open_directory();
	DIR *d = fdopendir(fd);
	size_t n = 0;

	if (!d)
		hook_die("%s: %s", efivar_directory(), strerror(errno));
	for (struct dirent *e = readdir(d); e && n < max; e = readdir(d)) {
		autobuf value = { 0 };

		if (!read_number(e->d_name, &ret[n].number) ||
			!read_variable(fd, e->d_name, &value))
			continue;
		read_label(&value, ret[n].label);
		n++;
	}
	(void)closedir(d);
	return n;
}

void efivar_delete_option(uint16_t number)
{
	char name[NAME_SIZE];

	(void)snprintf(name, sizeof(name), "Boot%04X" GUID, number);
	delete_variable(name);
}

/* --- numbers ---------------------------------------------------------------------- */

static uint16_t get16(const char *p)
{
	return (uint16_t)((unsigned char)p[0] | (unsigned)(unsigned char)p[1] << 8);
}

static void put16(unsigned char *p, uint16_t v)
{
	p[0] = (unsigned char)v;
	p[1] = (unsigned char)(v >> 8);
}

void efivar_order(struct efi_order *ret)
{
	autofd dir = open_directory();
	autobuf value = { 0 };

	ret->n = 0;
	if (!read_variable(dir, "BootOrder" GUID, &value))
		return;
	if (value.size / 2 > EFI_ORDER_MAX)
		hook_die("BootOrder: more than %d entries", EFI_ORDER_MAX);
	for (size_t i = 0; i + 1 < value.size; i += 2)
		ret->numbers[ret->n++] = get16(value.data + i);
}

void efivar_set_order(const struct efi_order *order)
{
	unsigned char value[EFI_ORDER_MAX * 2];

	for (size_t i = 0; i < order->n; i++)
		put16(value + i * 2, order->numbers[i]);
	if (order->n == 0)
		delete_variable("BootOrder" GUID);
	else
		write_variable("BootOrder" GUID, value, order->n * 2);
}

int efivar_number(const char *name)
{
	autofd dir = open_directory();
	autofree char *file = xasprintf("%s" GUID, name);
	autobuf value = { 0 };

	return read_variable(dir, file, &value) && value.size == 2 ? get16(value.data)
								   : EFI_NONE;
}

void efivar_set_next(uint16_t number)
{
	unsigned char value[2];

	put16(value, number);
	write_variable("BootNext" GUID, value, sizeof(value));
}

void efivar_delete_next(void)
{
	delete_variable("BootNext" GUID);
}
