// SPDX-License-Identifier: Apache-2.0
#include "source/heap_region.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"

enum {
	RING_OFFSET = HEAP_HEADER_BYTES + 8 * HEAP_OBJECTS,
	RECORD_BYTES_MAX = sizeof(struct heap_record) + HEAP_STACK_BYTES + HEAP_ALIGNMENT,
	STEPS_MAX = 4096,  /* of one drain */
	LIVE_CHUNK = 4096, /* ids */
};

/* Such a record will never be ready: the thread is gone that has claimed it. */
#define WAIT_NS 1000000000ULL
/* More than any process has. */
#define SIZE_MAX_BYTES (1ULL << 48)

int heap_region_open(struct heap_region *ret, int fd, pid_t pid)
{
	const int sealed = F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct heap_header header;
	struct stat status;
	int r;

	/* Asked first, and of no file system: it could be one that never answers. */
	if (seals < 0 || (seals & sealed) != sealed) {
		fs_close_aside(fd);
		return HEAP_REGION_REFUSED;
	}
	fd = fs_spare(fd);
	if (fd < 0)
		return fd;
	r = fstat(fd, &status) < 0 ? -errno : 0;
	if (r == 0 && status.st_size != (off_t)HEAP_REGION_BYTES)
		r = HEAP_REGION_REFUSED;
	if (r == 0)
		r = fs_read_at(fd, &header, sizeof(header), 0);
	if (r == 0 && (header.magic != HEAP_MAGIC || header.version != HEAP_VERSION ||
		       header.nonce == 0 || header.nonce == header.parent_nonce))
		r = HEAP_REGION_REFUSED;
	if (r != 0) {
		close(fd);
		return r;
	}
	*ret = (struct heap_region){ .fd = fd,
				     .pid = pid,
				     .own_pid = header.pid,
				     .flags = header.flags,
				     .nonce = header.nonce,
				     .parent_nonce = header.parent_nonce,
				     .first_id = header.first_id,
				     .tail = header.tail };
	return 0;
}

void heap_region_close(struct heap_region *region)
{
	if (region->fd >= 0)
		close(region->fd);
	region->fd = -1;
}

static int write_word(const struct heap_region *region, const void *word, size_t size, off_t at)
{
	ssize_t written = pwrite(region->fd, word, size, at);

	return written < 0 ? -errno : written == (ssize_t)size ? 0 : -EIO;
}

int heap_region_switch(struct heap_region *region, bool on, uint64_t interval)
{
	uint32_t enabled = on;
	int r = 0;

	if (on)
		r = write_word(region, &interval, sizeof(interval),
			       offsetof(struct heap_header, interval));
	return r < 0 ? r
		     : write_word(region, &enabled, sizeof(enabled),
				  offsetof(struct heap_header, enabled));
}

/* ---- the ring ---- */

static int read_ring(const struct heap_region *region, void *to, size_t size, uint64_t position)
{
	return fs_read_at(region->fd, to, size, RING_OFFSET + (off_t)(position % HEAP_RING_BYTES));
}

/* Whether the record, of `size` bytes in the ring, makes sense. */
static bool is_sound(const struct heap_record *record, uint32_t size)
{
	return record->stack_bytes <= size - sizeof(*record) && record->id != 0 &&
	       record->size > 0 && record->size < SIZE_MAX_BYTES && record->interval > 0 &&
	       (record->slot < HEAP_OBJECTS || record->slot == HEAP_NO_SLOT);
}

/* What is to be done about the place at the tail. */
enum step {
	STEP_WAIT,   /* it is not ready */
	STEP_SKIP,   /* it is nothing, or makes no sense */
	STEP_RECORD, /* a record, perhaps */
};

/* *ret_size: how far the next place is; *known: whether that is certain. */
static enum step look(uint64_t word, uint64_t tail, uint64_t head, uint32_t *ret_size)
{
	uint32_t size = (uint32_t)word & ~(uint32_t)HEAP_RECORD_BITS;

	*ret_size = HEAP_ALIGNMENT;
	if (word >> 32 != (uint32_t)(tail / HEAP_ALIGNMENT))
		return STEP_WAIT;
	if (size == 0 || size > head - tail || size > HEAP_RING_BYTES - tail % HEAP_RING_BYTES)
		return STEP_SKIP;
	*ret_size = size;
	if (!(word & HEAP_RECORD_READY))
		return STEP_WAIT;
	if (word & HEAP_RECORD_PADDING || size < sizeof(struct heap_record) ||
	    size > RECORD_BYTES_MAX)
		return STEP_SKIP;
	return STEP_RECORD;
}

static int hand_over(struct heap_region *region, uint32_t size, unsigned char *buffer,
		     int (*handle)(void *context, const struct heap_sample *sample), void *context)
{
	const struct heap_record *record = (const struct heap_record *)(void *)buffer;
	struct heap_sample sample = { region, record, buffer + sizeof(*record) };
	int r = read_ring(region, buffer, size, region->tail);

	if (r < 0)
		return r;
	if (!is_sound(record, size)) {
		region->refused++;
		return 0;
	}
	return handle(context, &sample);
}

/* Returns whether it is time to go on without what is waited for. */
static bool waited_enough(struct heap_region *region, uint64_t now_ns)
{
	if (now_ns == HEAP_REGION_ENDED)
		return true;
	if (!region->waits_since_ns)
		region->waits_since_ns = now_ns;
	return now_ns - region->waits_since_ns >= WAIT_NS;
}

static int drain(struct heap_region *region, uint64_t head, uint64_t now_ns, unsigned char *buffer,
		 int (*handle)(void *context, const struct heap_sample *sample), void *context)
{
	for (unsigned i = 0; i < STEPS_MAX; i++) {
		enum step step;
		uint32_t size;
		uint64_t word;
		int r;

		if (region->tail >= head)
			return 0;
		r = read_ring(region, &word, sizeof(word), region->tail);
		if (r < 0)
			return r;
		step = look(word, region->tail, head, &size);
		if (step == STEP_WAIT && !waited_enough(region, now_ns))
			return 0;
		if (step == STEP_RECORD) {
			r = hand_over(region, size, buffer, handle, context);
			if (r < 0)
				return r;
		} else {
			region->refused += !(word & HEAP_RECORD_PADDING);
		}
		/* What follows a place of unknown size is looked for at once. */
		if (step != STEP_WAIT || size > HEAP_ALIGNMENT)
			region->waits_since_ns = 0;
		region->tail += size;
	}
	return 1;
}

int heap_region_drain(struct heap_region *region, uint64_t now_ns,
		      int (*handle)(void *context, const struct heap_sample *sample), void *context)
{
	cleanup(free) unsigned char *buffer = NULL;
	uint64_t before = region->tail;
	struct heap_header header;
	int r = fs_read_at(region->fd, &header, sizeof(header), 0), written;

	if (r < 0)
		return r;
	region->lost = header.lost;
	region->untracked = header.untracked;
	region->nested = header.nested;
	if (header.head == region->tail)
		return 0;
	if (header.head - region->tail > HEAP_RING_BYTES) { /* nonsense: begin anew */
		region->tail = header.head;
		region->refused++;
	} else {
		buffer = malloc(RECORD_BYTES_MAX);
		if (!buffer)
			return -ENOMEM;
		r = drain(region, header.head, now_ns, buffer, handle, context);
	}
	if (region->tail != before) {
		written = write_word(region, &region->tail, sizeof(region->tail),
				     offsetof(struct heap_header, tail));
		if (written < 0 && r >= 0)
			r = written;
	}
	return r;
}

/* ---- what lives ---- */

int heap_region_live(const struct heap_region *region, int (*handle)(void *context, uint64_t id),
		     void *context)
{
	const off_t end = RING_OFFSET;
	off_t at = HEAP_HEADER_BYTES;
	uint64_t ids[LIVE_CHUNK];
	int r = 0;

	while (r >= 0 && at < end) {
		size_t size = sizeof(ids);

		/* Most of it was never written. */
		at = lseek(region->fd, at, SEEK_DATA);
		if (at < HEAP_HEADER_BYTES || at >= end)
			return at < 0 && errno != ENXIO ? -errno : 0;
		at &= ~7L;
		if ((off_t)size > end - at)
			size = (size_t)(end - at);
		r = fs_read_at(region->fd, ids, size, at);
		for (size_t i = 0; r >= 0 && i < size / 8; i++)
			if (ids[i])
				r = handle(context, ids[i]);
		at += (off_t)size;
	}
	return r < 0 ? r : 0;
}

struct heap_weight heap_weight(uint64_t size, uint64_t interval, uint64_t id)
{
	double bytes = size ? (double)(size < SIZE_MAX_BYTES ? size : SIZE_MAX_BYTES) : 1;
	double taken = -expm1(-bytes / (interval ? (double)interval : 1));
	/* Rounded to the nearest, 1.58 objects would always be two. */
	double part = (double)(hash_u64(id) >> 11) * 0x1p-53;
	double objects = taken > 0 ? 1 / taken : 0;

	if (!(objects < (double)SIZE_MAX_BYTES))
		objects = (double)SIZE_MAX_BYTES;
	if (bytes * objects > (double)INT64_MAX / 1024)
		return (struct heap_weight){ INT64_MAX / 1024, (int64_t)(objects + part) };
	return (struct heap_weight){ llrint(bytes * objects), (int64_t)(objects + part) };
}
