// SPDX-License-Identifier: Apache-2.0
#include "source/perf_ring.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int perf_ring_map(struct perf_ring *ring, int event_fd, uint32_t bytes)
{
	void *page =
		mmap(NULL, page_bytes() + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, event_fd, 0);

	if (page == MAP_FAILED)
		return -errno;
	*ring = (struct perf_ring){ page, bytes };
	return 0;
}

void perf_ring_unmap(struct perf_ring *ring)
{
	if (ring->page)
		munmap(ring->page, page_bytes() + ring->bytes);
	*ring = (struct perf_ring){};
}

static void copy_out(const struct perf_ring *ring, uint64_t position, void *to, size_t size)
{
	const unsigned char *data = (const unsigned char *)ring->page + page_bytes();
	size_t at = position & (ring->bytes - 1);
	size_t first = size < ring->bytes - at ? size : ring->bytes - at;

	memcpy(to, data + at, first);
	memcpy((unsigned char *)to + first, data, size - first);
}

int perf_ring_drain(struct perf_ring *ring, unsigned char *scratch,
		    int (*handle)(void *, const void *, uint32_t), void *context)
{
	_Atomic uint64_t *head_at, *tail_at;
	uint64_t head, tail;
	int r = 0;

	if (!ring->page)
		return 0;
	head_at = (_Atomic uint64_t *)&ring->page->data_head;
	tail_at = (_Atomic uint64_t *)&ring->page->data_tail;
	head = atomic_load_explicit(head_at, memory_order_acquire);
	tail = atomic_load_explicit(tail_at, memory_order_relaxed);
	while (r >= 0 && tail < head) {
		struct perf_event_header header;

		copy_out(ring, tail, &header, sizeof(header));
		if (header.size < sizeof(header) || header.size > head - tail)
			break; /* cannot happen; do not loop if it does */
		copy_out(ring, tail, scratch, header.size);
		tail += header.size;
		/* Room is given back at once: what is handed over may take long. */
		atomic_store_explicit(tail_at, tail, memory_order_release);
		r = handle(context, scratch, header.size);
	}
	return r < 0 ? r : 0;
}
