/* SPDX-License-Identifier: MIT */
/* Files made beside the reading of more: see deliver.h. */
#include "slot/deliver.h"

#include <assert.h>

#include "base/pool.h"

#define HANDS_MAX  4 /* threads; more only wait for the directory's lock */
#define UNDER_WAY  ((size_t)8 << 20) /* bytes */
#define LOAD_BYTES ((size_t)512 << 10)
#define LOAD_FILES 128

/* Files that travel together, their contents one behind the other. */
struct load {
	unsigned n;
	size_t size; /* so far, of `room` */
	size_t room;
	struct {
		uint64_t index;
		size_t size;
	} files[LOAD_FILES];
	unsigned char data[];
};

/* What one thread makes files with. */
struct hand {
	struct maker maker;
	struct writer writer;
	struct manifest_reader *manifest;
};

struct deliver {
	struct pool *pool;
	struct load *load; /* being filled, or NULL */
	size_t left;	   /* of its last file, to come */
	unsigned n_hands;
	struct hand hands[HANDS_MAX];
};

static int make(const struct hand *h, uint64_t index, const struct entry *entry,
	struct bytes data, struct error *e)
{
	struct sink sink = { .fd = -1 };
	struct digest found;
	autofd fd = -1;
	int r = make_create(&h->maker, entry, index, &fd, e);

	if (r < 0)
		return r;
	sink_start(&sink, fd, 0);
	r = sink_write(&sink, data, e);
	if (r < 0)
		return r;
	digest_finish(&sink.state, &found);
	if (!digest_equal(&found, &entry->digest))
		return make_refuse(e);
	r = sink_extend(&sink, entry->size, e);
	return r < 0 ? r : make_finish(&h->maker, fd, index, entry, e);
}

static int run(void *ctx, unsigned worker, void *job, struct error *e)
{
	const struct deliver *d = ctx;
	const struct hand *h = &d->hands[worker];
	autofree struct load *load = job;
	const unsigned char *data = load->data;

	for (unsigned i = 0; i < load->n; i++) {
		uint64_t index = load->files[i].index;
		struct bytes contents = { data, load->files[i].size };
		struct entry entry;
		int r = manifest_at(
			h->manifest, h->maker.plan->offsets[index], &entry, e);

		if (r < 0)
			return r;
		r = make(h, index, &entry, contents, e);
		if (r < 0)
			return err_prefix(e, r, "%s", entry.path);
		data += contents.size;
	}
	return 0;
}

int deliver_new(const struct maker *m, struct deliver **ret, struct error *e)
{
	struct deliver *d = xcalloc(1, sizeof(*d));
	const struct pool_work work = { .run = run, .drop = free, .ctx = d };
	int r;

	d->n_hands = pool_processors(HANDS_MAX);
	for (unsigned i = 0; i < d->n_hands; i++) {
		struct hand *h = &d->hands[i];

		writer_init(&h->writer, m->w->root);
		h->maker = (struct maker){ m->in, m->plan, &h->writer };
		h->manifest = manifest_reader_new(m->in->manifest);
	}
	r = pool_new(d->n_hands, UNDER_WAY, &work, &d->pool, e);
	if (r < 0) {
		deliver_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void deliver_free(struct deliver *d)
{
	if (!d)
		return;
	pool_free(d->pool);
	free(d->load);
	for (unsigned i = 0; i < d->n_hands; i++) {
		writer_release(&d->hands[i].writer);
		manifest_reader_free(d->hands[i].manifest);
	}
	free(d);
}

static struct load *load_new(size_t size)
{
	size_t room = size > LOAD_BYTES ? size : LOAD_BYTES;
	struct load *load = xmalloc(sizeof(*load) + room);

	load->n = 0;
	load->size = 0;
	load->room = room;
	return load;
}

static void load_file(struct load *load, uint64_t index, size_t size)
{
	load->files[load->n].index = index;
	load->files[load->n].size = size;
	load->n++;
}

static int send(struct deliver *d, struct error *e)
{
	struct load *load = d->load;

	d->load = NULL;
	return load ? pool_put(d->pool, load, sizeof(*load) + load->room, e) : 0;
}

int deliver_begin(struct deliver *d, uint64_t index, size_t size, struct error *e)
{
	struct load *load = d->load;

	if (load && (load->n == LOAD_FILES || size > load->room - load->size)) {
		int r = send(d, e);

		if (r < 0)
			return r;
	}
	if (!d->load)
		d->load = load_new(size);
	load_file(d->load, index, size);
	d->left = size;
	return 0;
}

void deliver_add(struct deliver *d, struct bytes data)
{
	struct load *load = d->load;

	assert(data.size <= d->left);
	memcpy(load->data + load->size, data.data, data.size);
	load->size += data.size;
	d->left -= data.size;
}

int deliver_flush(struct deliver *d, struct error *e)
{
	struct load *load = d->load;
	struct load *rest = NULL;
	int r;

	if (!load || (d->left > 0 && load->n == 1))
		return 0;
	if (d->left > 0) { /* the last file goes on in a load of its own */
		size_t size = load->files[--load->n].size;

		rest = load_new(size);
		load_file(rest, load->files[load->n].index, size);
		rest->size = size - d->left;
		load->size -= rest->size;
		memcpy(rest->data, load->data + load->size, rest->size);
	}
	r = send(d, e);
	d->load = rest;
	return r;
}

int deliver_wait(struct deliver *d, struct error *e)
{
	int r = send(d, e);
	int waited = pool_wait(d->pool, r < 0 ? NULL : e);

	return r < 0 ? r : waited;
}
