// SPDX-License-Identifier: Apache-2.0
#include "unwind/chunks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/table.h"

enum { UNITS_PER_CHUNK = WIRE_CHUNK_BYTES / 4 };

void chunks_init(struct chunks *chunks, int outer_fd, uint64_t budget_bytes)
{
	uint64_t limit = budget_bytes / WIRE_CHUNK_BYTES;

	*chunks = (struct chunks){ .outer_fd = outer_fd };
	chunks->limit = limit > WIRE_MAX_CHUNKS ? WIRE_MAX_CHUNKS : limit ? (uint32_t)limit : 1;
}

static void chunk_fini(struct chunk *chunk)
{
	if (chunk->memory)
		munmap(chunk->memory, WIRE_CHUNK_BYTES);
	if (chunk->map_fd >= 0)
		close(chunk->map_fd);
	extents_fini(&chunk->units);
}

void chunks_fini(struct chunks *chunks)
{
	for (uint32_t i = 0; i < chunks->all.count; i++)
		chunk_fini(&chunks->all.at[i]);
	array_fini(&chunks->all);
}

uint64_t chunks_capacity(const struct chunks *chunks)
{
	return (uint64_t)chunks->limit * (WIRE_CHUNK_BYTES - 4);
}

static int chunk_init(struct chunk *chunk, bool for_kernel)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int flags = for_kernel ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	void *memory;

	*chunk = (struct chunk){ .map_fd = -1 };
	if (for_kernel) {
		int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "profd_chunk", sizeof(uint32_t),
					WIRE_CHUNK_BYTES, 1, &opts);

		if (fd < 0)
			return fd;
		chunk->map_fd = fd;
	}
	memory = mmap(NULL, WIRE_CHUNK_BYTES, PROT_READ | PROT_WRITE, flags, chunk->map_fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	chunk->memory = memory;
	return 0;
}

static int chunk_add(struct chunks *chunks)
{
	uint32_t reserved = chunks->all.count == 0 ? 1 : 0; /* place 0 */
	struct chunk chunk, *slot = NULL;
	int r;

	if (chunks->all.count >= chunks->limit)
		return -ENOSPC;
	r = chunk_init(&chunk, chunks->outer_fd >= 0);
	if (r == 0)
		r = extents_init(&chunk.units, reserved, UNITS_PER_CHUNK - reserved);
	if (r == 0) {
		slot = array_push(&chunks->all);
		r = slot ? 0 : -ENOMEM;
	}
	if (r < 0)
		chunk_fini(&chunk);
	else
		*slot = chunk;
	return r;
}

int chunks_take(struct chunks *chunks, struct chunk_run *ret, uint32_t bytes)
{
	uint32_t units = (bytes + 3) / 4;

	if (units > UNITS_PER_CHUNK - 1)
		return -E2BIG;
	for (;;) {
		int r;

		/* Newest first: older chunks are mostly full. */
		for (uint32_t i = chunks->all.count; i-- > 0;) {
			uint32_t first = extents_take(&chunks->all.at[i].units, units);

			if (first != EXTENTS_NONE) {
				*ret = (struct chunk_run){ i, first, units };
				return 0;
			}
		}
		r = chunk_add(chunks);
		if (r < 0)
			return r;
	}
}

void chunks_give(struct chunks *chunks, const struct chunk_run *run)
{
	extents_give(&chunks->all.at[run->chunk].units, run->first, run->count);
}

int chunks_publish(struct chunks *chunks)
{
	uint32_t keys[WIRE_MAX_CHUNKS], count = 0, done;
	int fds[WIRE_MAX_CHUNKS], r = -ENOTSUP;

	for (uint32_t i = 0; i < chunks->all.count; i++) {
		if (chunks->all.at[i].published)
			continue;
		keys[count] = i;
		fds[count++] = chunks->all.at[i].map_fd;
	}
	if (count == 0 || chunks->outer_fd < 0)
		return 0;
	/* One call for all where the kernel has it: each call waits for a grace period. */
	done = count;
	if (count > 1) {
		LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_ANY);

		r = bpf_map_update_batch(chunks->outer_fd, keys, fds, &done, &opts);
	}
	for (uint32_t i = 0; r < 0 && i < count; i++) {
		int one = bpf_map_update_elem(chunks->outer_fd, &keys[i], &fds[i], BPF_ANY);

		if (one < 0)
			return one;
	}
	for (uint32_t i = 0; i < count; i++)
		chunks->all.at[keys[i]].published = true;
	return 0;
}

uint32_t chunks_place(const struct chunk_run *run)
{
	return run->chunk << WIRE_PLACE_BITS | run->first;
}

void *chunks_memory(const struct chunks *chunks, const struct chunk_run *run)
{
	return chunks->all.at[run->chunk].memory + (size_t)run->first * 4;
}

const unsigned char *chunks_at(const struct chunks *chunks, uint32_t place)
{
	uint32_t chunk = table_place_chunk(place);

	return chunk < chunks->all.count ? chunks->all.at[chunk].memory : NULL;
}
