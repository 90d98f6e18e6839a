/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile as the formats of viewers hold it: by thread, its stacks made of frames that are there
 * once each. Frames come in the order of the frozen profile's lines, threads by what they used, the
 * heaviest first: equal profiles give equal files.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/json.h"
#include "output/stream.h"
#include "profile/profile.h"

/* All strings are those of the profile. */
struct viewed_frame {
	uint32_t function; /* of the profile; the first one with this name and file */
	uint32_t line;	   /* that was executed; 0: not known, or not wanted */
	uint32_t module;   /* path; "" where it has none */
	enum location_kind kind;
	bool inlined;
};

struct viewed_thread {
	uint32_t comm, thread_name; /* "": not told */
	int64_t pid, tid;	    /* 0: not told */
	int64_t weight;		    /* of the main type */
	struct profile_run samples; /* in viewed.samples */
};

struct viewed {
	const struct profile *profile; /* borrowed */
	ARRAY_OF(struct viewed_frame) frames;
	uint32_t *frame_of_line;		/* by the profile's lines */
	ARRAY_OF(struct viewed_thread) threads; /* never empty */
	uint32_t *thread_of_labels;		/* by label set */
	uint32_t *samples;			/* those of the profile, thread by thread */
	struct hash_index index;
};

/*
 * detailed: lines of a function, and whether it was inlined there, make frames of their own.
 * Returns 0 or -ENOMEM; viewed_fini frees whatever came of it.
 */
int viewed_init(struct viewed *viewed, const struct profile *profile, bool detailed);
void viewed_fini(struct viewed *viewed);
static inline void viewed_fini_cleanup(struct viewed *viewed)
{
	viewed_fini(viewed);
}

/* A name: never empty. */
const char *viewed_name(const struct viewed *viewed, const struct viewed_frame *frame);
/* The source file; "": not known. */
const char *viewed_file(const struct viewed *viewed, const struct viewed_frame *frame);
/* Adds "comm (pid), name (tid)", or what there is of it, clean: see escape.h. */
void viewed_add_thread(struct bytes *bytes, const struct viewed *viewed,
		       const struct viewed_thread *thread);

/* Of time: how many nanoseconds one of the unit is; 0: it is no time. */
double viewed_nanoseconds(const char *unit);

/* JSON written piece by piece. */
struct viewed_page {
	struct json json;
	struct bytes bytes, scratch;
	struct stream *stream;
};

/* The page must stay where it is. */
void viewed_page_init(struct viewed_page *page, struct stream *stream);
/* Writes what is there, when it is much; to be called now and then. */
void viewed_page_flush(struct viewed_page *page);
/* A name out of the target, made clean. */
void viewed_page_text(struct viewed_page *page, const char *key, const char *text);
/* Writes the rest, and frees. Returns 0 or a negative errno. */
int viewed_page_finish(struct viewed_page *page);
