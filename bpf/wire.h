/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The structs that both halves use: BPF programs write samples and read tables, user space the
 * other way round. Included by both, so only fixed-size types; sizes are asserted.
 */
#pragma once

#ifdef __bpf__
typedef unsigned char uint8_t;
typedef signed char int8_t;
typedef unsigned short uint16_t;
typedef short int16_t;
typedef unsigned int uint32_t;
typedef int int32_t;
typedef unsigned long long uint64_t;
typedef long long int64_t;
#else
#include <stdint.h>
#endif

#include "outcomes.h"

/*
 * Processors whose calls leave the return address in a register, not on the stack. There `bx` is that
 * register (aarch64: x30), `bp` the frame pointer (x29), and rules say where the two were saved: see
 * struct wire_rule.
 */
#if defined(__TARGET_ARCH_arm64) || (!defined(__bpf__) && defined(__aarch64__))
#define WIRE_LINK_REGISTER 1
#endif

enum {
	WIRE_MAX_FRAMES = 1024,       /* user frames of one stack */
	WIRE_MAX_KERNEL_FRAMES = 127, /* the kernel's own default limit, perf_event_max_stack */
	WIRE_STACK_COPY_BYTES = 65536, /* compilers recurse deeply; most stacks end far before */
	WIRE_OTHER_COPY_BYTES = 16384, /* goroutines begin with 8 KiB or less */
	WIRE_FAR_LINES = 512, /* a frame needs two of them at most */
	WIRE_COMM_BYTES = 16, /* TASK_COMM_LEN, include/linux/sched.h */
};

/*
 * Unwind tables. One table per ELF object; addresses in it are the object's own (ELF) addresses.
 *
 * All tables live in chunks of WIRE_CHUNK_BYTES. A place inside is a `wire_place`: the chunk's
 * number in the high bits, the offset in units of 4 bytes in the low WIRE_PLACE_BITS bits.
 * Text is cut into pages of 64 KiB. A page's block, wholly inside one chunk:
 *
 *     uint16_t first_row[WIRE_BUCKETS + 1]   bucket b: rows at addresses b*256 .. b*256+255 of the
 *                                            page; row numbers within the block, ascending; the
 *                                            last one is the number of rows
 *     uint16_t padding
 *     struct wire_row rows[]                 ascending; the first one has address 0, so that every
 *                                            address of the page has a row at or before it
 *
 * A table's page directory is an array of places (uint32_t), also wholly inside one chunk; the
 * place 0 stands for a page without rows (place 0 is never handed out).
 */
enum {
	WIRE_CHUNK_BYTES = 512 * 1024,
	WIRE_PLACE_BITS = 17, /* 2^17 * 4 = WIRE_CHUNK_BYTES */
	WIRE_MAX_CHUNKS = 128,
	WIRE_PAGE_SHIFT = 16,
	WIRE_BUCKET_SHIFT = 8,
	WIRE_BUCKETS = 256,
	WIRE_BLOCK_HEADER_BYTES = (WIRE_BUCKETS + 2) * 2,
	WIRE_MAX_TABLES = 8192,
	WIRE_MAX_RULES = 65535,
};

/* From address_low on (until the next row) the frame is found by rules[rule]. */
struct wire_row {
	uint16_t address_low;
	uint16_t rule; /* index into the rule dictionary; 0 is RULE_NONE */
};

enum wire_rule_kind { /* offset: 8 * cfa_words */
	RULE_NONE,   /* no CFI here */
	RULE_SP,     /* CFA = rsp + offset */
	RULE_BP,     /* CFA = rbp + offset */
	RULE_BX,     /* CFA = rbx + offset */
	RULE_PLT,    /* CFA = rsp + offset + (low 4 bits of pc >= steps ? 8 : 0) */
	RULE_SIGNAL, /* rsp points to struct ucontext: registers from uc_mcontext */
	RULE_DRAP,   /* CFA = *(rbp + offset), caller's rbp = *rbp, its rbx by bx_slot from rbp */
	RULE_STORED, /* CFA = *(rsp + offset) + 8 * n, or more: RULE_STORED_* */
	RULE_TEMPORARY, /* CFA = temporaries[steps] + offset */
	RULE_LINK,   /* CFA = rsp + offset, return address = temporaries[steps]; in the leaf only */
	RULE_END,    /* undefined return address: the outermost frame */
	RULE_UNWINDER, /* as RULE_BP; may be about to jump to a landing pad: see walk_unwinder */
	RULE_FRAME,  /* as RULE_BP, but the caller may be on another stack */
	RULE_DEPTH,  /* CFA = noted rsp + offset on another stack; noted rsp: see struct wire_rule */
	RULE_RESUME, /* goes on at *(rbx + 8 * steps), or at rbx if steps is 0, with rsp + offset; in the
			leaf only */
	RULE_KIND_COUNT
};

/*
 * Registers that calls may change. Assembly code without ordinary calls finds its frame by them all
 * the same (OpenSSL's AES-GCM, ChaCha20), and vfork keeps its return address in one. What they hold
 * is known of the leaf; where a caller's frame is found by one, the code it has called leaves it
 * alone.
 */
enum wire_temporary {
	TEMPORARY_AX,
	TEMPORARY_DX,
	TEMPORARY_CX,
	TEMPORARY_SI,
	TEMPORARY_DI,
	TEMPORARY_R8,
	TEMPORARY_R9,
	TEMPORARY_R10,
	TEMPORARY_R11,
	WIRE_TEMPORARIES
};

/* The same on aarch64: those that neither hold arguments nor are kept. */
enum wire_link_temporary {
	TEMPORARY_X9,
	TEMPORARY_X10,
	TEMPORARY_X11,
	TEMPORARY_X12,
	TEMPORARY_X13,
	TEMPORARY_X14,
	TEMPORARY_X15,
	TEMPORARY_X16,
	TEMPORARY_X17,
};

/*
 * How to get from a frame to its caller. The return address is at CFA - 8, except for RULE_SIGNAL,
 * RULE_LINK and RULE_RESUME. rbx is followed only because some frames are found by it (ld.so's
 * resolver).
 *
 * A run of pushes or pops is one row: bit i of `steps` says that at the row's address + 1 + i and
 * beyond, the CFA offset is `step` bytes more (+8: a push went before, -8: a pop).
 * bp_slot: the caller's rbp was saved at CFA - 8 * bp_slot; 0: it is still in rbp. For RULE_SP a
 * slot that lies below the stack pointer (8 * bp_slot > the CFA offset) is not saved yet, or is
 * restored already: rbp holds. bx_slot: the same of rbx, and RULE_BX_LOST where nobody can tell.
 *
 * RULE_DEPTH: what Go's runtime.asmcgocall notes before it calls C code on the system's stack. With
 * note = *(rsp + 8 * steps) and owner = *(rsp + 8 * steps + 8), rsp was at *(owner + 8) - note: so far
 * below the end of the goroutine's stack, which may have moved since. Without an owner: at note.
 *
 * With a link register (WIRE_LINK_REGISTER) there are RULE_NONE, RULE_SP, RULE_BP, RULE_TEMPORARY,
 * RULE_SIGNAL, RULE_END and RULE_UNWINDER (as RULE_SP there: see walk_link_unwinder), and nothing that changes within a row:
 * steps: the return address was saved at CFA - 8 * steps; 0: it is still in the link register.
 * bp_slot: the caller's frame pointer was saved at CFA - 8 * (steps + bp_slot), bp_slot being signed;
 * 0: it is still in its register. bx_slot: enum wire_link_temporary of RULE_TEMPORARY.
 */
struct wire_rule {
	int32_t cfa_words : 24;
	uint32_t bx_slot : 8;
	uint16_t steps; /* RULE_PLT: the threshold; RULE_STORED: RULE_STORED_*; RULE_TEMPORARY,
			   RULE_LINK: enum wire_temporary; RULE_DEPTH: where the note is, in words from
			   rsp; RULE_RESUME: see there */
	uint8_t bp_slot;
	uint8_t kind_and_step; /* low 4 bits kind, the others flags: RULE_* below */
};

enum {
	RULE_KIND_MASK = 0x0f,
	RULE_STEPS_PUSH = 0x10,
	RULE_STEPS_POP = 0x20,
	RULE_NEXT_EXACT = 0x40, /* no call goes before where the caller goes on */
};
/* What `steps` says for RULE_STORED, which assembly code needs that keeps its CFA in its frame. */
enum {
	RULE_STORED_ADDED = 0xff,     /* n */
	RULE_STORED_INDEX_SHIFT = 8,  /* 1 + enum wire_temporary, 0: none: 8 times that register */
	RULE_STORED_INDEX = 0xf00,    /* is added to the address; in the leaf only */
	RULE_STORED_FROM_BP = 0x8000, /* the address counts from rbp */
};
/*
 * bp_slot of RULE_TEMPORARY, for functions with RULE_DRAP before they have stored their CFA and after
 * they took it back: the caller's rbp is *rbp, unless rbp does not point into the frame.
 */
enum { RULE_BP_IN_FRAME = 255 };
enum { RULE_BX_LOST = 255, RULE_MAX_CFA_WORDS = (1 << 23) - 1 };

/* tables[id]. page_count 0: no table (yet). */
struct wire_table {
	uint64_t first_page; /* ELF address >> WIRE_PAGE_SHIFT of directory entry 0 */
	uint32_t directory;  /* place of the page directory */
	uint32_t page_count;
};

/* Instead of a rule: there is no table, or it says nothing about the address. */
#define WALK_FIND_NO_TABLE (~0ULL)
#define WALK_FIND_NO_ROW (~1ULL)

/* Rules found lately on one CPU, by a hash of (table, ELF address); see walk_find in cpu.bpf.c. */
enum { WIRE_RULE_CACHE_BITS = 12 };

struct wire_cached_rule {
	uint64_t key, rule; /* rule: as walk_rule_pack gives it */
};

struct wire_rule_cache {
	struct wire_cached_rule slots[1 << WIRE_RULE_CACHE_BITS];
};

/* One executable mapping of a process. ELF address = pc - bias. */
struct wire_mapping {
	uint64_t start, end;
	uint64_t bias;
	uint32_t table; /* index into tables; 0: none yet */
	uint32_t flags; /* MAPPING_* */
};

enum {
	MAPPING_NO_CFI = 1,  /* anonymous or JIT code, or an object without CFI: frame pointers only */
	MAPPING_UNKNOWN = 2, /* with MAPPING_NO_CFI: there is no object */
};

enum {
	WIRE_MAX_PROCESS_MAPPINGS = 4096,
};

/* processes[tgid]: which mappings (a run in the mappings array, ascending) hold for the process. */
struct wire_process {
	uint32_t first_mapping, mapping_count;
	uint32_t generation; /* user space's count of changes, echoed in samples; never 0 */
	uint32_t flags;      /* PROCESS_* */
	/* Filled in by the first sample of this generation, to notice what changed since: */
	uint32_t exec_pages; /* mm->exec_vm; 0: not seen yet */
	uint32_t reserved;
	uint64_t mm;         /* address of the mm_struct, a mere cookie */
};

enum {
	/* Code was mapped where other code had been: copy the stack with every sample, for a while. */
	PROCESS_REUSES_ADDRESSES = 1,
};

/* targets[pid or tid]. */
enum {
	TARGET_WATCHED = 1,
	TARGET_INHERIT = 2, /* children become targets too */
	TARGET_AT_EXEC = 4, /* watched only once it has called exec */
};

/*
 * A glob over a comm, as a bit-parallel automaton: bit i of a state set means that the first i
 * pattern elements have matched. accepts[c] has bit i set when element i takes the byte c;
 * stars has bit i set when element i is a star. Accepted when a bit of `final` is set at the end.
 * Several patterns lie side by side, `initial` has one bit for each.
 */
struct wire_glob {
	uint64_t accepts[256];
	uint64_t stars, initial, final;
};

/* What to watch, set before loading. */
struct wire_config {
	uint64_t period_ns;   /* weight of one sample, until user space changes the rate */
	uint32_t by_tid;      /* targets holds thread ids */
	uint32_t everything;  /* no target set: the whole machine */
	uint32_t filter_comm, filter_cgroup, filter_uid;
	uint32_t uid;
	uint32_t kernel_stacks;
	uint32_t user_stacks;
	uint32_t include_idle;
	uint32_t max_frames;   /* user frames, 1..WIRE_MAX_FRAMES */
	uint32_t own_tgid;     /* profd and its workers are left out with `everything`; ~0: they are not */
	uint32_t translate_pids; /* profd is not in the initial pid namespace, see bpf/pids.h */
};

/* What a sample is of. */
enum wire_event {
	EVENT_CPU,    /* time on a CPU: weight_ns of it */
	EVENT_GROWTH, /* memory that became resident: the page at `address` stands for `size` bytes,
			 if it is a small one */
	/*
	 * A call that asks for `size` bytes, in the window `address`; weight_ns: the mean of the bytes
	 * between two samples.
	 */
	EVENT_ALLOC,
	EVENT_HEAP,   /* the same of an object, at `address`, that is followed until it is freed */
	/* What counters of perf count, weight_ns of it: the period of the sample. See counted_event.c. */
	EVENT_CYCLES,
	EVENT_INSTRUCTIONS,
	EVENT_CACHE_REFERENCES,
	EVENT_CACHE_MISSES,
	EVENT_BRANCHES,
	EVENT_BRANCH_MISSES,
	EVENT_BUS_CYCLES,
	EVENT_REF_CYCLES,
	EVENT_PAGE_FAULTS,
	EVENT_MINOR_FAULTS,
	EVENT_MAJOR_FAULTS,
	EVENT_CONTEXT_SWITCHES,
	EVENT_CPU_MIGRATIONS,
	EVENTS
};

/* The counted ones are at the end. */
#define EVENT_COUNTED_FIRST EVENT_CYCLES
#define EVENTS_COUNTED (EVENTS - EVENT_COUNTED_FIRST)

/* What a program has seen of a counter on one CPU, also of tasks that nobody asked for. */
struct wire_counted {
	uint64_t hits;
	uint64_t events;  /* the periods of all hits */
	uint64_t largest; /* of these periods */
	uint64_t counter; /* its value then, where the period adapts */
};

/* In the low bits of the address of a sample of EVENT_GROWTH. */
enum {
	GROWTH_ONLY_LARGE = 1, /* not in the sample by its hash: it counts if the page is a huge one */
	GROWTH_MAJOR = 2,      /* it was read from a disk */
	GROWTH_RANGE = 4,      /* `size` bytes from there on became resident at once */
	GROWTH_FLAGS = 7,
};

/* Memory that mremap has put elsewhere, with all its pages. */
struct wire_move {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t from, to, bytes;
	uint32_t pid, reserved;
};

/* How many bytes a call asks for, by a number and another one: in the cookie of a probe. */
enum wire_alloc_rule {
	ALLOC_PLAIN,
	ALLOC_COUNTED,	    /* so many of that size */
	ALLOC_UNLESS_NULL,  /* none where the other is 0 */
	ALLOC_UNLESS_SMALL, /* none where the other is 16 or less */
};

/* size, other: numbers of registers, as instructions have them. */
#define WIRE_ALLOC_COOKIE(rule, size, other) ((uint64_t)(rule) << 8 | (other) << 4 | (size))

/*
 * Of a probe of EVENT_HEAP there is more in it: of which followed process, whether the other number is
 * an old block that the call may take back, and in which register lies the address at which the result
 * will lie (0: the call returns it). Where memory is taken back, `size` is the block.
 */
#define WIRE_HEAP_COOKIE(alloc, slot, takes_old, result)                                           \
	((alloc) | (uint64_t)(slot) << 32 | (uint64_t)(takes_old) << 20 | (uint64_t)(result) << 16)

enum {
	WIRE_HEAP_PROCESSES = 64,
	WIRE_HEAP_OBJECTS = 131072, /* that live, of all followed processes */
	WIRE_HEAP_PENDING = 1024,   /* sampled calls that have not returned */
};

/* A followed process. */
struct wire_heap_process {
	uint64_t nonce;	   /* by which user space knows its objects */
	uint64_t mm;	   /* its memory, from the first sample on; after exec it has another one */
	uint32_t open;	   /* objects are sampled, and known to be freed; else calls are only counted */
	uint32_t replaced; /* it was exec'ed */
};

/* The same per CPU; all but `left` only ever grow. */
struct wire_heap_counts {
	uint64_t hits; /* that the probes trapped */
	uint64_t samples, sample_ns;
	uint64_t lost;	    /* samples */
	uint64_t untracked; /* objects for which there was no room */
	uint64_t ids;
	int64_t left; /* bytes until the next sample */
	uint64_t open;
};

/* Where a sampled object lives. */
struct wire_heap_place {
	uint64_t address;
	uint32_t slot, reserved;
};

struct wire_heap_object {
	uint64_t id, size;
};

enum {
	WIRE_ALLOC_LOGARITHMS = 257,
};
/* Of an address of user space: with five levels of page tables, or the largest that aarch64 has. */
enum { WIRE_USER_BITS = 56 };
#define WIRE_ALLOC_BYTES_MAX (1ULL << 47) /* more is never given out */

/* Of a CPU; all but the last three only ever grow. */
struct wire_alloc_state {
	uint64_t hits;		 /* that the probes trapped */
	uint64_t calls, bytes;	 /* that count, in windows */
	uint64_t samples, sample_ns;
	uint64_t dropped;
	int64_t left; /* bytes until the next sample */
	uint64_t window;
	uint64_t reserved;
};

enum wire_sample_flags {
	SAMPLE_MAPPINGS_STALE = 1, /* executable memory changed since the process entry was made */
	SAMPLE_KERNEL_MODE = 2,    /* the tick hit kernel code */
	SAMPLE_SYSCALL = 4,        /* user registers are those of a system call's entry */
	SAMPLE_KTHREAD = 8,
	SAMPLE_NEXT_IS_EXACT = 16, /* `ip` is not a return address: look it up as it is */
	SAMPLE_SP_LOOSE = 32,	   /* `sp` is only known not to be less */
	SAMPLE_FRAME_POINTERS = 64, /* the user frames are what the kernel's frame pointers led to */
	SAMPLE_STACK_ENDED = 128, /* more was to be copied, but what follows is not there */
};

/*
 * One sample in the ring. Behind the header: kernel_count + user_count addresses (uint64_t, leaf
 * first), then stack_bytes of user stack from `stack_at` on, then other_bytes of another stack from
 * `other_at` on: where the chain of frame pointers leaves the first one, which Go's runtime changes
 * for its own work; then far_lines (struct wire_far_line, ascending) of what lies behind the first one.
 *
 * Addresses are for looking up: kernel addresses as the kernel's unwinder gives them (return
 * addresses, except the leaf); user addresses are already inside the instruction (pc - 1 for
 * return addresses).
 * When outcome is not WALK_COMPLETE, ip, sp, bp and bx are the registers of the first frame that is
 * not in the list, so that the same walker can go on from there. With SAMPLE_MAPPINGS_STALE they
 * are those of the leaf, so that it can begin anew. temporaries are the leaf's. 0 in these and in
 * bx says that the value is not known.
 */
struct wire_sample {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t weight_ns;
	uint32_t pid, tid, cpu;
	uint32_t generation; /* of the process entry that was used; 0: none */
	uint64_t ip, sp, bp, bx;
	uint64_t temporaries[WIRE_TEMPORARIES];
	uint64_t stack_at; /* user address of the first byte of the stack copy, around sp */
	uint64_t other_at; /* the same of the other stack */
	uint16_t kernel_count, user_count;
	uint8_t outcome; /* enum walk_outcome */
	uint8_t flags;
	uint16_t far_lines;
	uint32_t stack_bytes;
	uint32_t other_bytes;
	uint64_t cgroup; /* id in the version 2 hierarchy; 0: not known */
	uint32_t uid;	 /* real */
	uint32_t event;	 /* enum wire_event */
	uint64_t address, size; /* what they are of depends on the event */
	char comm[WIRE_COMM_BYTES];
};

/* A piece of user stack. */
struct wire_far_line {
	uint64_t address; /* of the first word, a multiple of the size of all */
	uint64_t words[8];
};

/* What the task iterator writes of one thread; kernel_count addresses (uint64_t, leaf first) follow. */
struct wire_thread {
	uint64_t switches; /* how often it has left the CPU */
	uint64_t since_ns; /* when it did so last, CLOCK_MONOTONIC; 0: not known */
	uint64_t ip, sp, bp, bx, temporaries[WIRE_TEMPORARIES]; /* as in struct wire_sample */
	int64_t system_call; /* its number; below 0: it came into the kernel by none */
	uint64_t arguments[6];
	int64_t result; /* of the system call, once there is one */
	uint32_t pid, tid;
	uint32_t state; /* the kernel's TASK_* and EXIT_* */
	uint32_t flags; /* THREAD_* */
	uint32_t kernel_count, reserved;
	char comm[WIRE_COMM_BYTES];
};

enum {
	THREAD_ON_CPU = 1, /* it runs: its registers are those of its last entry into the kernel */
	THREAD_KERNEL = 2, /* a kernel thread, or one without memory: there are no user registers */
	THREAD_COMPAT = 4, /* 32-bit code */
	THREAD_EXACT = 8,  /* see SAMPLE_NEXT_IS_EXACT */
};

_Static_assert(sizeof(struct wire_row) == 4, "wire_row");
_Static_assert(sizeof(struct wire_rule) == 8, "wire_rule");
_Static_assert(sizeof(struct wire_table) == 16, "wire_table");
_Static_assert(sizeof(struct wire_mapping) == 32, "wire_mapping");
_Static_assert(sizeof(struct wire_process) == 32, "wire_process");
_Static_assert(sizeof(struct wire_sample) == 216, "wire_sample");
_Static_assert(sizeof(struct wire_move) == 40, "wire_move");
_Static_assert(sizeof(struct wire_counted) == 32, "wire_counted");
_Static_assert(sizeof(struct wire_far_line) == 72, "wire_far_line");
_Static_assert(sizeof(struct wire_thread) == 224, "wire_thread");
_Static_assert(WIRE_BLOCK_HEADER_BYTES % 4 == 0, "rows are aligned");
_Static_assert(WIRE_CHUNK_BYTES == 4 << WIRE_PLACE_BITS, "places reach a whole chunk");
