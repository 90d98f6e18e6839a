/* SPDX-License-Identifier: Apache-2.0 */
/* A counted, buffered sink: a descriptor or memory. The first failure is kept for stream_finish. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct stream {
	int fd;              /* -1: memory only */
	struct bytes buffer; /* what is not written to fd yet; all of it for memory */
	uint64_t written;    /* bytes so far, buffered ones included */
	int error;           /* first failure as a negative errno */
};

/* fd stays the caller's; -1 collects in stream.buffer. */
void stream_init(struct stream *stream, int fd);
void stream_fini(struct stream *stream);
void stream_write(struct stream *stream, const void *data, size_t size);
void stream_str(struct stream *stream, const char *text);
void stream_format(struct stream *stream, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Writes `data` as one gzip member (RFC 1952) without a time stamp. */
void stream_gzip(struct stream *stream, const void *data, size_t size);
/* Flushes. Returns 0 or the first failure as a negative errno. */
int stream_finish(struct stream *stream);
