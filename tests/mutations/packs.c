/* SPDX-License-Identifier: MIT */
/*
 * Git packs.  As they are served: pack.1 and pack.2, of releases 1 and 2, without deltas
 * by distance; what is in pack.now is what the server sends (serve.py).  And as they lie
 * in the store: the directory `template` is a store whose packs are so many that a fetch
 * gathers them into one, and not compressed, so that another content fits in its place.
 */
#include <fcntl.h>
#include <ftw.h>

#include "base/digest.h"
#include "base/io.h"
#include "device.h"
#include "pack.h"

#define FILES_MAX 512
#define LEVEL	  6

static struct buf packs[2];
static struct pack_parts parts; /* of the second */
static struct attempt attempt;

static void write_file(const char *path, struct bytes data)
{
	autofd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct error e = { 0 };

	if (fd < 0 || io_write_full(fd, data.data, data.size, &e) < 0)
		give_up("%s: cannot be written%s", path, e.text);
}

static enum verdict update(const struct attempt *a, struct buf *how)
{
	struct error e = { 0 };

	if (device_update(a, &e) < 0)
		return REFUSED;
	return device_is_right(how) ? HARMLESS : ACCEPTED;
}

/* The release as it should be, and what slot B is then. */
static void prepare(const char *const *options)
{
	struct error e = { 0 };

	attempt = (struct attempt){ .options = options };
	device_forget_store();
	if (device_update(&attempt, &e) < 0)
		give_up("release 2 as it should be: %s", e.text);
	device_remember();
}

/* --- as they are served ------------------------------------------------------------ */

/* An object of another content, deflated as it should be. */
static void mutate_object(struct chance *c, struct buf *out, struct buf *how)
{
	const struct pack_object *o = &parts.objects[chance_below(c, parts.n)];
	autobuf foreign = { 0 };
	autobuf changed = { 0 };
	autobuf data = { 0 };

	pack_inflate(&parts, o, &data);
	pack_inflate(&parts, &parts.objects[chance_below(c, parts.n)], &foreign);
	buf_addf(how, "in an object of type %u: ", o->type);
	mutate(c, buf_bytes(&data), buf_bytes(&foreign), &changed, how);
	pack_put(&parts, o, buf_bytes(&changed), LEVEL, out);
}

static enum verdict try_pack(void *ctx, struct chance *c, struct buf *how)
{
	struct bytes right = buf_bytes(&packs[1]);
	struct bytes other = buf_bytes(&packs[0]);
	autobuf out = { 0 };

	(void)ctx;
	switch (chance_below(c, 6)) {
	case 0:
		mutate(c, right, other, &out, how);
		break;
	case 1:
	case 2:
		mutate(c, bytes_part(right, 0, right.size - OID_SIZE), other, &out, how);
		pack_seal(&out);
		break;
	default:
		mutate_object(c, &out, how);
		pack_seal(&out);
	}
	write_file("pack.now", buf_bytes(&out));
	device_forget_store();
	return update(&attempt, how);
}

const struct campaign *campaign_packs(void)
{
	static const struct campaign k = { .name = "packs", .try = try_pack };
	static const char *options[2];

	options[0] = getenv("SERVE_OPTION");
	if (!options[0])
		give_up("SERVE_OPTION is needed");
	load("pack.1", &packs[0]);
	load("pack.2", &packs[1]);
	pack_parse(buf_bytes(&packs[1]), &parts);
	write_file("pack.now", buf_bytes(&packs[1]));
	prepare(options);
	return &k;
}

/* --- as they lie ------------------------------------------------------------------- */

static char *files[FILES_MAX];
static size_t n_files;

static int note_file(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)ftw;
	/* What says how new the rest is, and other notes, count as much as a pack. */
	if (what == FTW_F && st->st_size > 0 && n_files < FILES_MAX)
		files[n_files++] = xstrdup(path);
	return 0;
}

/* An object of another content and the same size, in its place: the index still holds. */
static bool mutate_in_place(
	struct chance *c, struct bytes pack, struct buf *out, struct buf *how)
{
	struct pack_parts p;
	const struct pack_object *o;
	autobuf data = { 0 };
	autobuf changed = { 0 };

	pack_parse(pack, &p);
	o = &p.objects[chance_below(c, p.n)];
	pack_inflate(&p, o, &data);
	buf_addf(how, "in an object of type %u: ", o->type);
	mutate(c, buf_bytes(&data), buf_bytes(&data), &changed, how);
	if (changed.size != data.size)
		return false;
	pack_put(&p, o, buf_bytes(&changed), 0, out);
	pack_seal(out);
	if (out->size != pack.size)
		give_up("%s: the store is compressed", how->data);
	return true;
}

/* Some with their own checksums right again: the last 20 bytes are over all before. */
static void mutate_file(struct chance *c, struct bytes in, struct bytes other, bool pack,
	struct buf *out, struct buf *how)
{
	size_t said = how->size;
	bool sealed = in.size > 1000 && chance_below(c, 2) == 0;

	if (pack && chance_below(c, 4) > 0) {
		if (mutate_in_place(c, in, out, how))
			return;
		how->size = said;
	}
	mutate(c, bytes_part(in, 0, in.size - (sealed ? OID_SIZE : 0)), other, out, how);
	if (sealed)
		pack_seal(out);
}

static enum verdict try_store(void *ctx, struct chance *c, struct buf *how)
{
	const char *file = files[chance_below(c, n_files)];
	const char *other = files[chance_below(c, n_files)];
	const char *dot = strrchr(file, '.');
	struct attempt a = attempt;
	autofree char *to = xasprintf("state/store%s", file + strlen("template"));
	autobuf foreign = { 0 };
	autobuf out = { 0 };
	autobuf in = { 0 };

	(void)ctx;
	a.no_fetch = chance_below(c, 3) > 0;
	buf_addf(how, "%s%s: ", file, a.no_fetch ? ", no fetch" : "");
	load(file, &in);
	load(other, &foreign);
	mutate_file(c, buf_bytes(&in), buf_bytes(&foreign),
		dot && strcmp(dot, ".pack") == 0, &out, how);
	device_put_store("template");
	write_file(to, buf_bytes(&out));
	return update(&a, how);
}

/* The fetch before did not leave the packs as they were. */
static void require_gathered(void)
{
	autodir d = opendir("state/store/git/objects/pack");
	struct dirent *entry;
	size_t n = 0;

	while (d && (entry = readdir(d)))
		n += strstr(entry->d_name, ".pack") != NULL;
	if (n == 0 || n > 8)
		give_up("%zu packs in the store: a fetch gathers none", n);
}

const struct campaign *campaign_stores(void)
{
	static const struct campaign k = { .name = "stores", .try = try_store };
	static const char *options[2];
	struct attempt a;
	struct error e = { 0 };
	autobuf why = { 0 };

	options[0] = getenv("URL_OPTION");
	if (!options[0])
		give_up("URL_OPTION is needed");
	prepare(options);
	n_files = 0;
	if (nftw("template", note_file, 16, FTW_PHYS) != 0 || n_files < 10)
		give_up("template: no store");
	a = attempt;
	for (int i = 0; i < 2; i++) {
		a.no_fetch = i == 0;
		device_put_store("template");
		if (device_update(&a, &e) < 0 || !device_is_right(&why))
			give_up("the template as it is: %s%s", e.text,
				why.data ? why.data : "");
	}
	require_gathered();
	return &k;
}
