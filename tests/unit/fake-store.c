/* SPDX-License-Identifier: MIT */
/*
 * A store process that misbehaves on purpose, for test-client.c.  What it does is chosen
 * by the value of the option url; it accepts every option before that.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "store/frame.h"

static const struct bytes nothing;
static struct frame_reader in;
static char script[256];

static struct bytes text(const char *s)
{
	return bytes_of(s);
}

static void say(enum frame_type type, struct bytes payload)
{
	struct error e;

	if (frame_send(STORE_FD, type, payload, nothing, &e) < 0)
		exit(0); /* the client has had enough */
}

/* The next request; ends when the client has closed. */
static struct frame hear(void)
{
	for (;;) {
		struct error e;
		struct frame f;
		size_t n;
		int r = frame_next(&in, &f, &e);

		if (r > 0)
			return f;
		if (r < 0 || frame_fill(&in, STORE_FD, &n, &e) < 0 || n == 0)
			exit(0);
	}
}

static bool is(const char *name)
{
	return strcmp(script, name) == 0;
}

static void fail(enum store_fault fault, const char *why)
{
	unsigned char payload[64] = { (unsigned char)fault };

	memcpy(payload + 1, why, strlen(why));
	say(FRAME_ERROR, (struct bytes){ payload, 1 + strlen(why) });
}

static void progress(uint64_t done)
{
	unsigned char payload[24] = { 0 };

	le64_put(payload, done);
	say(FRAME_PROGRESS, (struct bytes){ payload, sizeof(payload) });
}

static void hang(void)
{
	for (;;)
		(void)poll(NULL, 0, -1);
}

/* Progress that says the same again and again, or ever something new. */
static void trickle(bool fresh, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		progress(fresh ? i : 7);
		(void)poll(NULL, 0, 50);
	}
}

static void describe_self(void)
{
	char line[512] = "";
	char *who = getcwd(NULL, 0);
	struct stat st;
	int open_fds = 0;

	for (int fd = 0; fd < 256; fd++)
		open_fds += fstat(fd, &st) == 0;
	(void)snprintf(line, sizeof(line),
		"%s uid=%u gid=%u fds=%d sid=%d home=%s umask=%o", strrchr(who, '/') + 1,
		geteuid(), getegid(), open_fds, getsid(0) == getpid(),
		getenv("HOME") ? "set" : "unset", umask(0));
	free(who);
	say(FRAME_COMMIT, text(line));
}

static void on_tip(void)
{
	static const unsigned char tip[OID_SIZE] = { 0xab, 0xcd };

	if (is("tip-absent"))
		return;
	if (is("tip-short")) {
		say(FRAME_TIP, (struct bytes){ tip, 19 });
		return;
	}
	/* As a server that sends a byte now and then; one that lies without end. */
	for (uint64_t i = 0; is("drip"); i++) {
		progress(i);
		(void)poll(NULL, 0, 100);
	}
	for (uint64_t done = 0; is("forever"); done += 1000)
		progress(done);
	if (is("progress")) {
		progress(1000);
		progress(2000);
	}
	say(FRAME_TIP, (struct bytes){ tip, OID_SIZE });
	if (is("tip-twice"))
		say(FRAME_TIP, (struct bytes){ tip, OID_SIZE });
}

static void on_release(void)
{
	static const unsigned char big[FRAME_COMMIT_MAX + 1];

	if (is("self")) {
		describe_self();
		return;
	}
	if (is("tag-first"))
		say(FRAME_TAG, text("tag"));
	if (!is("no-commit"))
		say(FRAME_COMMIT, is("big-commit") ? (struct bytes){ big, sizeof(big) }
						   : text("raw commit"));
	if (is("two-commits"))
		say(FRAME_COMMIT, text("raw commit"));
	for (int i = 0; i < (is("many-tags") ? FRAME_TAGS_MAX + 1 : 2); i++)
		say(FRAME_TAG, i ? text("second tag") : text("tag"));
}

static void on_log(const struct frame *f)
{
	uint32_t max = le32_get(f->payload.data);

	for (uint32_t i = 0; i < max + (is("long-log") ? 1 : 0); i++)
		say(FRAME_COMMIT, text("c"));
}

static void on_manifest(void)
{
	if (is("endless"))
		for (;;)
			say(FRAME_DATA, text("again and again"));
	if (is("manifest-other"))
		say(FRAME_DATA, text("osupdate-manifesT 1\n"));
	else
		say(FRAME_DATA, text("osupdate-manifest 1\n"));
	if (is("manifest-long"))
		say(FRAME_DATA, text("x"));
}

static void content(uint32_t id, uint64_t claimed, uint64_t sent)
{
	unsigned char head[12];
	unsigned char data[1024];

	le32_put(head, id);
	le64_put(head + 4, claimed);
	say(FRAME_CONTENT, (struct bytes){ head, sizeof(head) });
	memset(data, (int)('a' + id % 26), sizeof(data));
	for (uint64_t n; sent > 0; sent -= n) {
		n = sent < sizeof(data) ? sent : sizeof(data);
		say(FRAME_DATA, (struct bytes){ data, n });
	}
}

static void missing(uint32_t id)
{
	unsigned char payload[4 + 7];

	le32_put(payload, id);
	memcpy(payload + 4, "g\033ne so", 7);
	say(FRAME_MISSING, (struct bytes){ payload, sizeof(payload) });
}

/* Answer a batch of `n` wants. */
static void answer(const struct want_head *wants, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* Any order is allowed: from the end. */
		const struct want_head *w = &wants[n - 1 - i];

		if (is("missing") && w->id == 3)
			missing(w->id);
		else if (is("content-size"))
			content(w->id, w->size + 1, w->size + 1);
		else if (is("content-long"))
			content(w->id, w->size, w->size + 1);
		else if (is("content-short"))
			content(w->id, w->size, w->size - 1);
		else if (is("content-unknown"))
			content(w->id + 100000, w->size, w->size);
		else if (!is("content-left-out") || w->id != 3)
			content(w->id, w->size, w->size);
		if (is("content-twice"))
			content(w->id, w->size, w->size);
		if (is("content-pause") && i == 4)
			(void)poll(NULL, 0, 500);
	}
}

static void need_base(uint32_t place, unsigned char what, uint32_t size)
{
	unsigned char payload[4 + DIGEST_SIZE + 4] = { 0 };

	le32_put(payload, place);
	payload[4] = what;
	le32_put(payload + 4 + DIGEST_SIZE, size);
	say(FRAME_NEED_BASE, (struct bytes){ payload, sizeof(payload) });
}

/* BASE, and what lies at `place`. */
static void expect_base(unsigned char there, size_t place, unsigned char what)
{
	const unsigned char *memory =
		mmap(NULL, BASE_MAX, PROT_READ, MAP_SHARED, BASE_FD, 0);
	struct frame f = hear();

	if (f.type != FRAME_BASE || f.payload.size != 1 || f.payload.data[0] != there ||
		memory == MAP_FAILED || (there && memory[place] != what))
		abort();
	(void)munmap((void *)(uintptr_t)memory, BASE_MAX);
}

/* Many at once: answers come in their order. */
static void ask_for_bases(void)
{
	if (is("bases-beyond"))
		need_base(1, 7, BASE_MAX);
	if (is("bases-none"))
		say(FRAME_NEED_BASE, text("????"));
	if (is("bases-slow") || is("bases-fail")) {
		need_base(0, is("bases-slow") ? 't' : 'f', 1);
		need_base(0, 't', 1);
		expect_base(1, 0, 't');
		expect_base(1, 0, 't');
		return;
	}
	if (is("bases-too-many"))
		for (unsigned i = 0; i <= BASES_MAX; i++)
			need_base(0, 'w', 1); /* the receiver takes its time with it */
	need_base(0, 1, BASE_MAX);
	expect_base(1, BASE_MAX - 1, 1);
	for (unsigned char i = 0; i < BASES_MAX; i++)
		need_base(1000u * i, i, 1000);
	for (unsigned char i = 0; i < BASES_MAX; i++)
		expect_base(i % 5 != 0, 1000u * i, i);
}

/* `first` is the first WANT of a batch. */
static void on_wants(const struct frame *first)
{
	static struct want_head wants[FRAME_BATCH];
	struct frame f = *first;
	size_t n = 0;

	while (f.type == FRAME_WANT) {
		if (n == FRAME_BATCH || f.payload.size <= WANT_HEAD)
			abort();
		want_head_get(f.payload.data, &wants[n++]);
		f = hear();
	}
	if (f.type != FRAME_WANT_END)
		abort();
	if (strncmp(script, "bases", 5) == 0)
		ask_for_bases();
	answer(wants, n);
}

static void room(uint32_t wants, unsigned char paths)
{
	unsigned char payload[5];

	le32_put(payload, wants);
	payload[4] = paths;
	say(FRAME_ROOM, (struct bytes){ payload, is("room-short") ? 4 : 5 });
}

/* Scripts that do the same whatever is asked.  False: answer the question. */
static bool misbehave(void)
{
	static const unsigned char huge[FRAME_HEAD] = { 0xff, 0xff, 0xff, 0x7f,
		FRAME_DATA };
	static const unsigned char cut[FRAME_HEAD + 3] = { 20, 0, 0, 0, FRAME_TIP, 1, 2,
		3 };

	if (is("silence"))
		hang();
	if (is("repeat"))
		trickle(false, 1000);
	if (is("slow"))
		trickle(true, 8);
	if (is("huge") && write(STORE_FD, huge, sizeof(huge)) > 0)
		hang();
	if (is("cut") && write(STORE_FD, cut, sizeof(cut)) > 0)
		exit(0);
	if (is("gone")) {
		(void)fprintf(stderr, "first line\nsomething br\033ke\n");
		exit(3);
	}
	if (is("killed"))
		(void)raise(SIGKILL);
	if (is("unknown"))
		say((enum frame_type)200, text("?"));
	if (is("data"))
		say(FRAME_DATA, text("?"));
	if (is("empty-error"))
		say(FRAME_ERROR, nothing);
	if (is("odd-progress"))
		say(FRAME_PROGRESS, text("x"));
	return true;
}

static bool report_fault(void)
{
	static const struct {
		const char *name;
		enum store_fault fault;
	} faults[] = {
		{ "fault-server", STORE_FAULT_SERVER },
		{ "fault-notfound", STORE_FAULT_NOTFOUND },
		{ "fault-local", STORE_FAULT_LOCAL },
		{ "fault-usage", STORE_FAULT_USAGE },
		{ "fault-space", STORE_FAULT_SPACE },
		{ "fault-99", (enum store_fault)99 },
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (is(faults[i].name)) {
			fail(faults[i].fault, "why\nso");
			return true;
		}
	}
	return false;
}

static void on_option(struct bytes option)
{
	if (option.size > 4 && option.size - 4 < sizeof(script) &&
		memcmp(option.data, "url=", 4) == 0) {
		memcpy(script, option.data + 4, option.size - 4);
		script[option.size - 4] = '\0';
	}
	if (is("bad-option"))
		fail(STORE_FAULT_USAGE, "no such option");
	else
		say(FRAME_DONE, nothing);
}

int main(void)
{
	frame_reader_init(&in);
	for (;;) {
		struct frame f = hear();

		if (f.type == FRAME_OPTION) {
			on_option(f.payload);
			continue;
		}
		if (report_fault() || !misbehave())
			continue;
		if (f.type == FRAME_LIST || f.type == FRAME_FETCH)
			on_tip();
		else if (f.type == FRAME_RELEASE)
			on_release();
		else if (f.type == FRAME_LOG)
			on_log(&f);
		else if (f.type == FRAME_MANIFEST)
			on_manifest();
		else if (f.type == FRAME_WANTS)
			room(is("room-none") ? 0 : FRAME_BATCH, 1);
		else if (f.type == FRAME_WANT)
			on_wants(&f);
		say(FRAME_DONE, nothing);
	}
}
