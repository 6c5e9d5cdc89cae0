/* SPDX-License-Identifier: MIT */
/*
 * Root's side of the store protocol: see client.h.  Everything that arrives is
 * untrusted: lengths are bounded, order is checked, text is escaped, silence ends it.
 */
#include "store/client-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/io.h"
#include "store/url.h"

#define OUT_KEPT_MAX (1u << 20) /* memory of what was sent, kept for more */

int client_break(struct store *s, int r)
{
	process_end(&s->process, 0, NULL);
	return r;
}

int client_refuse(struct store *s, const struct frame *f, struct error *e)
{
	return client_break(
		s, err_set(e, E_REMOTE,
			   "the store process sent frame %u of %zu bytes out of order",
			   f->type, f->payload.size));
}

void client_flush(struct store *s)
{
	while (s->out_done < s->out.size) {
		ssize_t n = send(s->process.fd, s->out.data + s->out_done,
			s->out.size - s->out_done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break; /* its last words may still be there to read; then comes
				  the end */
		s->out_done += (size_t)n;
	}
	if (s->out.size)
		sodium_memzero(
			s->out.data, s->out.size); /* passwords and keys pass here */
	if (s->out.cap > OUT_KEPT_MAX)
		buf_release(&s->out);
	buf_reset(&s->out);
	s->out_done = 0;
}

int client_ask(struct store *s, enum frame_type type, struct bytes a, struct bytes b,
	struct error *e)
{
	if (s->process.pid == 0)
		return err_set(e, E_REMOTE, "the store process has ended");
	if (a.size > FRAME_MAX || b.size > FRAME_MAX - a.size)
		return err_set(e, E_INPUT, "a request of more than %u bytes", FRAME_MAX);
	frame_put(&s->out, type, a, b);
	client_flush(s);
	return 0;
}

static int expect_done(struct store *s, struct error *e)
{
	struct frame f = { 0 };
	int r = client_answer(s, &f, e);

	if (r < 0)
		return r;
	return f.type == FRAME_DONE ? 0 : client_refuse(s, &f, e);
}

static int send_options(struct store *s, const char *const *options, struct error *e)
{
	for (size_t i = 0; options && options[i]; i++) {
		int r;

		if (strncmp(options[i], "url=", 4) == 0) {
			autobuf shown = { 0 };

			url_print(options[i] + 4, &shown);
			free(s->url);
			s->url = buf_take(&shown);
		}
		r = client_ask(
			s, FRAME_OPTION, bytes_of(options[i]), (struct bytes){ 0 }, e);
		if (r == 0)
			r = expect_done(s, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Memory that the store process can read and only we can write. */
static int share_base(struct store *s, int *ret_fd, struct error *e)
{
	autofd fd = memfd_create("osupdate-bases", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	if (fd < 0 || ftruncate(fd, BASE_MAX) < 0)
		return err_sys(e, "memory for bases");
	p = mmap(NULL, BASE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "memory for bases");
	s->base = p;
	if (fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
		return err_sys(e, "memory for bases: seal");
	*ret_fd = take_fd(&fd);
	return 0;
}

int store_open(const struct store_options *o, struct store **ret, struct error *e)
{
	autostore s = xcalloc(1, sizeof(*s));
	autofd base = -1;
	int r;

	s->process.fd = -1;
	s->process.err_fd = -1;
	s->wake_fd = -1;
	s->progress = o->progress;
	s->stall_timeout_ms = o->stall_timeout_ms;
	pace_start(&s->pace, o->pace_window_ms, o->pace_total_ms);
	s->url = xstrdup("the store process");
	frame_reader_init(&s->in);
	r = share_base(s, &base, e);
	if (r == 0)
		r = process_start(
			o->program, o->user, o->state_dirfd, base, &s->process, e);
	if (r == 0)
		r = send_options(s, o->options, e);
	if (r < 0)
		return r;
	*ret = take_ptr(&s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	process_end(&s->process, CLOSE_GRACE_MS, NULL);
	frame_reader_release(&s->in);
	if (s->base)
		(void)munmap(s->base, BASE_MAX); /* our own mapping */
	if (s->out.cap)
		sodium_memzero(s->out.data, s->out.cap);
	buf_release(&s->out);
	free(s->url);
	free(s);
}

/* LIST and FETCH: at most one TIP. */
static int ask_tip(struct store *s, enum frame_type type, const char *channel,
	struct oid *ret_tip, struct error *e)
{
	struct oid tip;
	bool found = false;
	int r = client_ask(s, type, bytes_of(channel), (struct bytes){ 0 }, e);

	while (r == 0) {
		struct frame f = { 0 };

		r = client_answer(s, &f, e);
		if (r < 0)
			break;
		if (f.type == FRAME_DONE) {
			if (found)
				*ret_tip = tip;
			else
				r = err_set(e, E_NOTFOUND, "%s has no channel %s", s->url,
					channel);
			break;
		}
		if (f.type != FRAME_TIP || found || f.payload.size != OID_SIZE)
			return client_refuse(s, &f, e);
		memcpy(tip.b, f.payload.data, OID_SIZE);
		found = true;
	}
	return r;
}

int store_list(struct store *s, const char *channel, struct oid *ret_tip, struct error *e)
{
	return ask_tip(s, FRAME_LIST, channel, ret_tip, e);
}

int store_fetch(
	struct store *s, const char *channel, struct oid *ret_tip, struct error *e)
{
	int r;

	s->is_fetch = true;
	r = ask_tip(s, FRAME_FETCH, channel, ret_tip, e);
	s->is_fetch = false;
	return r;
}

int store_bring(struct store *s, const char *channel, const char *selector,
	struct oid *ret, struct error *e)
{
	autofree char *what = xasprintf("%s %s", channel, selector);
	int r;

	s->is_fetch = true;
	r = ask_tip(s, FRAME_BRING, what, ret, e);
	s->is_fetch = false;
	return r;
}

void raw_release_release(struct raw_release *r)
{
	if (!r)
		return;
	buf_release(&r->commit);
	buf_release(&r->tags_text);
	free(r->tags);
	*r = (struct raw_release){ 0 };
}

/* Takes COMMIT or TAG; false when it must not come here. */
static bool take_release_frame(struct raw_release *into, const struct frame *f)
{
	if (f->payload.size == 0 || f->payload.size > FRAME_COMMIT_MAX)
		return false;
	if (f->type == FRAME_COMMIT && !into->commit.data) {
		buf_add(&into->commit, f->payload.data, f->payload.size);
		return true;
	}
	if (f->type != FRAME_TAG || !into->commit.data || into->n_tags == FRAME_TAGS_MAX)
		return false;
	/* The text still moves while it grows: addresses follow at the end. */
	buf_add(&into->tags_text, f->payload.data, f->payload.size);
	into->tags[into->n_tags++].size = f->payload.size;
	return true;
}

int store_release(
	struct store *s, const char *selector, struct raw_release *ret, struct error *e)
{
	autoraw got = { .tags = xcalloc(FRAME_TAGS_MAX, sizeof(struct bytes)) };
	size_t at = 0;
	int r = client_ask(s, FRAME_RELEASE, bytes_of(selector), (struct bytes){ 0 }, e);

	while (r == 0) {
		struct frame f = { 0 };

		r = client_answer(s, &f, e);
		if (r < 0)
			return r;
		if (f.type == FRAME_DONE && got.commit.data)
			break;
		if (!take_release_frame(&got, &f))
			return client_refuse(s, &f, e);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < got.n_tags; i++) {
		got.tags[i].data = (const unsigned char *)got.tags_text.data + at;
		at += got.tags[i].size;
	}
	*ret = got;
	got = (struct raw_release){ 0 };
	return 0;
}

int store_log(struct store *s, const char *channel, uint32_t max,
	int (*each)(void *ctx, struct bytes commit, struct error *e), void *ctx,
	struct error *e)
{
	unsigned char head[4];
	uint32_t n = 0;
	int told = 0;
	int r;

	le32_put(head, max);
	r = client_ask(
		s, FRAME_LOG, (struct bytes){ head, sizeof(head) }, bytes_of(channel), e);
	while (r == 0) {
		struct error
			ignored; /* when the callback has already said what is wrong */
		struct frame f = { 0 };

		r = client_answer(s, &f, told < 0 ? &ignored : e);
		if (r < 0 || f.type == FRAME_DONE)
			break;
		if (f.type != FRAME_COMMIT || f.payload.size > FRAME_COMMIT_MAX ||
			n++ == max) {
			r = client_refuse(s, &f, told < 0 ? NULL : e);
			break;
		}
		if (told == 0)
			told = each(ctx, f.payload, e);
	}
	return told < 0 ? told : r;
}

int store_manifest(struct store *s, const struct oid *commit, const struct digest *digest,
	uint64_t size, int fd, struct error *e)
{
	struct digest_state st;
	struct digest got;
	uint64_t left = size;
	int r = client_ask(s, FRAME_MANIFEST, (struct bytes){ commit->b, OID_SIZE },
		(struct bytes){ 0 }, e);

	digest_start(&st);
	while (r == 0) {
		struct frame f = { 0 };

		r = client_answer(s, &f, e);
		if (r < 0)
			return err_prefix(e, r, "manifest");
		if (f.type == FRAME_DONE)
			break;
		if (f.type != FRAME_DATA)
			return client_refuse(s, &f, e);
		if (f.payload.size > left)
			return client_break(
				s, err_unsigned(e, err_set(e, E_REMOTE,
							   "manifest: longer than the "
							   "signed %llu bytes",
							   (unsigned long long)size)));
		left -= f.payload.size;
		digest_update(&st, f.payload.data, f.payload.size);
		r = io_write_full(fd, f.payload.data, f.payload.size, e);
		if (r < 0)
			return client_break(s, err_prefix(e, r, "manifest"));
	}
	if (r < 0)
		return r;
	digest_finish(&st, &got);
	if (left > 0)
		return err_unsigned(
			e, err_set(e, E_REMOTE,
				   "manifest: shorter than the signed %llu bytes",
				   (unsigned long long)size));
	if (!digest_equal(&got, digest))
		return err_unsigned(
			e, err_set(e, E_REMOTE, "manifest: differs from the signed one"));
	return 0;
}
