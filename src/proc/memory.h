/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a process, read word by word while it runs (process_vm_readv(2)): pages come as they are
 * asked for, and the last ones are kept until they are forgotten.
 *
 * Only pages that it has are read (/proc/PID/pagemap, Documentation/admin-guide/mm/pagemap.rst): others
 * would first have to come from a file system, or from a userfaultfd, that may never answer. Who is
 * quick can take a page away in between; so that somebody can see it, `begun_ns` says since when a
 * read is under way.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MEMORY_PAGE_BYTES = 4096, MEMORY_PAGES = 64 };

struct process_memory {
	pid_t pid;
	int pagemap;			  /* -1: cannot be read */
	int error;			  /* the last negative errno that was not -EFAULT */
	_Atomic uint64_t begun_ns;	  /* CLOCK_MONOTONIC; 0: none is */
	uint64_t addresses[MEMORY_PAGES]; /* of the pages; 1: none */
	unsigned char pages[MEMORY_PAGES][MEMORY_PAGE_BYTES];
};

/* pid: of a living thread of the process. Failure shows at the first read. */
void process_memory_init(struct process_memory *memory, pid_t pid);
/* Also of one that is all zeros. */
void process_memory_fini(struct process_memory *memory);
/* What was read is read anew. */
void process_memory_forget(struct process_memory *memory);
/* One word at any address. Returns 0 or a negative errno (-EFAULT: nothing is there). */
int process_memory_word(struct process_memory *memory, uint64_t *ret, uint64_t address);
/* Any bytes, at most MEMORY_PAGE_BYTES, past what is kept. Returns 0 or a negative errno. */
int process_memory_read(struct process_memory *memory, void *ret, size_t size, uint64_t address);
