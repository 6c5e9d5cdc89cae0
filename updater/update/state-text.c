/* SPDX-License-Identifier: MIT */
/*
 * The state record as text: see state-text.h; format: doc/formats.md#state.  Believes
 * nothing whose digest is wrong.
 */
#include "update/state-text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

#define STATE_HEADER "osupdate-state 1\n"
#define DIGEST_LINE  (sizeof("digest \n") - 1 + (size_t)DIGEST_SIZE * 2)

/* --- texts ------------------------------------------------------------------------ */

/* Cut at `max` bytes, but not inside \ooo or a UTF-8 sequence. */
static size_t cut(const char *s, size_t n, size_t max)
{
	if (n <= max)
		return n;
	n = max;
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	for (size_t back = 1; back <= 3 && back <= n; back++)
		if (s[n - back] == '\\')
			return n - back;
	return n;
}

/*
 * One safe line for the record, at most STATE_TEXT_MAX bytes.  Texts come escaped
 * already from whoever quoted foreign bytes, so backslashes stay as they are.
 */
void state_text_set(char ret[STATE_TEXT_MAX + 1], const char *text)
{
	autobuf out = { 0 };

	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\\");

		text_escape(&out, (struct bytes){ (const unsigned char *)p, n }, false);
		p += n;
		n = strspn(p, "\\");
		buf_add(&out, p, n);
		p += n;
	}
	(void)snprintf(ret, STATE_TEXT_MAX + 1, "%.*s",
		(int)cut(out.data, out.size, STATE_TEXT_MAX), out.data ? out.data : "");
}

/* --- printing --------------------------------------------------------------------- */

static void print_ref(const char *key, const struct release_ref *ref, struct buf *out)
{
	char identity[DIGEST_HEX_MAX];
	char commit[OID_HEX_MAX];

	digest_hex(&ref->identity, identity);
	oid_hex(&ref->commit, commit);
	buf_addf(out, "%s %s %s %" PRIu64 " %" PRId64 " ", key, identity, commit,
		ref->serial, ref->time);
	text_escape(out, bytes_of(ref->version), true);
}

/* A line of its own: the programs of older releases keep what they do not know. */
static void print_signer(const struct release_ref *ref, struct buf *out)
{
	char identity[DIGEST_HEX_MAX];

	digest_hex(&ref->identity, identity);
	if (ref->signer[0])
		buf_addf(out, "signed-by %s %s\n", identity, ref->signer);
}

static void print_error(const struct state *s, struct buf *out)
{
	if (s->error_time != 0)
		buf_addf(out, "error %" PRId64 " %s %s\n", s->error_time, s->error_step,
			s->error_text);
}

/* `skip`: the oldest denials that found no room. */
static void print(const struct state *s, size_t skip, bool unknown, struct buf *out)
{
	buf_adds(out, STATE_HEADER);
	buf_addf(out, "phase %s\nboot-id %s\n", phase_name(s->phase), s->boot_id);
	if (s->target[0])
		buf_addf(out, "target %s\n", s->target);
	if (s->release.serial) {
		print_ref("release", &s->release, out);
		buf_adds(out, "\n");
	}
	if (s->retries)
		buf_addf(out, "retries %u\n", s->retries);
	buf_addf(out, "arm-calls %u\nfloor %" PRIu64 "\nfloor-time %" PRId64 "\n",
		s->arm_calls, s->floor, s->floor_time);
	if (s->floor_signer[0])
		buf_addf(out, "floor-signed-by %" PRIu64 " %s\n", s->floor,
			s->floor_signer);
	if (s->valid_until)
		buf_addf(out, "valid-until %" PRId64 "\n", s->valid_until);
	if (s->has_candidate) {
		print_ref("candidate", &s->candidate, out);
		buf_adds(out, "\n");
	}
	for (size_t i = skip; i < s->n_denied; i++) {
		print_ref("denied", &s->denied[i].release, out);
		buf_addf(out, " %s\n", s->denied[i].reason);
	}
	/* After what they are about. */
	print_signer(&s->release, out);
	for (size_t i = skip; i < s->n_denied; i++)
		print_signer(&s->denied[i].release, out);
	print_error(s, out);
	if (unknown && s->unknown)
		buf_adds(out, s->unknown);
}

/* A record always fits: the oldest denials give way first, then what we do not know. */
void state_print(const struct state *s, struct buf *out)
{
	char hex[DIGEST_HEX_MAX];
	char padding[256];
	struct digest digest;
	bool unknown = true;

	for (size_t skip = 0;; skip++) {
		buf_reset(out);
		print(s, skip, unknown, out);
		if (out->size + DIGEST_LINE <= STATE_SIZE)
			break;
		if (skip == s->n_denied && unknown) {
			unknown = false;
			skip = (size_t)-1; /* all denials again */
		}
	}
	digest = digest_of(buf_bytes(out));
	digest_hex(&digest, hex);
	buf_addf(out, "digest %s\n", hex);
	memset(padding, '\n', sizeof(padding));
	while (out->size < STATE_SIZE) {
		size_t left = STATE_SIZE - out->size;

		buf_add(out, padding, left < sizeof(padding) ? left : sizeof(padding));
	}
}

/* --- parsing ---------------------------------------------------------------------- */

/* The rest of a line, eaten field by field. */
struct fields {
	const char *p;
	const char *end;
};

/* The next field, up to one space or the end. */
static struct bytes field(struct fields *f)
{
	const char *space = memchr(f->p, ' ', (size_t)(f->end - f->p));
	const char *stop = space ? space : f->end;
	struct bytes ret = { (const unsigned char *)f->p, (size_t)(stop - f->p) };

	f->p = space ? space + 1 : f->end;
	return ret;
}

static bool parse_u64(struct bytes b, uint64_t *ret)
{
	return text_u64((const char *)b.data, b.size, UINT64_MAX, ret);
}

static bool parse_i64(struct bytes b, int64_t *ret)
{
	bool negative = b.size > 0 && b.data[0] == '-';
	uint64_t v;

	if (!text_u64((const char *)b.data + negative, b.size - negative, INT64_MAX, &v))
		return false;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

/* The rest of the line as it is: no control characters, no NUL. */
static bool parse_text(struct fields *f, char *ret, size_t size)
{
	size_t n = (size_t)(f->end - f->p);

	if (n >= size)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)f->p[i] < ' ' || f->p[i] == 0x7f)
			return false;
	memcpy(ret, f->p, n);
	ret[n] = '\0';
	return true;
}

static bool parse_ref(struct fields *f, struct release_ref *ret)
{
	struct bytes identity = field(f);
	struct bytes commit = field(f);
	autobuf version = { 0 };
	struct bytes raw;

	if (!digest_parse((const char *)identity.data, identity.size, &ret->identity) ||
		!oid_parse((const char *)commit.data, commit.size, &ret->commit) ||
		!parse_u64(field(f), &ret->serial) || !parse_i64(field(f), &ret->time))
		return false;
	raw = field(f);
	if (!text_unescape((const char *)raw.data, raw.size, &version) ||
		version.size >= sizeof(ret->version) ||
		(version.size && memchr(version.data, '\0', version.size)))
		return false;
	if (version.size)
		memcpy(ret->version, version.data, version.size);
	return true;
}

static bool parse_phase(struct fields *f, struct state *s)
{
	s->phase = phase_by_name(f->p, (unsigned long)(f->end - f->p));
	return s->phase != PHASE_COUNT;
}

static bool parse_boot_id(struct fields *f, struct state *s)
{
	return parse_text(f, s->boot_id, sizeof(s->boot_id));
}

static bool parse_target(struct fields *f, struct state *s)
{
	return parse_text(f, s->target, sizeof(s->target)) && slot_name_valid(s->target);
}

/* One identity has one signer, wherever its line stands. */
static void recall_signer(const struct state *s, struct release_ref *ref)
{
	for (size_t i = 0; i < s->n_denied; i++)
		if (digest_equal(&s->denied[i].release.identity, &ref->identity))
			memcpy(ref->signer, s->denied[i].release.signer,
				sizeof(ref->signer));
	if (s->release.serial && digest_equal(&s->release.identity, &ref->identity))
		memcpy(ref->signer, s->release.signer, sizeof(ref->signer));
}

static bool parse_release(struct fields *f, struct state *s)
{
	struct release_ref ref = { 0 };

	if (!parse_ref(f, &ref) || ref.serial == 0 || f->p != f->end)
		return false;
	recall_signer(s, &ref);
	s->release = ref;
	return true;
}

static bool parse_count(struct fields *f, unsigned *ret)
{
	uint64_t n;

	if (!parse_u64(field(f), &n) || n > 1000 || f->p != f->end)
		return false;
	*ret = (unsigned)n;
	return true;
}

static bool parse_arm_calls(struct fields *f, struct state *s)
{
	return parse_count(f, &s->arm_calls);
}

static bool parse_retries(struct fields *f, struct state *s)
{
	return parse_count(f, &s->retries);
}

static bool parse_floor(struct fields *f, struct state *s)
{
	return parse_u64(field(f), &s->floor) && f->p == f->end;
}

static bool parse_floor_time(struct fields *f, struct state *s)
{
	return parse_i64(field(f), &s->floor_time) && f->p == f->end;
}

static bool parse_floor_signer(struct fields *f, struct state *s)
{
	char signer[SSHKEY_FINGERPRINT_MAX];
	uint64_t floor;

	if (!parse_u64(field(f), &floor) || !parse_text(f, signer, sizeof(signer)))
		return false;
	/* An older program may have moved the floor, and kept this line. */
	if (floor == s->floor)
		memcpy(s->floor_signer, signer, sizeof(signer));
	return true;
}

static bool parse_signer(struct fields *f, struct state *s)
{
	struct bytes hex = field(f);
	char signer[SSHKEY_FINGERPRINT_MAX];
	struct digest identity;

	if (!digest_parse((const char *)hex.data, hex.size, &identity) ||
		!parse_text(f, signer, sizeof(signer)))
		return false;
	if (s->release.serial && digest_equal(&s->release.identity, &identity))
		memcpy(s->release.signer, signer, sizeof(signer));
	for (size_t i = 0; i < s->n_denied; i++)
		if (digest_equal(&s->denied[i].release.identity, &identity))
			memcpy(s->denied[i].release.signer, signer, sizeof(signer));
	return true;
}

static bool parse_valid_until(struct fields *f, struct state *s)
{
	return parse_i64(field(f), &s->valid_until) && f->p == f->end;
}

static bool parse_candidate(struct fields *f, struct state *s)
{
	s->has_candidate = true;
	return parse_ref(f, &s->candidate) && f->p == f->end;
}

static bool parse_denied(struct fields *f, struct state *s)
{
	struct denial *d = &s->denied[s->n_denied];

	if (s->n_denied == STATE_DENIED_MAX || !parse_ref(f, &d->release) ||
		!parse_text(f, d->reason, sizeof(d->reason)))
		return false;
	recall_signer(s, &d->release);
	s->n_denied++;
	return true;
}

static bool parse_error(struct fields *f, struct state *s)
{
	struct bytes step;

	if (!parse_i64(field(f), &s->error_time) || s->error_time == 0)
		return false;
	step = field(f);
	if (step.size >= sizeof(s->error_step))
		return false;
	memcpy(s->error_step, step.data, step.size);
	return parse_text(f, s->error_text, sizeof(s->error_text));
}

static const struct key {
	const char *name;
	bool (*parse)(struct fields *f, struct state *s);
	bool repeats;
} keys[] = {
	{ "phase", parse_phase, false },
	{ "boot-id", parse_boot_id, false },
	{ "target", parse_target, false },
	{ "release", parse_release, false },
	{ "arm-calls", parse_arm_calls, false },
	{ "retries", parse_retries, false },
	{ "floor", parse_floor, false },
	{ "floor-time", parse_floor_time, false },
	{ "floor-signed-by", parse_floor_signer, false },
	{ "signed-by", parse_signer, true },
	{ "valid-until", parse_valid_until, false },
	{ "candidate", parse_candidate, false },
	{ "denied", parse_denied, true },
	{ "error", parse_error, false },
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

/* A line without its newline; unknown ones go to `unknown`. */
static bool parse_line(
	struct fields f, struct state *s, bool seen[N_KEYS], struct buf *unknown)
{
	const char *start = f.p;
	struct bytes name = field(&f);

	for (size_t i = 0; i < N_KEYS; i++) {
		if (strlen(keys[i].name) != name.size ||
			memcmp(keys[i].name, name.data, name.size) != 0)
			continue;
		if (seen[i] && !keys[i].repeats)
			return false;
		seen[i] = true;
		return keys[i].parse(&f, s);
	}
	if (name.size == 0 || memchr(start, '\0', (size_t)(f.end - start)))
		return false;
	buf_add(unknown, start, (size_t)(f.end - start));
	buf_add(unknown, "\n", 1);
	return true;
}

/* Where the digest line begins; NULL unless all before it is what was written. */
static const char *find_digest(const struct buf *text)
{
	static const char mark[] = "\ndigest ";
	const char *end = text->data + text->size;
	const char *line;
	struct digest said;
	struct digest is;

	while (end > text->data && end[-1] == '\n')
		end--;
	if ((size_t)(end - text->data) < sizeof(STATE_HEADER) - 1 + DIGEST_LINE ||
		(size_t)(end - text->data) == text->size)
		return NULL;
	line = end - (DIGEST_LINE - 1);
	if (memcmp(line - 1, mark, sizeof(mark) - 1) != 0 ||
		!digest_parse(line + sizeof(mark) - 2, (size_t)DIGEST_SIZE * 2, &said))
		return NULL;
	is = digest_of((struct bytes){
		(const unsigned char *)text->data, (size_t)(line - text->data) });
	return digest_equal(&said, &is) ? line : NULL;
}

/* In idle nothing has a target; in every other phase something must have. */
static bool consistent(const struct state *s, const bool seen[N_KEYS])
{
	bool idle = s->phase == PHASE_IDLE;

	return seen[0] && (idle || (s->target[0] && s->release.serial));
}

/* Fill a zeroed record; false: not whole (then *ret is garbage). */
bool state_parse(const struct buf *text, struct state *ret)
{
	const char *p = text->data + sizeof(STATE_HEADER) - 1;
	const char *digest = text->size ? find_digest(text) : NULL;
	bool seen[N_KEYS] = { false };
	autobuf unknown = { 0 };

	if (!digest || memcmp(text->data, STATE_HEADER, sizeof(STATE_HEADER) - 1) != 0)
		return false;
	while (p < digest) {
		const char *end = memchr(p, '\n', (size_t)(digest - p));

		if (!end || !parse_line((struct fields){ p, end }, ret, seen, &unknown))
			return false;
		p = end + 1;
	}
	if (!consistent(ret, seen))
		return false;
	if (unknown.size)
		ret->unknown = buf_take(&unknown);
	return true;
}
