/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libprofd-heap.so writes and profd reads: one memfd for each process, sealed against changes of
 * its size. Included by both, so only fixed-size types; sizes are asserted.
 *
 *     struct heap_header             HEAP_HEADER_BYTES
 *     uint64_t live[HEAP_OBJECTS]    ids of the sampled objects that live, each in a slot; 0: none
 *     ring                           HEAP_RING_BYTES of records, one for each sample
 *
 * The ring: a writer claims bytes by moving `head` on, writes the record's first word with its size,
 * the rest, and at last the first word again with HEAP_RECORD_READY. Positions count all bytes ever
 * claimed; the first word has its own position in it, so that nothing old is taken for a record. Who is
 * killed between these steps leaves a claim that never gets ready: the reader passes over it after a
 * while. What is freed leaves no record: the slot is cleared, and so nothing of it can be lost.
 *
 * An object of `size` bytes was sampled with probability 1 - exp(-size / interval), both as in its
 * record.
 *
 * Both sides may be wrong or hostile: the library uses nothing of it but `tail`, `enabled` and
 * `interval`, in ways that can do no harm; profd checks everything.
 */
#pragma once

#include <stdint.h>

#define HEAP_MAGIC 0x50414548464f5250ULL /* "PROFHEAP" */
#define HEAP_MEMORY_NAME "profd-heap"
/*
 * In the environment: "NAME/TOKEN", the abstract socket (SOCK_SEQPACKET) that is sent each region's
 * descriptor with the token as the message; and the mean of the gaps.
 */
#define HEAP_SOCKET_VARIABLE "PROFD_HEAP_SOCKET"
#define HEAP_INTERVAL_VARIABLE "PROFD_HEAP_INTERVAL"

enum {
	HEAP_VERSION = 1,
	HEAP_HEADER_BYTES = 4096,
	HEAP_OBJECTS = 1 << 17,
	HEAP_RING_BYTES = 8 << 20,
	HEAP_STACK_BYTES = 65536, /* of the stack, at most */
	HEAP_ALIGNMENT = 64,	  /* of records in the ring */
	HEAP_INTERVAL_BYTES = 512 * 1024,
	HEAP_INTERVAL_MIN = 1024,
	HEAP_INTERVAL_MAX = 1 << 30,
};

#define HEAP_REGION_BYTES (HEAP_HEADER_BYTES + 8UL * HEAP_OBJECTS + HEAP_RING_BYTES)

enum heap_flags {
	HEAP_OWN_ALLOCATOR = 1, /* the program has a malloc of its own: it is not seen */
	HEAP_PYTHON = 2,	/* CPython's allocator of small objects is seen */
};

struct heap_header {
	uint64_t magic;
	uint32_t version;
	uint32_t flags;	       /* HEAP_* */
	uint64_t nonce;	       /* names the region; not 0 */
	uint64_t parent_nonce; /* that of the process it was forked from; 0: exec made it */
	/* Objects with smaller ids were sampled there, or before that: it has them from its parent. */
	uint64_t first_id;
	uint32_t pid; /* as the process sees itself */
	uint32_t reserved;
	uint64_t unused[2];
	/* Written by profd. */
	uint64_t tail;	   /* everything before has been read */
	uint64_t interval; /* mean number of bytes between two samples */
	uint32_t enabled;
	uint32_t reserved_too;
	uint64_t unused_too[5];
	/* Written by the library. */
	uint64_t head;
	uint64_t lost;	    /* samples that found no room in the ring */
	uint64_t untracked; /* those that found no slot: taken for freed at once */
	uint64_t nested;    /* those that came while another was taken by the same thread */
	uint64_t unused_here[4];
};

/* First word of a record: its size, a multiple of HEAP_ALIGNMENT, with these in its low bits, and */
enum {
	HEAP_RECORD_READY = 1,
	HEAP_RECORD_PADDING = 2, /* nothing, up to the end of the ring */
	HEAP_RECORD_BITS = HEAP_ALIGNMENT - 1,
};
/* in its high half where it is. */
#define HEAP_RECORD_WORD(position, size_and_bits)                                                  \
	((uint64_t)(uint32_t)((position) / HEAP_ALIGNMENT) << 32 | (uint32_t)(size_and_bits))

#define HEAP_NO_SLOT UINT32_MAX

/* stack_bytes of stack follow, from sp on. Registers as of the return from the allocator's function. */
struct heap_record {
	uint64_t word;
	uint64_t id;
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t size;	  /* that was asked for */
	uint64_t interval;
	uint64_t ip, sp, bp, bx; /* bx 0: not known */
	uint32_t slot;		 /* or HEAP_NO_SLOT */
	uint32_t tid;		 /* as the process sees itself */
	uint32_t stack_bytes;
	uint32_t flags; /* HEAP_PYTHON, or 0 */
};

_Static_assert(sizeof(struct heap_header) == 192, "heap_header");
_Static_assert(sizeof(struct heap_record) == 88, "heap_record");
