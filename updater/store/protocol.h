/* SPDX-License-Identifier: MIT */
/*
 * The protocol between root (client) and osupdate-store, over one SOCK_STREAM
 * socket pair, file descriptor 3 in the store process.  doc/formats.md#store.
 *
 *   frame   = length type payload
 *   length  = u32 little-endian, bytes of payload, at most FRAME_MAX
 *   type    = u8, enum frame_type
 *
 * The client asks one thing at a time; every request is answered by frames that
 * end in FRAME_DONE or FRAME_ERROR.  Integers in payloads are little-endian and
 * fixed in width; a string at the end of a payload has no terminator.
 * FRAME_PROGRESS may come at any time before the end; one that repeats the numbers
 * of the one before is no sign of life.  Neither side trusts the other's lengths.
 * The client may send the next batch of WANTs while one is being answered.
 *
 * Requests, behind which git or release streams (stream/stream.h) stand:
 *   OPTION     "key=value"      -> DONE; before anything else; unknown keys are an error
 *   LIST       channel          -> TIP? DONE: what the server offers now; no download;
 *                                  no TIP: there is no such channel
 *   FETCH      channel          -> PROGRESS* TIP? DONE: complete in the store
 *   BRING      channel " " selector -> PROGRESS* TIP? DONE: a release whose contents are
 *                                  not held, or that is not known here, into the store
 *   RELEASE    selector         -> COMMIT TAG* DONE: from the store, no network
 *   LOG        u32 max, channel -> COMMIT* DONE: newest first, first parents
 *   MANIFEST   oid              -> DATA* DONE
 *   WANTS      oid              -> ROOM DONE: how many WANTs may be sent at a time; with
 *                                  git alone, no LIST, FETCH, BRING from then on: the
 *                                  process gives the network up
 *   WANT*, WANT_END             -> (CONTENT DATA* | MISSING | NEED_BASE)* DONE, any order
 *   WANT*, WANT_COUNT           -> FORECAST? DONE: what WANT_END would download; none is
 *                                  sent where that cannot be known (git)
 * selector: "commit:<40 hex>", "channel:<name>", "serial:<n>", "version:<text>"
 *           (the newest commit of any channel that *claims* so; root checks).
 *
 * NEED_BASE: the store asks for contents that a slot may have, by digest.  Root puts
 * them, one behind the other, into the memory behind descriptor BASE_FD (BASE_MAX bytes,
 * which the store can only read), from the place on that the store names, and answers
 * BASE.  At most BASES_MAX such questions wait for their answers, which come in order;
 * other things go on meanwhile.
 */
#ifndef STORE_PROTOCOL_H
#define STORE_PROTOCOL_H

#include "base/digest.h"

#define FRAME_HEAD	 5
#define FRAME_MAX	 (256u * 1024)
#define FRAME_BATCH	 256	    /* WANTs that every store takes at a time */
#define FRAME_WANTS_MAX	 (1u << 23) /* and more than any may ask for */
#define FRAME_COMMIT_MAX 65536	    /* bytes of a COMMIT or TAG */
#define FRAME_TAGS_MAX	 64	    /* TAGs of one RELEASE */
#define STORE_FD	 3
#define BASE_FD		 4
#define BASE_MAX	 (16u << 20)
#define BASES_MAX	 64 /* questions for bases at a time */

enum frame_type {
	/* root -> store */
	FRAME_OPTION = 1,
	FRAME_LIST,
	FRAME_FETCH,
	FRAME_RELEASE,
	FRAME_LOG,
	FRAME_MANIFEST,	  /* 20 bytes commit id */
	FRAME_WANT,	  /* struct want_head, path (none if ROOM says so) */
	FRAME_WANT_END,	  /* 20 bytes commit id whose tree holds them */
	FRAME_BASE,	  /* u8: 1 they are there, 0 they cannot be had */
	FRAME_WANTS,	  /* 20 bytes commit id */
	FRAME_WANT_COUNT, /* 20 bytes commit id */
	FRAME_BRING,
	/* store -> root */
	FRAME_TIP = 64, /* 20 bytes commit id */
	FRAME_COMMIT,	/* raw commit object */
	FRAME_TAG,	/* raw tag object */
	FRAME_DATA,
	FRAME_CONTENT,	 /* u32 id, u64 size; then DATA frames that add up to size */
	FRAME_MISSING,	 /* u32 id, text */
	FRAME_PROGRESS,	 /* u64 done bytes, u64 done objects, u64 total objects */
	FRAME_NEED_BASE, /* u32 place 1*( 32 bytes digest, u32 size ) */
	FRAME_DONE,
	FRAME_ERROR,	/* u8 enum store_fault, text */
	FRAME_ROOM,	/* u32 WANTs, u8 with their paths */
	FRAME_FORECAST, /* u64 bytes */
};

enum store_fault {
	STORE_FAULT_SERVER = 1, /* network, server, missing objects: try later */
	STORE_FAULT_NOTFOUND,	/* no such release in the store */
	STORE_FAULT_LOCAL,	/* disk full, permissions: text says */
	STORE_FAULT_USAGE,	/* bad option or request */
	STORE_FAULT_SPACE,	/* the disk that holds the store is full */
};

/* Payload of WANT before the path: u32 id, u8 is_piece, 32 bytes digest, u64 size. */
#define WANT_HEAD (4 + 1 + DIGEST_SIZE + 8)

#endif
