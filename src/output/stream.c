// SPDX-License-Identifier: Apache-2.0
#include "output/stream.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/fs.h"

/* Large enough that system calls do not matter, small enough to stay in the cache. */
#define FLUSH_BYTES (128 * 1024)

void stream_init(struct stream *stream, int fd)
{
	*stream = (struct stream){ .fd = fd };
}

void stream_fini(struct stream *stream)
{
	bytes_fini(&stream->buffer);
}

static void flush(struct stream *stream)
{
	int r;

	if (stream->buffer.failed && !stream->error)
		stream->error = -ENOMEM;
	if (stream->fd < 0)
		return;
	if (!stream->error) {
		r = fs_write_all(stream->fd, stream->buffer.at, stream->buffer.size);
		if (r < 0)
			stream->error = r;
	}
	stream->buffer.size = 0;
}

void stream_write(struct stream *stream, const void *data, size_t size)
{
	if (stream->error)
		return;
	stream->written += size;
	bytes_add(&stream->buffer, data, size);
	if (stream->buffer.failed || stream->buffer.size >= FLUSH_BYTES)
		flush(stream);
}

void stream_str(struct stream *stream, const char *text)
{
	stream_write(stream, text, strlen(text));
}

void stream_format(struct stream *stream, const char *format, ...)
{
	char line[512];
	va_list list;
	int size;

	va_start(list, format);
	size = vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	if (size >= 0 && (size_t)size < sizeof(line)) {
		stream_write(stream, line, (size_t)size);
	} else {
		char *text;

		va_start(list, format);
		size = vasprintf(&text, format, list);
		va_end(list);
		if (size < 0) {
			if (!stream->error)
				stream->error = -ENOMEM;
			return;
		}
		stream_write(stream, text, (size_t)size);
		free(text);
	}
}

void stream_gzip(struct stream *stream, const void *data, size_t size)
{
	z_stream z = {};
	unsigned char out[16384];
	const unsigned char *at = data;
	int r;

	/* 16 + MAX_WBITS: a gzip header, which zlib writes with a time stamp of 0. */
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		if (!stream->error)
			stream->error = -ENOMEM;
		return;
	}
	do {
		size_t chunk = size < INT_MAX ? size : INT_MAX; /* zlib counts in 32 bits */

		z.next_in = (unsigned char *)at;
		z.avail_in = (uInt)chunk;
		at += chunk;
		size -= chunk;
		do {
			z.next_out = out;
			z.avail_out = sizeof(out);
			r = deflate(&z, size ? Z_NO_FLUSH : Z_FINISH);
			stream_write(stream, out, sizeof(out) - z.avail_out);
		} while (z.avail_out == 0 && r != Z_STREAM_END);
	} while (size);
	deflateEnd(&z);
}

int stream_finish(struct stream *stream)
{
	flush(stream);
	return stream->error;
}
