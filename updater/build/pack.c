/* SPDX-License-Identifier: MIT */
/*
 * The pack writer: see pack.h.  Threads share the file, the records and the set of ids
 * under one lock; hashing and deflating happen outside it.
 */
#include "build/pack.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <zlib.h>

#include "base/io.h"
#include "base/sha1.h"
#include "build/git.h"
#include "base/newfile.h"
#include "base/pack-index.h"
#include "base/pool.h"

#define LEVEL                                                                            \
	5 /* of zlib; 1.2 GB of Debian: 4 15 s 434 MB, 5 18 s 426 MB, 6 23 s 422 MB */
#define QUEUE_MAX   (32u << 20)
#define THREADS_MAX 16
#define HEADER	    12 /* "PACK", version, number of objects */
#define OBJECT_HEAD 10

struct job {
	struct pack *pack;
	git_object_t type;
	void *data;
	size_t size;
	struct oid oid;
	struct oid *ret_oid; /* NULL: `oid` is known */
};

/* What one thread keeps from object to object. */
struct deflater {
	z_stream z;
	bool ready;
	unsigned char *out;
	size_t cap;
};

struct pack {
	git_odb *odb;
	int dir;
	struct newfile file;
	uint64_t size;
	struct pack_record *records;
	size_t n;
	size_t cap;
	struct oid *ids; /* open addressing; an all-zero id is free */
	size_t n_ids;
	size_t cap_ids;
	pthread_mutex_t lock;
	struct deflater *deflaters;
	unsigned threads;
	struct pool *pool;
};

/* --- the set of ids --------------------------------------------------------------- */

static size_t id_place(const struct pack *p, const struct oid *id)
{
	static const struct oid none;
	uint64_t h;
	size_t at;

	memcpy(&h, id->b, sizeof(h));
	at = (size_t)h & (p->cap_ids - 1);
	while (!oid_equal(&p->ids[at], &none) && !oid_equal(&p->ids[at], id))
		at = (at + 1) & (p->cap_ids - 1);
	return at;
}

static void ids_grow(struct pack *p)
{
	struct oid *old = p->ids;
	size_t n = p->cap_ids;
	static const struct oid none;

	p->cap_ids = n ? n * 2 : 1024;
	p->ids = xcalloc(p->cap_ids, sizeof(*p->ids));
	for (size_t i = 0; i < n; i++)
		if (!oid_equal(&old[i], &none))
			p->ids[id_place(p, &old[i])] = old[i];
	free(old);
}

/* Is this object still to be written?  If so, the caller is the one to do it. */
static bool claim(struct pack *p, const struct oid *id)
{
	bool ours = false;
	size_t at;

	(void)pthread_mutex_lock(&p->lock);
	if (p->n_ids >= p->cap_ids / 2)
		ids_grow(p);
	at = id_place(p, id);
	if (!oid_equal(&p->ids[at], id)) {
		/* Without a refresh: 30,000 misses need not read the directory each. */
		ours = !git_odb_exists_ext(p->odb, git_id(id), GIT_ODB_LOOKUP_NO_REFRESH);
		p->ids[at] = *id;
		p->n_ids++;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return ours;
}

/* --- one object ------------------------------------------------------------------- */

/* Type and size, as gitformat-pack.txt has them; returns the length. */
static size_t object_head(
	unsigned char head[OBJECT_HEAD], git_object_t type, uint64_t size)
{
	size_t n = 1;

	head[0] = (unsigned char)((unsigned)type << 4 | (size & 15));
	for (size >>= 4; size; size >>= 7) {
		head[n - 1] |= 0x80;
		head[n++] = size & 127;
	}
	return n;
}

static int squeeze(struct deflater *d, struct job *job, size_t *ret_n, struct error *e)
{
	size_t head;
	size_t bound;

	if (!d->ready && deflateInit(&d->z, LEVEL) != Z_OK)
		return err_set(e, E_SYSTEM, "zlib: cannot be initialised");
	d->ready = true;
	(void)deflateReset(&d->z); /* fails only for a stream that was not set up */
	bound = deflateBound(&d->z, job->size) + OBJECT_HEAD;
	if (bound > d->cap) {
		free(d->out);
		d->out = xmalloc(bound);
		d->cap = bound;
	}
	head = object_head(d->out, job->type, job->size);
	d->z.next_in = job->data;
	d->z.avail_in = (uInt)job->size;
	d->z.next_out = d->out + head;
	d->z.avail_out = (uInt)(d->cap - head);
	if (deflate(&d->z, Z_FINISH) != Z_STREAM_END)
		return err_set(e, E_SYSTEM, "zlib: %s", d->z.msg ? d->z.msg : "failed");
	*ret_n = (size_t)(d->z.next_out - d->out);
	return 0;
}

static int append(struct pack *p, const struct oid *id, const unsigned char *data,
	size_t n, struct error *e)
{
	struct pack_record record = {
		.oid = *id,
		.crc = (uint32_t)crc32(crc32(0, NULL, 0), data, (uInt)n),
	};
	int r;

	(void)pthread_mutex_lock(&p->lock);
	r = io_write_full(p->file.fd, data, n, e);
	if (r == 0) {
		record.offset = p->size;
		p->size += n;
		ARRAY_GROW(p->records, p->n, p->cap);
		p->records[p->n++] = record;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return r < 0 ? err_prefix(e, r, "pack") : 0;
}

static void job_drop(void *arg)
{
	struct job *job = arg;

	free(job->data);
	free(job);
}

static int job_run(void *ctx, unsigned worker, void *arg, struct error *e)
{
	struct pack *p = ctx;
	struct job *job = arg;
	size_t n = 0;
	int r = 0;

	if (job->ret_oid) {
		job->oid = oid_of(git_object_type2string(job->type),
			(struct bytes){ job->data, job->size });
		*job->ret_oid = job->oid;
	}
	if (claim(p, &job->oid)) {
		r = squeeze(&p->deflaters[worker], job, &n, e);
		if (r == 0)
			r = append(p, &job->oid, p->deflaters[worker].out, n, e);
	}
	job_drop(job);
	return r;
}

/* --- the pack --------------------------------------------------------------------- */

static int open_file(struct pack *p, const char *objects_dir, struct error *e)
{
	static const unsigned char header[HEADER] = "PACK\0\0\0\2";
	autofree char *path = xasprintf("%s/pack", objects_dir);
	int r;

	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return err_sys(e, "%s", path);
	p->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0)
		return err_sys(e, "%s", path);
	r = newfile_open(p->dir, &p->file, e);
	if (r == 0)
		r = io_write_full(p->file.fd, header, sizeof(header), e);
	p->size = sizeof(header);
	return r < 0 ? err_prefix(e, r, "%s", path) : 0;
}

int pack_new(git_odb *odb, const char *objects_dir, struct pack **ret, struct error *e)
{
	autopack p = xcalloc(1, sizeof(*p));
	struct pool_work work = { .run = job_run, .drop = job_drop, .ctx = p };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int r;

	p->odb = odb;
	p->dir = -1;
	p->file.fd = -1;
	(void)pthread_mutex_init(&p->lock, NULL);
	p->threads = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (unsigned)cores;
	p->deflaters = xcalloc(p->threads, sizeof(*p->deflaters));
	r = open_file(p, objects_dir, e);
	if (r == 0)
		r = pool_new(p->threads, QUEUE_MAX, &work, &p->pool, e);
	if (r == 0)
		*ret = take_ptr(&p);
	return r;
}

void pack_free(struct pack *p)
{
	if (!p)
		return;
	pool_free(p->pool);
	newfile_release(&p->file);
	if (p->dir >= 0)
		(void)close(p->dir); /* only read from */
	for (unsigned i = 0; i < p->threads; i++) {
		if (p->deflaters[i].ready)
			(void)deflateEnd(&p->deflaters[i].z); /* discards on purpose */
		free(p->deflaters[i].out);
	}
	free(p->deflaters);
	free(p->records);
	free(p->ids);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

static int add(struct pack *p, const struct job *template, struct error *e)
{
	struct job *job = xmalloc(sizeof(*job));

	*job = *template;
	if (job->size > UINT32_MAX / 2) { /* zlib counts in 32 bits */
		job_drop(job);
		return err_set(e, E_INPUT, "an object of 2 GiB or more");
	}
	return pool_put(p->pool, job, job->size + sizeof(*job), e);
}

int pack_add(struct pack *p, git_object_t type, void *data, size_t size,
	struct oid *ret_oid, struct error *e)
{
	const struct job job = {
		.type = type, .data = data, .size = size, .ret_oid = ret_oid
	};

	return add(p, &job, e);
}

int pack_add_now(struct pack *p, git_object_t type, struct bytes data,
	struct oid *ret_oid, struct error *e)
{
	struct job job = { .type = type, .size = data.size };

	job.oid = oid_of(git_object_type2string(type), data);
	*ret_oid = job.oid;
	job.data = xmalloc(data.size);
	if (data.size)
		memcpy(job.data, data.data, data.size);
	return add(p, &job, e);
}

int pack_drain(struct pack *p, struct error *e)
{
	return pool_wait(p->pool, e);
}

/* The number of objects, then the checksum of everything before it. */
static int seal(struct pack *p, struct oid *ret, struct error *e)
{
	uint32_t count = htobe32((uint32_t)p->n);
	uint64_t at = 0;
	autofree char *chunk = xmalloc(1 << 20);
	struct sha1 st;
	int r;

	if (p->n > UINT32_MAX)
		return err_set(e, E_INPUT, "more than %" PRIu32 " objects", UINT32_MAX);
	r = io_pwrite_full(p->file.fd, &count, sizeof(count), HEADER - sizeof(count), e);
	sha1_start(&st);
	while (r == 0 && at < p->size) {
		size_t n = p->size - at < 1 << 20 ? (size_t)(p->size - at) : 1 << 20;

		r = io_pread_full(p->file.fd, chunk, n, at, e);
		if (r == 0)
			sha1_update(&st, chunk, n);
		at += n;
	}
	sha1_finish(&st, ret->b);
	return r < 0 ? r : io_write_full(p->file.fd, ret->b, OID_SIZE, e);
}

/* git looks for .idx files: the pack must have its name before its index has. */
static int publish(struct pack *p, const struct oid *name, struct error *e)
{
	struct newfile index = { .fd = -1 };
	char hex[OID_HEX_MAX];
	char file[64];
	int r;

	oid_hex(name, hex);
	r = newfile_open(p->dir, &index, e);
	if (r == 0)
		r = pack_index_write(index.fd, p->records, p->n, name, e);
	(void)snprintf(file, sizeof(file), "pack-%s.pack", hex);
	if (r == 0)
		r = newfile_publish(&p->file, file, e);
	(void)snprintf(file, sizeof(file), "pack-%s.idx", hex);
	if (r == 0)
		r = newfile_publish(&index, file, e);
	newfile_release(&index);
	return r < 0 ? r : io_sync(p->dir, e);
}

int pack_finish(struct pack *p, struct pack_sums *ret, struct error *e)
{
	struct oid name;
	int r = pack_drain(p, e);

	if (r == 0 && p->n > 0) {
		r = seal(p, &name, e);
		if (r == 0)
			r = publish(p, &name, e);
		if (r < 0)
			return err_prefix(e, r, "pack");
	}
	ret->objects = p->n;
	ret->bytes = p->n ? p->size + OID_SIZE : 0;
	return r;
}
