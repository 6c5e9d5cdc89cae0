/* SPDX-License-Identifier: MIT */
/* See export.h. */
#include "build/export.h"

#include "base/io.h"
#include "base/text.h"
#include "build/tar-write.h"

#define FLUSH (1u << 20)

struct export
{
	struct committed release;
	struct blobs blobs;
	int fd;
	struct buf out;
	uint64_t done;
};

static void export_clear(struct export *x)
{
	committed_release(&x->release);
	blobs_release(&x->blobs);
	buf_release(&x->out);
}

static int flush(struct export *x, size_t unless, struct error *e)
{
	int r = 0;

	if (x->out.size < unless)
		return 0;
	if (x->out.size > 0)
		r = io_write_full(x->fd, x->out.data, x->out.size, e);
	x->done += x->out.size;
	buf_reset(&x->out);
	return r;
}

static int put_contents(struct export *x, const struct entry *entry, struct error *e)
{
	struct placed placed;

	for (size_t i = 0; entry_placed(entry, entry->path, i, &placed); i++) {
		autogit(git_odb_object) object = NULL;
		struct blob *blob = blobs_find(&x->blobs, &placed.digest);
		int r;

		blob->size = placed.size;
		r = committed_read(&x->release, blob, &object, e);
		if (r < 0)
			return r;
		buf_add(&x->out, git_odb_object_data(object),
			git_odb_object_size(object));
		r = flush(x, FLUSH, e);
		if (r < 0)
			return r;
	}
	tar_pad(entry->size, &x->out);
	return 0;
}

static int put_entry(struct export *x, const struct entry *entry, struct error *e)
{
	autobuf shown = { 0 };
	int r = 0;

	tar_header(entry, &x->out);
	if (entry->type == ENTRY_FILE)
		r = put_contents(x, entry, e);
	if (r == 0)
		r = flush(x, FLUSH, e);
	if (r == 0)
		return 0;
	text_escape(&shown, bytes_of(entry->path), false);
	return err_prefix(e, r, "%.600s", shown.data);
}

int export_release(git_repository *repo, const struct oid *id, int fd,
	const struct progress *progress, struct error *e)
{
	CLEANUP(export_clear) struct export x = { .fd = fd };
	autoreader reader = NULL;
	struct bytes manifest = { 0 };
	struct entry entry;
	int r = committed_open(repo, id, &x.release, e);
	int got = 1;

	if (r == 0)
		r = committed_manifest(&x.release, &manifest, e);
	if (r == 0)
		r = committed_contents(&x.release, false, &x.blobs, e);
	if (r < 0)
		return r;
	reader = manifest_reader_new(manifest);
	while (r == 0 && (got = manifest_next(reader, &entry, e)) > 0) {
		struct progress_event event = { "export", "bytes", x.done, 0 };

		r = put_entry(&x, &entry, e);
		if (r == 0)
			r = progress_report(progress, &event, e);
	}
	if (r < 0 || got < 0)
		return r < 0 ? r : got;
	tar_end(&x.out);
	return flush(&x, 0, e);
}
