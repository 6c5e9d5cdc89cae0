/* SPDX-License-Identifier: MIT */
/* See mutate.h. */
#include "mutate.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/io.h"

#define FILE_MAX  ((size_t)64 << 20)
#define PIECE_MAX 64 /* bytes that are moved, doubled or left out at a time */
#define SHOWN_MAX 20 /* of what was accepted */
#define TRIES_MAX 1000
#define ONE_IN(n) (chance_below(c, n) == 0)

/* --- chance ------------------------------------------------------------------------ */

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
uint64_t chance_next(struct chance *c)
{
	uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

size_t chance_below(struct chance *c, size_t n)
{
	return n ? (size_t)(chance_next(c) % n) : 0;
}

/* Each mutation has a chance of its own: any of them can be repeated alone. */
static struct chance chance_of(uint64_t seed, const char *name, uint64_t number)
{
	struct chance c = { seed };

	for (; *name; name++)
		c.state = chance_next(&c) ^ (unsigned char)*name;
	c.state = chance_next(&c) ^ number;
	return c;
}

/* --- bytes ------------------------------------------------------------------------- */

bool bytes_same(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

struct bytes bytes_part(struct bytes in, size_t from, size_t to)
{
	return (struct bytes){ in.data + from, to - from };
}

static void add(struct buf *out, struct bytes b)
{
	if (b.size > 0)
		buf_add(out, b.data, b.size);
}

/* `in` with `new` in the place of what stands between `from` and `to`. */
static void put(
	struct buf *out, struct bytes in, size_t from, size_t to, struct bytes new)
{
	add(out, bytes_part(in, 0, from));
	add(out, new);
	add(out, bytes_part(in, to, in.size));
}

/* --- one change of bytes ----------------------------------------------------------- */

static unsigned char any_byte(struct chance *c)
{
	static const unsigned char special[] = "\0\n\r\t \"#*,-./0:=?\\\177\200\377";

	return ONE_IN(2) ? special[chance_below(c, sizeof(special) - 1)]
			 : (unsigned char)chance_next(c);
}

static void flip(struct chance *c, struct bytes in, struct buf *out, struct buf *how)
{
	size_t at = chance_below(c, in.size);
	unsigned char b = (unsigned char)(in.data[at] ^ 1u << chance_below(c, 8));

	put(out, in, at, at + 1, (struct bytes){ &b, 1 });
	buf_addf(how, "bit flipped in byte %zu", at);
}

static void set(struct chance *c, struct bytes in, struct buf *out, struct buf *how)
{
	size_t at = chance_below(c, in.size);
	unsigned char b = any_byte(c);

	put(out, in, at, at + 1, (struct bytes){ &b, 1 });
	buf_addf(how, "byte %zu set to %u", at, b);
}

/* One more or one less: counts, sizes, lengths. */
static void step(struct chance *c, struct bytes in, struct buf *out, struct buf *how)
{
	size_t at = chance_below(c, in.size);
	unsigned char b = (unsigned char)(in.data[at] + (ONE_IN(2) ? 1 : -1));

	put(out, in, at, at + 1, (struct bytes){ &b, 1 });
	buf_addf(how, "byte %zu one more or less", at);
}

static void insert(struct chance *c, struct bytes in, struct buf *out, struct buf *how)
{
	size_t at = chance_below(c, in.size + 1);
	unsigned char b[4];
	size_t n = 1 + chance_below(c, sizeof(b));

	for (size_t i = 0; i < n; i++)
		b[i] = any_byte(c);
	put(out, in, at, at, (struct bytes){ b, n });
	buf_addf(how, "%zu bytes inserted at %zu", n, at);
}

static void delete (struct chance *c, struct bytes in, struct buf *out, struct buf *how)
{
	size_t at = chance_below(c, in.size);
	size_t n = 1 + chance_below(c, ONE_IN(2) ? 1 : PIECE_MAX);

	n = n < in.size - at ? n : in.size - at;
	put(out, in, at, at + n, (struct bytes){ 0 });
	buf_addf(how, "%zu bytes deleted at %zu", n, at);
}

/* Two pieces that stand one behind the other change places; or two bytes anywhere. */
static void swap(struct chance *c, struct bytes in, struct buf *out, struct buf *how)
{
	size_t a = chance_below(c, in.size);
	size_t b = chance_below(c, in.size);
	size_t n = ONE_IN(2) ? 1 : 1 + chance_below(c, PIECE_MAX);
	size_t low = a < b ? a : b;
	size_t high = a < b ? b : a;

	if (high - low < n || in.size - high < n)
		return;
	add(out, bytes_part(in, 0, low));
	add(out, bytes_part(in, high, high + n));
	add(out, bytes_part(in, low + n, high));
	add(out, bytes_part(in, low, low + n));
	add(out, bytes_part(in, high + n, in.size));
	buf_addf(how, "%zu bytes swapped between %zu and %zu", n, low, high);
}

static void cut(struct chance *c, struct bytes in, struct buf *out, struct buf *how)
{
	size_t at = chance_below(c, in.size);
	bool begin = ONE_IN(4);

	add(out, begin ? bytes_part(in, at, in.size) : bytes_part(in, 0, at));
	buf_addf(how, begin ? "all before %zu is gone" : "cut at %zu", at);
}

/* A piece of another release's: over what stands in its place there, or anywhere. */
static void graft(struct chance *c, struct bytes in, struct bytes other, struct buf *out,
	struct buf *how)
{
	size_t from = chance_below(c, other.size);
	size_t n = 1 + chance_below(c, ONE_IN(3) ? other.size - from : PIECE_MAX);
	size_t at = ONE_IN(2) ? from : chance_below(c, in.size);
	size_t end;

	if (other.size == 0)
		return;
	n = n < other.size - from ? n : other.size - from;
	at = at < in.size ? at : in.size;
	end = n < in.size - at ? at + n : in.size;
	put(out, in, at, end, bytes_part(other, from, from + n));
	buf_addf(how, "%zu bytes at %zu are another release's", n, at);
}

/* --- lines and fields -------------------------------------------------------------- */

/* A line with its newline, or a word with the blank behind it, anywhere. */
static bool pick(struct chance *c, struct bytes in, bool line, size_t *from, size_t *to)
{
	size_t at = chance_below(c, in.size);
	const unsigned char *d = in.data;

	for (*from = at; *from > 0; --*from)
		if (d[*from - 1] == '\n' || (!line && d[*from - 1] == ' '))
			break;
	for (*to = at; *to < in.size; ++*to)
		if (d[*to] == '\n' || (!line && d[*to] == ' '))
			break;
	*to += *to < in.size;
	return *to > *from;
}

static void words(struct chance *c, struct bytes in, struct buf *out, struct buf *how)
{
	bool line = ONE_IN(2);
	const char *what = line ? "line" : "field";
	size_t from, to, from2, to2;

	if (!pick(c, in, line, &from, &to) || !pick(c, in, line, &from2, &to2))
		return;
	switch (chance_below(c, 3)) {
	case 0:
		put(out, in, to, to, bytes_part(in, from, to));
		buf_addf(how, "%s at %zu doubled", what, from);
		break;
	case 1:
		put(out, in, from, to, (struct bytes){ 0 });
		buf_addf(how, "%s at %zu left out", what, from);
		break;
	default:
		if (to > from2)
			return;
		add(out, bytes_part(in, 0, from));
		add(out, bytes_part(in, from2, to2));
		add(out, bytes_part(in, to, from2));
		add(out, bytes_part(in, from, to));
		add(out, bytes_part(in, to2, in.size));
		buf_addf(how, "%ss at %zu and %zu swapped", what, from, from2);
	}
}

/* --- one mutation ------------------------------------------------------------------ */

static void change(struct chance *c, struct bytes in, struct bytes other, struct buf *out,
	struct buf *how)
{
	static void (*const simple[])(
		struct chance *, struct bytes, struct buf *, struct buf *) = { flip, flip,
		set, step, insert, delete, swap, cut, words, words };
	size_t n = sizeof(simple) / sizeof(simple[0]);
	size_t which = chance_below(c, n + 2);

	if (in.size == 0)
		insert(c, in, out, how);
	else if (which >= n)
		graft(c, in, other, out, how);
	else
		simple[which](c, in, out, how);
}

void mutate_part(struct chance *c, struct bytes in, size_t from, size_t to,
	struct bytes other, struct buf *out, struct buf *how)
{
	struct bytes part = bytes_part(in, from, to);
	size_t said = how->size;
	autobuf changed = { 0 };

	/* What changes nothing (two equal bytes swapped) is no mutation. */
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		buf_reset(&changed);
		how->size = said;
		change(c, part, other, &changed, how);
		if (how->size > said && !bytes_same(buf_bytes(&changed), part)) {
			put(out, in, from, to, buf_bytes(&changed));
			return;
		}
	}
	give_up("%u changes of %zu bytes changed nothing", TRIES_MAX, part.size);
}

void mutate(struct chance *c, struct bytes in, struct bytes other, struct buf *out,
	struct buf *how)
{
	mutate_part(c, in, 0, in.size, other, out, how);
}

/* --- many -------------------------------------------------------------------------- */

uint64_t campaign_run(
	const struct campaign *k, uint64_t seed, uint64_t first, uint64_t count)
{
	uint64_t n[ACCEPTED + 1] = { 0 };

	for (uint64_t i = first; i - first < count; i++) {
		struct chance c = chance_of(seed, k->name, i);
		autobuf how = { 0 };
		enum verdict v = k->try(k->ctx, &c, &how);

		if (v == ACCEPTED && n[v] < SHOWN_MAX)
			printf("# %s, mutation %" PRIu64 " of seed %" PRIu64
			       ": %s: accepted\n",
				k->name, i, seed, how.data ? how.data : "?");
		n[v]++;
	}
	printf("%s - %s: %" PRIu64 " mutations, %" PRIu64 " accepted (%" PRIu64
	       " refused, %" PRIu64 " harmless)\n",
		n[ACCEPTED] ? "not ok" : "ok", k->name, count, n[ACCEPTED], n[REFUSED],
		n[HARMLESS]);
	return n[ACCEPTED];
}

void load(const char *name, struct buf *ret)
{
	struct error e = { 0 };

	if (io_read_file_at(AT_FDCWD, name, FILE_MAX, ret, &e) < 0)
		give_up("%s: %s", name, e.text);
}

void give_up(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("not ok - ");
	(void)vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	(void)fflush(stdout);
	_exit(1);
}
