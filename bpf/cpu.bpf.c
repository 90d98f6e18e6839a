// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * On-CPU samples: each timer tick of a watched task becomes one record with its kernel stack and
 * its user stack, walked here from unwind tables.
 *
 * The order is: count the tick, find out whether the task is watched, only then walk. What the walk
 * cannot know yet (a process, a table) goes into the record as registers and a piece of stack, so
 * that user space can finish it. fork, exec and exit keep the set of watched processes right
 * without waiting for user space.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "glob.h"
#include "kernel.h"
#include "table.h"
#include "wire.h"

static __always_inline int walk_read(uint64_t *ret, uint64_t address, void *memory);
static __always_inline uint64_t walk_temporary(uint64_t number, void *memory);
static __always_inline uint64_t walk_find(uint32_t table, uint64_t address, void *memory);

#include "walk.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct wire_config config;

/* Sizes that depend on the target are set by user space before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, uint32_t);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, struct wire_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct wire_mapping);
} mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_MAX_TABLES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct wire_table);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_MAX_RULES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct wire_rule);
} rules SEC(".maps");

struct chunk_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(uint32_t));
	__uint(value_size, WIRE_CHUNK_BYTES);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, WIRE_MAX_CHUNKS);
	__type(key, uint32_t);
	__array(values, struct chunk_map);
} chunks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNT_COUNTERS);
	__type(key, uint32_t);
	__type(value, uint64_t);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct wire_glob);
} comm_filter SEC(".maps");

/*
 * A copy of user stack under way, page by page, because one page that is not present would fail the
 * whole read. The lowest page may just be faulting in: the copy then begins behind it.
 */
struct stack_copy {
	uint64_t begin, from; /* user addresses: of the first byte that was copied, of the next one */
	uint32_t copied, limit;
};

/*
 * Where a sample is put together, one per CPU: a record in the form in which it is sent. Too large
 * for the BPF stack, and of no fixed size, as a reservation in the ring must be.
 */
enum {
	MAX_ADDRESSES = WIRE_MAX_KERNEL_FRAMES + 1 + WIRE_MAX_FRAMES,
	PAYLOAD_BYTES = MAX_ADDRESSES * 8 + WIRE_STACK_COPY_BYTES,
};

struct scratch {
	struct wire_sample sample;
	uint64_t payload[PAYLOAD_BYTES / 8];
	/* Not sent: where the walk stands. */
	struct walk_registers at;
	uint32_t count, limit;
	uint32_t first_mapping, mapping_count;
	uint32_t last_mapping; /* index of the mapping of the frame before; most frames share it */
	uint32_t outcome;
	struct stack_copy copy;
	uint32_t copy_offset; /* in the payload */
	uint64_t window_at; /* user address of the window, or NO_WINDOW */
	unsigned char window[256];
};

#define NO_WINDOW (~0ULL - 4096)

/* One entry per possible CPU, by number: per-CPU maps end at 32 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* One entry per possible CPU. User space empties it when it takes a table away. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct wire_rule_cache);
} rule_caches SEC(".maps");

/*
 * The user registers and the top of the stack of watched tasks that have begun to exit: giving
 * their memory back is their CPU time, but by then their own stack can no longer be read.
 */
enum { EXIT_STACK_BYTES = 8192 };

struct exit_stack {
	uint64_t ip, sp, bp, bx, temporaries[WIRE_TEMPORARIES], stack_at;
	uint32_t exact, stack_bytes;
	unsigned char stack[EXIT_STACK_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, struct exit_stack);
} exiting SEC(".maps");

/* What a new entry of `exiting` begins with: too large for the BPF stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct exit_stack);
} empty_exit_stack SEC(".maps");

/* The last tick of a CPU. */
struct last_tick {
	uint64_t time_ns; /* 0: none yet */
	uint64_t busy;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct last_tick);
} last_ticks SEC(".maps");

static __always_inline void count_add(uint32_t counter, uint64_t amount)
{
	uint64_t *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		*value += amount;
}

/* ---- the walker's host: memory and tables ---- */

/*
 * User stack is fetched a window at a time: most frames are smaller, and each fetch costs the same
 * for 8 bytes as for a few cache lines.
 */
static __always_inline int walk_read(uint64_t *ret, uint64_t address, void *memory)
{
	struct scratch *s = memory;
	uint64_t offset = address - s->window_at;

	if (offset <= sizeof(s->window) - 8) {
		*ret = *(uint64_t *)(s->window + offset);
		return 0;
	}
	if (bpf_probe_read_user(s->window, sizeof(s->window), (const void *)address) == 0) {
		s->window_at = address;
		*ret = *(uint64_t *)s->window;
		return 0;
	}
	/* The end of the stack is near, or the next page is not present. */
	s->window_at = NO_WINDOW;
	return bpf_probe_read_user(ret, sizeof(*ret), (const void *)address) < 0 ? -1 : 0;
}

static __always_inline uint64_t walk_temporary(uint64_t number, void *memory)
{
	struct scratch *s = memory;

	return number < WIRE_TEMPORARIES ? s->sample.temporaries[number] : 0;
}

static __always_inline const unsigned char *chunk_at(uint32_t place)
{
	uint32_t number = table_place_chunk(place), zero = 0;
	void *inner = bpf_map_lookup_elem(&chunks, &number);

	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

/*
 * A global function: it is verified once by itself, which keeps the walk within the verifier's
 * limit of instructions.
 */
__attribute__((noinline)) uint64_t find_rule(uint32_t table_id, uint64_t address)
{
	struct wire_table *table = bpf_map_lookup_elem(&tables, &table_id);
	uint64_t page = address >> WIRE_PAGE_SHIFT;
	const unsigned char *chunk;
	struct wire_rule *rule;
	uint32_t place, row;

	if (!table || !table->page_count)
		return WALK_FIND_NO_TABLE;
	if (page < table->first_page || page - table->first_page >= table->page_count)
		return WALK_FIND_NO_ROW;
	place = table->directory + (uint32_t)(page - table->first_page);
	chunk = chunk_at(place);
	if (!chunk)
		return WALK_FIND_NO_TABLE;
	place = table_load_u32(chunk, WIRE_CHUNK_BYTES, table_place_offset(place));
	if (!place)
		return WALK_FIND_NO_ROW;
	chunk = chunk_at(place);
	if (!chunk)
		return WALK_FIND_NO_TABLE;
	row = table_block_search(chunk, WIRE_CHUNK_BYTES, table_place_offset(place),
				 (uint16_t)address);
	place = row >> 16;
	rule = bpf_map_lookup_elem(&rules, &place);
	if (!rule)
		return WALK_FIND_NO_ROW;
	return walk_rule_pack(rule, (uint32_t)(address & 0xffff) - (row & 0xffff));
}

/* The same callers come back sample after sample: what was found for them is kept, per CPU. */
static __always_inline uint64_t walk_find(uint32_t table, uint64_t address, void *memory)
{
	uint64_t key = address | (uint64_t)table << 48, rule;
	uint32_t cpu = bpf_get_smp_processor_id();
	struct wire_rule_cache *cache = bpf_map_lookup_elem(&rule_caches, &cpu);
	struct wire_cached_rule *slot;

	(void)memory;
	if (!cache || address >> 48)
		return find_rule(table, address);
	slot = &cache->slots[(key * 0x9e3779b97f4a7c15ULL) >> (64 - WIRE_RULE_CACHE_BITS)];
	if (slot->key == key)
		return slot->rule;
	rule = find_rule(table, address);
	if (rule != WALK_FIND_NO_TABLE) {
		slot->key = key;
		slot->rule = rule;
	}
	return rule;
}

#define NO_MAPPING 0xffffffffU

/* The index of the mapping that holds the address, or NO_MAPPING. */
__attribute__((noinline)) uint32_t find_mapping(uint32_t first, uint32_t count, uint64_t address)
{
	uint32_t low = first, high = first + count;
	struct wire_mapping *mapping;

	for (int i = 0; i < 13 && low < high; i++) {
		uint32_t middle = (low + high) / 2;

		mapping = bpf_map_lookup_elem(&mappings, &middle);
		if (!mapping)
			return NO_MAPPING;
		if (mapping->start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == first)
		return NO_MAPPING;
	low--;
	mapping = bpf_map_lookup_elem(&mappings, &low);
	return mapping && address < mapping->end ? low : NO_MAPPING;
}

/* ---- the walk ---- */

static int walk_frame(uint32_t index, void *context)
{
	struct wire_mapping *mapping;
	struct scratch *s;
	uint64_t address;
	uint32_t cpu = bpf_get_smp_processor_id(), at;
	int outcome;

	(void)index;
	(void)context;
	s = bpf_map_lookup_elem(&scratches, &cpu);
	if (!s)
		return 1;
	address = walk_lookup_address(&s->at);
	at = s->count;
	if (at >= s->limit || at >= MAX_ADDRESSES) {
		s->outcome = WALK_TOO_DEEP;
		return 1;
	}
	mapping = bpf_map_lookup_elem(&mappings, &s->last_mapping);
	if (!mapping || address < mapping->start || address >= mapping->end) {
		uint32_t found = find_mapping(s->first_mapping, s->mapping_count, address);

		mapping = bpf_map_lookup_elem(&mappings, &found);
		if (!mapping) {
			s->outcome = WALK_NO_MAPPING;
			return 1;
		}
		s->last_mapping = found;
	}
	outcome = walk_step(&s->at, mapping, s);
	if (outcome != WALK_OUTCOME_COUNT && outcome != WALK_COMPLETE) {
		s->outcome = outcome;
		return 1;
	}
	s->payload[at] = address;
	s->count = at + 1;
	if (outcome == WALK_COMPLETE) {
		s->outcome = WALK_COMPLETE;
		return 1;
	}
	s->at.first = 0;
	return 0;
}

enum { COPY_SKIPS_PAGES = 4 };

/*
 * Copies up to the end of a page to `to` + `at`, `to` having `bytes` in all.
 * Returns 1 when the copy is over.
 */
static __always_inline int copy_page(struct stack_copy *copy, uint32_t index, unsigned char *to,
				     uint32_t bytes, uint32_t at)
{
	uint32_t size = 4096 - (copy->from & 4095);

	if (copy->copied + size > copy->limit)
		size = copy->limit - copy->copied;
	if (size == 0 || size > 4096 || at > bytes - 4096)
		return 1;
	if (bpf_probe_read_user(to + at, size, (const void *)copy->from) == 0)
		copy->copied += size;
	else if (copy->copied || index >= COPY_SKIPS_PAGES)
		return 1;
	else
		copy->begin = copy->from + size;
	copy->from += size;
	return 0;
}

static int copy_payload_page(uint32_t index, void *context)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);

	(void)context;
	return !s || copy_page(&s->copy, index, (unsigned char *)s->payload, PAYLOAD_BYTES,
			       s->copy_offset + s->copy.copied);
}

/* The user stack from s->sample.sp on, behind the addresses. Returns the number of bytes. */
static __always_inline uint32_t copy_stack(struct scratch *s, uint32_t payload_offset)
{
	/* Kept in a map: the verifier need not follow what it is on each turn of the loop. */
	s->copy = (struct stack_copy){ s->sample.sp, s->sample.sp, 0, WIRE_STACK_COPY_BYTES };
	s->copy_offset = payload_offset;
	bpf_loop(WIRE_STACK_COPY_BYTES / 4096 + COPY_SKIPS_PAGES, copy_payload_page, NULL, 0);
	s->sample.stack_at = s->copy.begin;
	return s->copy.copied <= WIRE_STACK_COPY_BYTES ? s->copy.copied : 0;
}

/* The stack that an exiting task had, behind the addresses. Returns the number of bytes. */
static __always_inline uint32_t copy_exit_stack(struct scratch *s, uint32_t payload_offset,
						uint32_t tid, uint32_t *exact)
{
	struct exit_stack *saved = bpf_map_lookup_elem(&exiting, &tid);
	uint32_t size;

	if (!saved || payload_offset > WIRE_MAX_KERNEL_FRAMES * 8)
		return 0;
	size = saved->stack_bytes;
	if (size == 0 || size > EXIT_STACK_BYTES)
		return 0;
	if (bpf_probe_read_kernel((char *)s->payload + payload_offset, size, saved->stack) < 0)
		return 0;
	s->sample.ip = saved->ip;
	s->sample.sp = saved->sp;
	s->sample.bp = saved->bp;
	s->sample.bx = saved->bx;
	__builtin_memcpy(s->sample.temporaries, saved->temporaries, sizeof(saved->temporaries));
	s->sample.stack_at = saved->stack_at;
	*exact = saved->exact;
	s->outcome = WALK_NO_PROCESS; /* to be walked from the registers on */
	return size;
}

/* ---- who is watched ---- */

static __always_inline int is_watched(struct task_struct *task, uint32_t tgid, uint32_t tid)
{
	if (!config.everything) {
		uint32_t key = config.by_tid ? tid : tgid;
		uint32_t *flags = bpf_map_lookup_elem(&targets, &key);

		if (!flags || !(*flags & TARGET_WATCHED))
			return 0;
	} else if (tgid == config.own_tgid) {
		return 0;
	}
	if (config.filter_uid && (uint32_t)bpf_get_current_uid_gid() != config.uid)
		return 0;
	if (config.filter_cgroup &&
	    bpf_get_current_ancestor_cgroup_id(config.cgroup_level) != config.cgroup_id)
		return 0;
	if (config.filter_comm) {
		struct task_struct *leader = task->group_leader;
		uint32_t zero = 0;
		struct wire_glob *glob = bpf_map_lookup_elem(&comm_filter, &zero);
		char comm[WIRE_COMM_BYTES] = {};

		if (!glob)
			return 0;
		bpf_get_current_comm(comm, sizeof(comm));
		if (!wire_glob_matches(glob, comm)) {
			bpf_probe_read_kernel(comm, sizeof(comm), leader->comm);
			if (!wire_glob_matches(glob, comm))
				return 0;
		}
	}
	return 1;
}

/* ---- the sample ---- */

static __always_inline void keep_temporaries(uint64_t *t, const struct pt_regs___kernel *saved)
{
	t[TEMPORARY_AX] = saved->ax;
	t[TEMPORARY_DX] = saved->dx;
	t[TEMPORARY_CX] = saved->cx;
	t[TEMPORARY_SI] = saved->si;
	t[TEMPORARY_DI] = saved->di;
	t[TEMPORARY_R8] = saved->r8;
	t[TEMPORARY_R9] = saved->r9;
	t[TEMPORARY_R10] = saved->r10;
	t[TEMPORARY_R11] = saved->r11;
}

/* Fills in the user registers at which the walk begins. Returns 0 when there are none. */
static __always_inline int user_registers(struct bpf_perf_event_data *ctx,
					  struct task_struct *task, struct scratch *s)
{
	struct pt_regs___kernel *saved;
	uint64_t cs = ctx->regs.cs, ip = ctx->regs.rip, sp = ctx->regs.rsp, bp = ctx->regs.rbp;
	uint64_t bx = ctx->regs.rbx, *t = s->sample.temporaries;
	uint64_t entered_by;

	/* Read here: clang would else merge the reads of both branches, through a moved ctx. */
	barrier_var(ip);
	barrier_var(sp);
	barrier_var(bp);
	barrier_var(bx);
	t[TEMPORARY_AX] = ctx->regs.rax;
	t[TEMPORARY_DX] = ctx->regs.rdx;
	t[TEMPORARY_CX] = ctx->regs.rcx;
	t[TEMPORARY_SI] = ctx->regs.rsi;
	t[TEMPORARY_DI] = ctx->regs.rdi;
	t[TEMPORARY_R8] = ctx->regs.r8;
	t[TEMPORARY_R9] = ctx->regs.r9;
	t[TEMPORARY_R10] = ctx->regs.r10;
	t[TEMPORARY_R11] = ctx->regs.r11;
	saved = (struct pt_regs___kernel *)bpf_task_pt_regs(task);
	if (!saved)
		return 0;
	if (cs & 3) {
		s->at.ip = ip;
		s->at.sp = sp;
		s->at.bp = bp;
		s->at.bx = bx;
		s->at.exact = 1;
	} else {
		cs = saved->cs;
		s->at.ip = saved->ip;
		s->at.sp = saved->sp;
		s->at.bp = saved->bp;
		s->at.bx = saved->bx;
		keep_temporaries(t, saved);
		/*
		 * After a system call ip is behind the instruction, maybe past the function's end;
		 * except after exec, which has put it at the entry and all others at zero
		 * (ELF_PLAT_INIT, arch/x86/include/asm/elf.h).
		 */
		entered_by = saved->orig_ax;
		s->at.exact = (int64_t)entered_by < 0 ||
			      !(t[TEMPORARY_CX] | t[TEMPORARY_R11] | t[TEMPORARY_DI] |
				t[TEMPORARY_SI] | t[TEMPORARY_DX] | s->at.bp | s->at.bx);
	}
	if (cs == USER32_CS) { /* other registers, other tables */
		s->outcome = WALK_COMPAT;
		return 0;
	}
	return 1;
}

static __always_inline void walk_user(struct task_struct *task, struct scratch *s, uint32_t tgid)
{
	struct wire_process *process = bpf_map_lookup_elem(&processes, &tgid);
	uint64_t mm = (uint64_t)task->mm;
	uint32_t exec_pages = (uint32_t)task->mm->exec_vm;

	/* In the middle of exec the old stack is gone and the registers are still the old ones. */
	if (BPF_CORE_READ_BITFIELD_PROBED(task, in_execve) && (!process || process->mm != mm))
		return;
	s->at.first = 1;
	s->window_at = NO_WINDOW;
	s->last_mapping = NO_MAPPING;
	s->outcome = WALK_NO_PROCESS;
	if (!process)
		return;
	s->sample.generation = process->generation;
	s->first_mapping = process->first_mapping;
	s->mapping_count = process->mapping_count;
	if (!process->exec_pages) {
		process->exec_pages = exec_pages;
		process->mm = mm;
	} else if (process->exec_pages != exec_pages || process->mm != mm) {
		s->sample.flags |= SAMPLE_MAPPINGS_STALE;
	}
	if (process->flags & PROCESS_REUSES_ADDRESSES)
		s->sample.flags |= SAMPLE_MAPPINGS_STALE;
	s->outcome = WALK_TOO_DEEP;
	bpf_loop(WIRE_MAX_FRAMES + 1, walk_frame, NULL, 0);
}

static __always_inline uint32_t kernel_stack(struct bpf_perf_event_data *ctx, struct scratch *s)
{
	long size;

	if (!config.kernel_stacks)
		return 0;
	size = bpf_get_stack(ctx, s->payload, WIRE_MAX_KERNEL_FRAMES * 8, 0);
	return size > 0 ? (uint32_t)size / 8 : 0;
}

/*
 * Nobody is woken for a sample, except when user space should learn something (a process, a
 * mapping, a table: the sooner, the fewer walks are left to it), or when the ring gets full.
 */
#define WAKEUP_PAUSE_NS 5000000ULL

uint64_t last_wakeup_ns;

static __always_inline uint64_t wakeup_flags(int urgent, uint64_t now)
{
	if (!urgent)
		urgent = bpf_ringbuf_query(&samples, BPF_RB_AVAIL_DATA) >
			 bpf_ringbuf_query(&samples, BPF_RB_RING_SIZE) / 2;
	if (!urgent || now - last_wakeup_ns < WAKEUP_PAUSE_NS)
		return BPF_RB_NO_WAKEUP;
	last_wakeup_ns = now;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void take_sample(struct bpf_perf_event_data *ctx, struct task_struct *task,
					uint32_t tgid, uint32_t tid, uint64_t now)
{
	uint32_t cpu = bpf_get_smp_processor_id(), kernel_count = 0, addresses, size, exact = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);

	if (!s)
		return;
	__builtin_memset(&s->sample, 0, sizeof(s->sample));
	s->sample.time_ns = now;
	s->sample.weight_ns = config.period_ns;
	s->sample.pid = tgid;
	s->sample.tid = tid;
	s->sample.cpu = cpu;
	bpf_get_current_comm(s->sample.comm, sizeof(s->sample.comm));
	s->outcome = WALK_NO_USER_STACK;
	s->at = (struct walk_registers){ .exact = 1 };
	if (!(ctx->regs.cs & 3)) {
		s->sample.flags |= SAMPLE_KERNEL_MODE;
		kernel_count = kernel_stack(ctx, s);
		if (kernel_count > WIRE_MAX_KERNEL_FRAMES)
			kernel_count = WIRE_MAX_KERNEL_FRAMES;
	}
	s->count = kernel_count;
	s->limit = kernel_count + config.max_frames;
	if (task->flags & PF_KTHREAD)
		s->sample.flags |= SAMPLE_KTHREAD;
	else if (task->mm && config.user_stacks && user_registers(ctx, task, s)) {
		s->sample.ip = s->at.ip;
		s->sample.sp = s->at.sp;
		s->sample.bp = s->at.bp;
		s->sample.bx = s->at.bx;
		exact = s->at.exact;
		walk_user(task, s, tgid);
		count_add(COUNT_WALKS, 1);
		count_add(COUNT_FRAMES, s->count - kernel_count);
	}
	addresses = s->count;
	if (addresses > MAX_ADDRESSES)
		addresses = MAX_ADDRESSES;
	s->sample.kernel_count = kernel_count;
	s->sample.user_count = addresses - kernel_count;
	if (!(s->sample.flags & SAMPLE_MAPPINGS_STALE)) {
		s->sample.ip = s->at.ip;
		s->sample.sp = s->at.sp;
		s->sample.bp = s->at.bp;
		/* The copy begins at sp; where rbx was saved lies below, in frames that are done. */
		if (s->outcome != WALK_COMPLETE && walk_fetch_bx(&s->at, s) < 0)
			s->at.bx = 0;
		s->sample.bx = s->at.bx;
		if (s->at.interrupted)
			__builtin_memset(s->sample.temporaries, 0, sizeof(s->sample.temporaries));
		exact = s->at.exact;
	}
	size = addresses * 8;
	if (s->sample.flags & SAMPLE_MAPPINGS_STALE || s->outcome == WALK_NO_PROCESS ||
	    s->outcome == WALK_NO_MAPPING || s->outcome == WALK_NO_TABLE) {
		s->sample.stack_bytes = copy_stack(s, size);
		size += s->sample.stack_bytes;
		count_add(COUNT_COPIES, 1);
	} else if (!task->mm && !(task->flags & PF_KTHREAD) && config.user_stacks) {
		s->sample.stack_bytes = copy_exit_stack(s, size, tid, &exact);
		size += s->sample.stack_bytes;
	}
	if (exact)
		s->sample.flags |= SAMPLE_NEXT_IS_EXACT;
	s->sample.outcome = s->outcome;
	if (size > PAYLOAD_BYTES)
		return;
	if (bpf_ringbuf_output(&samples, &s->sample, sizeof(s->sample) + size,
			       wakeup_flags(s->sample.stack_bytes && s->outcome != WALK_COMPLETE,
					    now)) < 0)
		count_add(COUNT_DROPPED, 1);
	else
		count_add(COUNT_SENT, 1);
}

/*
 * The kernel skips a BPF program without a word when another one runs on the CPU, and a virtual
 * machine that does not run misses its timers: then the next tick comes whole periods late. An idle
 * CPU's timers may be late for good reasons, so only gaps between two busy ticks count.
 * Returns how many ticks are missing before this one.
 */
static __always_inline uint64_t missed_ticks(uint64_t now, int busy)
{
	uint32_t zero = 0;
	struct last_tick *last = bpf_map_lookup_elem(&last_ticks, &zero);
	uint64_t missed = 0;

	if (!last)
		return 0;
	if (last->time_ns && last->busy && busy) {
		uint64_t periods = (now - last->time_ns + config.period_ns / 2) / config.period_ns;

		missed = periods > 1 ? periods - 1 : 0;
	}
	last->time_ns = now;
	last->busy = busy;
	return missed;
}

SEC("perf_event")
int cpu_tick(struct bpf_perf_event_data *ctx)
{
	uint64_t begin = bpf_ktime_get_ns(), spent, id = bpf_get_current_pid_tgid();
	struct task_struct *task = bpf_get_current_task_btf();
	uint32_t tgid = id >> 32, tid = (uint32_t)id;
	uint64_t missed = missed_ticks(begin, tid != 0);

	count_add(COUNT_TICKS, 1);
	if (tid == 0 && !config.include_idle) {
		count_add(COUNT_IDLE, 1);
		count_add(COUNT_RUN_NS, bpf_ktime_get_ns() - begin);
		return 0;
	}
	if (!is_watched(task, tgid, tid)) {
		count_add(COUNT_FILTERED, 1);
		count_add(COUNT_RUN_NS, bpf_ktime_get_ns() - begin);
		return 0;
	}
	if (missed)
		count_add(COUNT_MISSED, missed);
	take_sample(ctx, task, tgid, tid, begin);
	spent = bpf_ktime_get_ns() - begin;
	count_add(COUNT_RUN_NS, spent);
	count_add(COUNT_SAMPLE_NS, spent);
	return 0;
}

/* ---- fork, exec, exit ---- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	uint32_t parent_tgid = parent->tgid, child_tgid = child->tgid, *flags, inherited;

	if (parent_tgid == child_tgid)
		return 0; /* a thread: its process is watched already */
	flags = bpf_map_lookup_elem(&targets, &parent_tgid);
	if (!flags || !(*flags & TARGET_INHERIT) || !(*flags & TARGET_WATCHED))
		return 0;
	inherited = *flags;
	bpf_map_update_elem(&targets, &child_tgid, &inherited, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	uint32_t tgid = task->tgid, *flags;

	bpf_map_delete_elem(&processes, &tgid);
	flags = bpf_map_lookup_elem(&targets, &tgid);
	if (!flags)
		return 0;
	if (*flags & TARGET_AT_EXEC)
		*flags = (*flags & ~TARGET_AT_EXEC) | TARGET_WATCHED;
	/* Too short to be a sample: only to wake user space, which now has code to learn. */
	bpf_ringbuf_output(&samples, &tgid, sizeof(tgid), wakeup_flags(1, bpf_ktime_get_ns()));
	return 0;
}

/* Where the kernel tells of an exit after the memory is gone (before 6.16), nothing is kept. */
static __always_inline void keep_exit_stack(struct task_struct *task)
{
	uint32_t tid = task->pid, zero = 0;
	struct pt_regs___kernel *saved;
	struct exit_stack *kept;
	struct stack_copy copy;
	void *empty;

	if (!task->mm || task->flags & PF_KTHREAD || !is_watched(task, task->tgid, tid))
		return;
	empty = bpf_map_lookup_elem(&empty_exit_stack, &zero);
	saved = (struct pt_regs___kernel *)bpf_task_pt_regs(task);
	if (!empty || !saved || saved->cs == USER32_CS)
		return;
	if (bpf_map_update_elem(&exiting, &tid, empty, BPF_ANY) < 0)
		return;
	kept = bpf_map_lookup_elem(&exiting, &tid);
	if (!kept)
		return;
	kept->ip = saved->ip;
	kept->sp = saved->sp;
	kept->bp = saved->bp;
	kept->bx = saved->bx;
	keep_temporaries(kept->temporaries, saved);
	kept->exact = (int64_t)saved->orig_ax < 0;
	copy = (struct stack_copy){ kept->sp, kept->sp, 0, EXIT_STACK_BYTES };
	for (uint32_t i = 0; i <= EXIT_STACK_BYTES / 4096; i++)
		if (copy_page(&copy, i, kept->stack, EXIT_STACK_BYTES, copy.copied))
			break;
	kept->stack_at = copy.begin;
	kept->stack_bytes = copy.copied;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	uint32_t tgid = task->tgid;

	keep_exit_stack(task);
	if (task->signal->live.counter == 0)
		bpf_map_delete_elem(&processes, &tgid);
	return 0;
}

/* Not at exit: giving the memory back afterwards is CPU time of the task, too. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	uint32_t key = config.by_tid ? task->pid : task->tgid;

	if (config.by_tid || task->pid == task->tgid)
		bpf_map_delete_elem(&targets, &key);
	key = task->pid;
	bpf_map_delete_elem(&exiting, &key);
	return 0;
}
