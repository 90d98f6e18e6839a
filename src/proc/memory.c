// SPDX-License-Identifier: Apache-2.0
#include "proc/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"

void process_memory_init(struct process_memory *memory, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	memory->pid = pid;
	memory->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	memory->error = memory->pagemap < 0 ? -errno : 0;
	if (memory->error == -ENOENT)
		memory->error = -ESRCH;
	memory->begun_ns = 0;
	process_memory_forget(memory);
}

void process_memory_fini(struct process_memory *memory)
{
	if (memory->pid && memory->pagemap >= 0)
		(void)close(memory->pagemap);
	*memory = (struct process_memory){ .pagemap = -1 };
}

void process_memory_forget(struct process_memory *memory)
{
	for (unsigned i = 0; i < MEMORY_PAGES; i++)
		memory->addresses[i] = 1;
}

/* Bits of a page's entry. */
#define PAGE_PRESENT (1ULL << 63)
#define PAGE_SWAPPED (1ULL << 62)

/* Are the pages there that hold these bytes? */
static bool has_pages(const struct process_memory *memory, size_t size, uint64_t address)
{
	uint64_t first = address / MEMORY_PAGE_BYTES,
		 last = (address + size - 1) / MEMORY_PAGE_BYTES;
	uint64_t entries[2] = {};

	if (address >> 56 || last - first > 1 ||
	    fs_read_at(memory->pagemap, entries, (last - first + 1) * sizeof(*entries),
		       (off_t)(first * sizeof(*entries))) < 0)
		return false;
	return entries[0] & (PAGE_PRESENT | PAGE_SWAPPED) &&
	       (first == last || entries[1] & (PAGE_PRESENT | PAGE_SWAPPED));
}

int process_memory_read(struct process_memory *memory, void *ret, size_t size, uint64_t address)
{
	struct iovec local = { ret, size }, remote = { (void *)(uintptr_t)address, size };
	int r = -EFAULT;
	ssize_t got;

	if (memory->pagemap < 0)
		return memory->error ? memory->error : -ESRCH;
	if (size == 0 || size > MEMORY_PAGE_BYTES)
		return -EFAULT;
	/* The page map, too, waits for who changes the mappings. */
	memory->begun_ns = clock_ns(CLOCK_MONOTONIC);
	if (has_pages(memory, size, address)) {
		got = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);
		r = got < 0 ? -errno : (size_t)got == size ? 0 : -EFAULT;
	}
	memory->begun_ns = 0;
	return r;
}

static int page_of(struct process_memory *memory, const unsigned char **ret, uint64_t address)
{
	uint64_t page = address / MEMORY_PAGE_BYTES;
	unsigned slot = page % MEMORY_PAGES;
	int r;

	page *= MEMORY_PAGE_BYTES;
	if (memory->addresses[slot] != page) {
		memory->addresses[slot] = 1;
		r = process_memory_read(memory, memory->pages[slot], MEMORY_PAGE_BYTES, page);
		if (r < 0 && r != -EFAULT)
			memory->error = r;
		if (r < 0)
			return r;
		memory->addresses[slot] = page;
	}
	*ret = memory->pages[slot];
	return 0;
}

int process_memory_word(struct process_memory *memory, uint64_t *ret, uint64_t address)
{
	unsigned char word[sizeof(*ret)];
	size_t offset = address % MEMORY_PAGE_BYTES, first = MEMORY_PAGE_BYTES - offset;
	const unsigned char *page;
	int r;

	if (address > UINT64_MAX - sizeof(word))
		return -EFAULT;
	if (first > sizeof(word))
		first = sizeof(word);
	r = page_of(memory, &page, address);
	if (r < 0)
		return r;
	memcpy(word, page + offset, first);
	if (first < sizeof(word)) {
		r = page_of(memory, &page, address + first);
		if (r < 0)
			return r;
		memcpy(word + first, page, sizeof(word) - first);
	}
	memcpy(ret, word, sizeof(word));
	return 0;
}
