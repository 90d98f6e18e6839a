// SPDX-License-Identifier: Apache-2.0
#include "proc/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

void process_memory_init(struct process_memory *memory, pid_t pid)
{
	memory->pid = pid;
	memory->error = 0;
	process_memory_forget(memory);
}

void process_memory_forget(struct process_memory *memory)
{
	for (unsigned i = 0; i < MEMORY_PAGES; i++)
		memory->addresses[i] = 1;
}

int process_memory_read(const struct process_memory *memory, void *ret, size_t size,
			uint64_t address)
{
	struct iovec local = { ret, size }, remote = { (void *)(uintptr_t)address, size };
	ssize_t got = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -EFAULT;
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
