/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a process, read word by word while it runs (process_vm_readv(2)): pages come as they are
 * asked for, and the last ones are kept until they are forgotten.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MEMORY_PAGE_BYTES = 4096, MEMORY_PAGES = 64 };

struct process_memory {
	pid_t pid;
	int error;			  /* the last negative errno that was not -EFAULT */
	uint64_t addresses[MEMORY_PAGES]; /* of the pages; 1: none */
	unsigned char pages[MEMORY_PAGES][MEMORY_PAGE_BYTES];
};

/* pid: of a living thread of the process. */
void process_memory_init(struct process_memory *memory, pid_t pid);
/* What was read is read anew. */
void process_memory_forget(struct process_memory *memory);
/* One word at any address. Returns 0 or a negative errno (-EFAULT: nothing is there). */
int process_memory_word(struct process_memory *memory, uint64_t *ret, uint64_t address);
/* Any bytes, past what is kept. Returns 0 or a negative errno. */
int process_memory_read(const struct process_memory *memory, void *ret, size_t size,
			uint64_t address);
