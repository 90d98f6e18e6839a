// SPDX-License-Identifier: Apache-2.0
#include "source/copy_sizes.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"

enum {
	RING_BYTES = 4 * 1024 * 1024,
	RINGS_BYTES = 128 * 1024 * 1024, /* all together */
	MLOCK_KIB = 516,	      /* kernel.perf_event_mlock_kb, unless somebody changed it */
	LIFECYCLE_BYTES = 132 * 1024, /* the rings of process events: lifecycle.c */
	/* That a ring has room for at first; one of a CPU's own event gets everybody's samples. */
	RECORDS_OF_TASKS = 16,
	RECORDS_OF_CPU = 64,
	RECORDS_LEAST = 3,
	STACK_BYTES_MIN = 4096,
	STACK_BYTES_MAX = 65528, /* sample_stack_user: 16 bits, and a multiple of 8 */
	RECORD_REST_BYTES =
		2048, /* what a record takes beside the stack, with many kernel frames */
};

/* Above this rate rings are four times as large: a quarter of a second at 997 Hz. */
#define FAST_NS 4000000ULL

uint64_t copy_lockable_bytes(uint32_t cpu_count)
{
	cleanup(bytes_fini) struct bytes text = {};
	uint64_t kib = MLOCK_KIB, own = 0;
	struct rlimit limit;

	if (fs_read(&text, AT_FDCWD, "/proc/sys/kernel/perf_event_mlock_kb", 64) == 0 &&
	    bytes_str(&text))
		(void)sscanf(text.at, "%" SCNu64, &kib);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		own = limit.rlim_cur > RINGS_BYTES ? RINGS_BYTES : limit.rlim_cur;
	return kib * 1024 + own / cpu_count;
}

uint32_t copy_ring_bytes(const struct copy_sizes *sizes, uint64_t lockable)
{
	uint32_t bytes = sizes->period_ns < FAST_NS ? 4 * RING_BYTES : RING_BYTES;
	uint64_t most = RINGS_BYTES / sizes->cpu_count, allowed;

	if (sizes->by_task) {
		allowed = lockable / 4 * 3; /* he may run something else, too */
		allowed = allowed > LIFECYCLE_BYTES ? allowed - LIFECYCLE_BYTES : 0;
		if (allowed < most)
			most = allowed;
	}
	while (bytes > COPY_RING_BYTES_MIN && bytes > most)
		bytes /= 2;
	return bytes;
}

/* So large that the ring holds this many records. */
static uint32_t stack_bytes_for(uint32_t ring, uint32_t records)
{
	uint32_t bytes = ring / records;

	bytes = bytes > RECORD_REST_BYTES + STACK_BYTES_MIN ? bytes - RECORD_REST_BYTES
							    : STACK_BYTES_MIN;
	return bytes > STACK_BYTES_MAX ? STACK_BYTES_MAX : bytes & ~7U;
}

uint32_t copy_stack_bytes_at_first(const struct copy_sizes *sizes, uint32_t ring)
{
	uint32_t records = sizes->by_task ? RECORDS_OF_TASKS : RECORDS_OF_CPU;

	/* More where they come faster: until the ring is read, they have to find room. */
	return stack_bytes_for(ring, sizes->period_ns < FAST_NS ? 4 * records : records);
}

uint32_t copy_stack_bytes_grown(uint32_t bytes, uint32_t ring)
{
	uint32_t most = stack_bytes_for(ring, RECORDS_LEAST);
	uint32_t more = bytes > most / 2 ? most : bytes * 2;

	return more > bytes ? more : bytes;
}
