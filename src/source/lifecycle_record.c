// SPDX-License-Identifier: Apache-2.0
/*
 * Every record ends with the trailer of sample_id_all, so what a record says of itself lies before
 * it: nothing here reads a field, or a text, that reaches into the trailer.
 */
#include "source/lifecycle_record.h"

#include <linux/perf_event.h>
#include <string.h>

#include "base/bytes.h"

/* With PERF_SAMPLE_TID and PERF_SAMPLE_TIME: u32 pid, tid; u64 time. */
enum { TRAILER_BYTES = 16 };

/* A NUL-terminated text inside the record, or "". */
static const char *take_text(struct reader *reader)
{
	const char *text = (const char *)reader->at;
	size_t size = strnlen(text, reader_left(reader));

	if (size == reader_left(reader))
		return "";
	(void)reader_take(reader, size + 1);
	return text;
}

static void parse_map(struct lifecycle_event *event, struct reader *reader)
{
	event->type = LIFECYCLE_MAP;
	event->pid = (pid_t)reader_u32(reader);
	event->tid = (pid_t)reader_u32(reader);
	event->start = reader_u64(reader);
	event->size = reader_u64(reader);
	event->file_offset = reader_u64(reader);
	event->device_major = reader_u32(reader);
	event->device_minor = reader_u32(reader);
	event->inode = reader_u64(reader);
	event->inode_generation = reader_u64(reader);
	(void)reader_u64(reader); /* prot, flags */
	event->text = take_text(reader);
}

bool lifecycle_record_parse(struct lifecycle_event *ret, const void *record, size_t size)
{
	struct reader reader = reader_of(record, size), trailer;
	struct perf_event_header header;
	const unsigned char *taken = reader_take(&reader, sizeof(header));

	if (!taken || reader_left(&reader) < TRAILER_BYTES)
		return false;
	memcpy(&header, taken, sizeof(header));
	reader.end -= TRAILER_BYTES;
	trailer = reader_of(reader.end, TRAILER_BYTES);
	*ret = (struct lifecycle_event){ .text = "" };
	ret->pid = (pid_t)reader_u32(&trailer);
	ret->tid = (pid_t)reader_u32(&trailer);
	ret->time_ns = reader_u64(&trailer);
	switch (header.type) {
	case PERF_RECORD_MMAP2:
		parse_map(ret, &reader);
		break;
	case PERF_RECORD_COMM:
		ret->type =
			header.misc & PERF_RECORD_MISC_COMM_EXEC ? LIFECYCLE_EXEC : LIFECYCLE_COMM;
		ret->pid = (pid_t)reader_u32(&reader);
		ret->tid = (pid_t)reader_u32(&reader);
		ret->text = take_text(&reader);
		break;
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		ret->type = header.type == PERF_RECORD_FORK ? LIFECYCLE_FORK : LIFECYCLE_EXIT;
		ret->pid = (pid_t)reader_u32(&reader);
		ret->parent_pid = (pid_t)reader_u32(&reader);
		ret->tid = (pid_t)reader_u32(&reader);
		(void)reader_u32(&reader); /* parent's tid */
		ret->time_ns = reader_u64(&reader);
		break;
	case PERF_RECORD_LOST:
		ret->type = LIFECYCLE_LOST;
		(void)reader_u64(&reader); /* event id */
		ret->lost = reader_u64(&reader);
		break;
	default:
		return false;
	}
	return !reader.overrun;
}
