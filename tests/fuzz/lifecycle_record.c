// SPDX-License-Identifier: Apache-2.0
/*
 * Records of the process event ring: as they come, and as the kernel writes them (linux/
 * perf_event.h), of numbers and a text that the input gives.
 */
#include "source/lifecycle_record.h"

#include <linux/perf_event.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"

static void add_u32(struct bytes *record, uint32_t value)
{
	bytes_add(record, &value, sizeof(value));
}

static void add_u64(struct bytes *record, uint64_t value)
{
	bytes_add(record, &value, sizeof(value));
}

/* Texts fill up to a multiple of eight bytes, with at least one NUL. */
static void add_text(struct bytes *record, const char *text)
{
	bytes_add_str(record, text);
	do
		bytes_add_char(record, '\0');
	while (record->size % 8);
}

static void add_map(struct bytes *record, const struct lifecycle_event *event)
{
	add_u32(record, (uint32_t)event->pid);
	add_u32(record, (uint32_t)event->tid);
	add_u64(record, event->start);
	add_u64(record, event->size);
	add_u64(record, event->file_offset);
	add_u32(record, event->device_major);
	add_u32(record, event->device_minor);
	add_u64(record, event->inode);
	add_u64(record, event->inode_generation);
	add_u64(record, 5);
	add_text(record, event->text);
}

static void add_body(struct bytes *record, const struct lifecycle_event *event)
{
	switch (event->type) {
	case LIFECYCLE_MAP:
		add_map(record, event);
		break;
	case LIFECYCLE_FORK:
	case LIFECYCLE_EXIT:
		add_u32(record, (uint32_t)event->pid);
		add_u32(record, (uint32_t)event->parent_pid);
		add_u32(record, (uint32_t)event->tid);
		add_u32(record, 0);
		add_u64(record, event->time_ns);
		break;
	case LIFECYCLE_COMM:
	case LIFECYCLE_EXEC:
		add_u32(record, (uint32_t)event->pid);
		add_u32(record, (uint32_t)event->tid);
		add_text(record, event->text);
		break;
	case LIFECYCLE_LOST:
		add_u64(record, 7);
		add_u64(record, event->lost);
		break;
	}
}

static bool same_event(const struct lifecycle_event *a, const struct lifecycle_event *b)
{
	return a->type == b->type && a->time_ns == b->time_ns && a->pid == b->pid &&
	       a->tid == b->tid && a->parent_pid == b->parent_pid && a->start == b->start &&
	       a->size == b->size && a->file_offset == b->file_offset &&
	       a->device_major == b->device_major && a->device_minor == b->device_minor &&
	       a->inode == b->inode && a->inode_generation == b->inode_generation &&
	       a->lost == b->lost && strcmp(a->text, b->text) == 0;
}

static struct lifecycle_event take_event(struct reader *reader)
{
	struct lifecycle_event event = { .type = reader_u8(reader) % (LIFECYCLE_LOST + 1),
					 .time_ns = reader_u64(reader),
					 .pid = (pid_t)reader_u32(reader),
					 .tid = (pid_t)reader_u32(reader),
					 .text = "" };

	if (event.type == LIFECYCLE_FORK || event.type == LIFECYCLE_EXIT)
		event.parent_pid = (pid_t)reader_u32(reader);
	if (event.type == LIFECYCLE_LOST)
		event.lost = reader_u64(reader);
	if (event.type == LIFECYCLE_MAP) {
		event.start = reader_u64(reader);
		event.size = reader_u64(reader);
		event.file_offset = reader_u64(reader);
		event.device_major = reader_u32(reader);
		event.device_minor = reader_u32(reader);
		event.inode = reader_u64(reader);
		event.inode_generation = reader_u64(reader);
	}
	return event;
}

static void check_written(struct reader reader)
{
	static const struct {
		uint32_t type;
		uint16_t misc;
	} types[] = {
		[LIFECYCLE_MAP] = { PERF_RECORD_MMAP2, 0 },
		[LIFECYCLE_FORK] = { PERF_RECORD_FORK, 0 },
		[LIFECYCLE_COMM] = { PERF_RECORD_COMM, 0 },
		[LIFECYCLE_EXEC] = { PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC },
		[LIFECYCLE_EXIT] = { PERF_RECORD_EXIT, 0 },
		[LIFECYCLE_LOST] = { PERF_RECORD_LOST, 0 },
	};
	struct lifecycle_event event = take_event(&reader), again;
	char *text = strndup((const char *)reader.at, reader_left(&reader));
	struct perf_event_header header = { types[event.type].type, types[event.type].misc, 0 };
	struct bytes record = {};

	FUZZ_CHECK(text);
	if (event.type == LIFECYCLE_MAP || event.type == LIFECYCLE_COMM ||
	    event.type == LIFECYCLE_EXEC)
		event.text = text;
	bytes_add(&record, &header, sizeof(header));
	add_body(&record, &event);
	add_u32(&record, (uint32_t)event.pid);
	add_u32(&record, (uint32_t)event.tid);
	add_u64(&record, event.time_ns);
	FUZZ_CHECK(lifecycle_record_parse(&again, record.at, record.size) &&
		   same_event(&again, &event));
	bytes_fini(&record);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lifecycle_event event;

	if (lifecycle_record_parse(&event, data, size)) {
		FUZZ_CHECK(event.type <= LIFECYCLE_LOST);
		FUZZ_CHECK(strlen(event.text) < size);
	}
	check_written(reader_of(data, size));
	return 0;
}
