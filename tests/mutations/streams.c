/* SPDX-License-Identifier: MIT */
/*
 * Files of a static server (www/), through the real decoder and onto the device: the
 * channel, the catalog, and streams in their parts, also in what is compressed there.
 *   id.1 id.2   commit ids; www/release/<id 2>/ has full and from-<id 1>
 */
#include "mutate.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <zstd.h>

#include "base/io.h"
#include "base/le.h"
#include "device.h"
#include "stream/stream.h"

#define LEVEL 3

enum file { CHANNEL, CATALOG, FULL, FROM, FILES };

struct served {
	char *path;
	char *aside; /* where it stands when it is not served */
	struct buf right;
	struct buf other; /* release 1's */
};

static struct served served[FILES];
static struct attempt by_full;
static struct attempt by_base;

/* --- streams ----------------------------------------------------------------------- */

static void inflate_part(struct bytes in, size_t length, struct buf *ret)
{
	buf_reserve(ret, length + 1);
	ret->size = ZSTD_decompress(ret->data, length, in.data, in.size);
	if (ZSTD_isError(ret->size) || ret->size != length)
		give_up("a stream's head or index: %s", ZSTD_getErrorName(ret->size));
}

static void add_deflated(struct buf *out, const struct buf *in)
{
	size_t n = ZSTD_compressBound(in->size);

	buf_reserve(out, n);
	n = ZSTD_compress(out->data + out->size, n, in->data, in->size, LEVEL);
	if (ZSTD_isError(n))
		give_up("zstd: %s", ZSTD_getErrorName(n));
	out->size += n;
}

static void parse(struct bytes stream, struct stream_prologue *p)
{
	struct error e = { 0 };

	if (stream.size < STREAM_PROLOGUE ||
		stream_prologue_parse(stream.data, p, &e) < 0)
		give_up("a stream: %s", e.text);
}

/* Head or index inflated and changed, all lengths made right again. */
static void mutate_inflated(struct chance *c, struct bytes in, struct bytes other,
	bool index, struct buf *out, struct buf *how)
{
	unsigned char prologue[STREAM_PROLOGUE];
	autobuf changed = { 0 };
	autobuf deflated = { 0 };
	autobuf foreign = { 0 };
	autobuf raw = { 0 };
	struct stream_prologue p;
	struct stream_prologue q;
	size_t at;
	size_t end;

	parse(in, &p);
	parse(other, &q);
	at = STREAM_PROLOGUE + (index ? p.head_stored : 0);
	end = at + (index ? p.index_stored : p.head_stored);
	inflate_part(
		bytes_part(in, at, end), index ? p.index_length : p.head_length, &raw);
	at = STREAM_PROLOGUE + (index ? q.head_stored : 0);
	inflate_part(bytes_part(other, at, at + (index ? q.index_stored : q.head_stored)),
		index ? q.index_length : q.head_length, &foreign);
	buf_adds(how, index ? "in the index: " : "in the head: ");
	mutate(c, buf_bytes(&raw), buf_bytes(&foreign), &changed, how);
	add_deflated(&deflated, &changed);
	*(index ? &p.index_length : &p.head_length) = (uint32_t)changed.size;
	at = STREAM_PROLOGUE + (index ? p.head_stored : 0);
	*(index ? &p.index_stored : &p.head_stored) = (uint32_t)deflated.size;
	stream_prologue_print(&p, prologue);
	buf_add(out, prologue, sizeof(prologue));
	buf_add(out, in.data + STREAM_PROLOGUE, at - STREAM_PROLOGUE);
	buf_add(out, deflated.data, deflated.size);
	buf_add(out, in.data + end, in.size - end);
}

static void mutate_stream(struct chance *c, struct bytes in, struct bytes other,
	struct buf *out, struct buf *how)
{
	struct stream_prologue p;
	size_t frames;

	parse(in, &p);
	frames = (size_t)stream_frames_at(&p);
	switch (chance_below(c, 8)) {
	case 0:
		mutate_part(c, in, 0, STREAM_PROLOGUE, other, out, how);
		break;
	case 1:
		mutate_part(c, in, STREAM_PROLOGUE, frames, other, out, how);
		break;
	case 2:
	case 3:
		mutate_part(c, in, frames, in.size, other, out, how);
		break;
	case 4:
		mutate_inflated(c, in, other, false, out, how);
		break;
	case 5:
	case 6:
		mutate_inflated(c, in, other, true, out, how);
		break;
	default:
		mutate(c, in, other, out, how);
	}
}

/* --- one mutation ------------------------------------------------------------------ */

static void serve(const struct served *s, struct bytes data)
{
	autofd fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct error e = { 0 };

	if (fd < 0 || io_write_full(fd, data.data, data.size, &e) < 0)
		give_up("%s: %s", s->path, e.text);
}

static void move(const char *from, const char *to)
{
	if (rename(from, to) < 0)
		give_up("%s: cannot be moved", from);
}

static enum verdict try_stream(void *ctx, struct chance *c, struct buf *how)
{
	static const enum file often[] = { CHANNEL, CATALOG, FULL, FULL, FULL, FROM, FROM,
		FROM };
	enum file which = often[chance_below(c, sizeof(often) / sizeof(often[0]))];
	const struct served *s = &served[which];
	bool alone = chance_below(c, 3) > 0; /* nothing to fall back to */
	bool based = which == FROM || (which != FULL && chance_below(c, 2) == 0);
	struct error e = { 0 };
	autobuf out = { 0 };
	int r;

	(void)ctx;
	buf_addf(how, "%s%s: ", s->path, alone ? " (alone)" : "");
	(which >= FULL ? mutate_stream : mutate)(
		c, buf_bytes(&s->right), buf_bytes(&s->other), &out, how);
	serve(s, buf_bytes(&out));
	if (alone && which == FROM)
		move(served[FULL].path, served[FULL].aside);
	device_forget_store();
	r = device_update(based ? &by_base : &by_full, &e);
	if (alone && which == FROM)
		move(served[FULL].aside, served[FULL].path);
	serve(s, buf_bytes(&s->right));
	if (r < 0)
		return REFUSED;
	return device_is_right(how) ? HARMLESS : ACCEPTED;
}

/* --- what there is ----------------------------------------------------------------- */

static void read_id(const char *file, char ret[OID_HEX_MAX])
{
	autobuf text = { 0 };

	load(file, &text);
	if (text.size < OID_HEX_MAX - 1)
		give_up("%s: no commit id", file);
	memcpy(ret, text.data, OID_HEX_MAX - 1);
	ret[OID_HEX_MAX - 1] = '\0';
}

static void take(enum file which, char *path, const char *other)
{
	struct served *s = &served[which];

	s->path = path;
	s->aside = xasprintf("aside.%d", (int)which);
	load(path, &s->right);
	load(other, &s->other);
}

const struct campaign *campaign_streams(void)
{
	static const struct campaign k = { .name = "streams", .try = try_stream };
	static const char *options[3];
	static const char *full[2];
	char id[2][OID_HEX_MAX];
	autobuf why = { 0 };
	struct error e = { 0 };

	options[0] = full[0] = getenv("STREAM_OPTION");
	if (!options[0])
		give_up("STREAM_OPTION is needed");
	read_id("id.1", id[0]);
	read_id("id.2", id[1]);
	options[1] = xasprintf("have=%s", id[0]);
	by_base = (struct attempt){ .options = options, .booted = true };
	by_full = (struct attempt){ .options = full };
	take(CHANNEL, xstrdup("www/channel/stable"), "commit.1");
	take(CATALOG, xasprintf("www/release/%s/index", id[1]), "catalog.1");
	take(FULL, xasprintf("www/release/%s/full", id[1]), "full.1");
	take(FROM, xasprintf("www/release/%s/from-%s", id[1], id[0]), "full.1");
	device_forget_store();
	if (device_update(&by_full, &e) < 0)
		give_up("release 2 by the full stream: %s", e.text);
	device_remember();
	device_forget_store();
	if (device_update(&by_base, &e) < 0 || !device_is_right(&why))
		give_up("release 2 by its stream: %s%s", e.text,
			why.data ? why.data : "");
	return &k;
}
