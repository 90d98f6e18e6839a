// SPDX-License-Identifier: Apache-2.0
/*
 * What a process may write into the region that it shares with profd: the input is the header, 128
 * bytes of the objects that live, and the beginning of the ring. In inputs whose first byte is odd the
 * header is made acceptable.
 */
#include "source/heap_region.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

enum { LIVE_BYTES = 128, RING_OFFSET = HEAP_HEADER_BYTES + 8 * HEAP_OBJECTS };

static int check_sample(void *context, const struct heap_sample *sample)
{
	const struct heap_record *record = sample->record;
	struct heap_weight weight = heap_weight(record->size, record->interval, record->id);
	volatile unsigned char sum = 0;

	FUZZ_CHECK(record->stack_bytes <= HEAP_STACK_BYTES + HEAP_ALIGNMENT && record->id);
	FUZZ_CHECK(record->slot < HEAP_OBJECTS || record->slot == HEAP_NO_SLOT);
	FUZZ_CHECK(weight.objects >= 1 && weight.bytes >= 0);
	for (uint32_t i = 0; i < record->stack_bytes; i++)
		sum += sample->stack[i];
	*(uint64_t *)context += sum;
	return 0;
}

static int count_id(void *context, uint64_t id)
{
	FUZZ_CHECK(id != 0);
	++*(uint64_t *)context;
	return 0;
}

static void put(int fd, const void *data, size_t size, off_t at)
{
	FUZZ_CHECK(pwrite(fd, data, size, at) == (ssize_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char zero[4096];
	static int fd = -1;
	struct heap_header header = {};
	struct heap_region region;
	uint64_t sum = 0;
	uint8_t kind = size ? data[0] : 0;

	if (fd < 0) {
		fd = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		FUZZ_CHECK(fd >= 0 && ftruncate(fd, (off_t)HEAP_REGION_BYTES) == 0 &&
			   fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	}
	memcpy(&header, data, size < sizeof(header) ? size : sizeof(header));
	if (kind & 1) {
		header.magic = HEAP_MAGIC;
		header.version = HEAP_VERSION;
		header.nonce |= 1;
		header.parent_nonce = 0;
		header.head = header.tail + header.head % (HEAP_RING_BYTES / 64);
	}
	put(fd, &header, sizeof(header), 0);
	put(fd, zero, LIVE_BYTES, HEAP_HEADER_BYTES);
	put(fd, zero, sizeof(zero), RING_OFFSET);
	if (size > sizeof(header))
		put(fd, data + sizeof(header),
		    size - sizeof(header) < LIVE_BYTES ? size - sizeof(header) : LIVE_BYTES,
		    HEAP_HEADER_BYTES);
	if (size > sizeof(header) + LIVE_BYTES) {
		const uint8_t *ring = data + sizeof(header) + LIVE_BYTES;
		size_t bytes = size - sizeof(header) - LIVE_BYTES;

		put(fd, ring, bytes < sizeof(zero) ? bytes : sizeof(zero), RING_OFFSET);
	}
	if (heap_region_open(&region, fcntl(fd, F_DUPFD_CLOEXEC, 0), 1) != 0)
		return 0;
	/* Whatever is there, it comes to an end. */
	for (unsigned i = 0;
	     i < 100 && heap_region_drain(&region, 1 + i * 400000000ULL, check_sample, &sum) > 0;
	     i++)
		;
	FUZZ_CHECK(heap_region_live(&region, count_id, &sum) == 0);
	heap_region_close(&region);
	return 0;
}
