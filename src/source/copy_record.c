// SPDX-License-Identifier: Apache-2.0
#include "source/copy_record.h"

#include <linux/perf_event.h>
#include <string.h>

#include "base/bytes.h"
#include "source/copy_registers.h"

uint64_t copy_layout_sample_type(const struct copy_layout *layout)
{
	uint64_t type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU;

	if (layout->chain)
		type |= PERF_SAMPLE_CALLCHAIN;
	if (!layout->user_chain)
		type |= PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
	if (layout->cgroup)
		type |= PERF_SAMPLE_CGROUP;
	if (layout->identifier)
		type |= PERF_SAMPLE_IDENTIFIER;
	if (layout->period)
		type |= PERF_SAMPLE_PERIOD;
	return type;
}

/*
 * Kernel frames, leaf first, as they are; user frames made into addresses to look up: all but the one
 * that ran are return addresses. Between the two stand marks (enum perf_callchain_context).
 */
static void take_chain(struct wire_sample *ret, struct reader *reader)
{
	uint64_t count = reader_u64(reader), *to = (uint64_t *)(ret + 1);
	bool user = false, first = true;

	if (count > reader_left(reader) / 8) {
		reader->overrun = true;
		return;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint64_t address = reader_u64(reader);

		if (address >= (uint64_t)PERF_CONTEXT_MAX) {
			user = address == (uint64_t)PERF_CONTEXT_USER;
			first = true;
			continue;
		}
		if (!user && ret->kernel_count < WIRE_MAX_KERNEL_FRAMES && !ret->user_count) {
			to[ret->kernel_count++] = address;
		} else if (user && ret->user_count < WIRE_MAX_FRAMES) {
			bool leaf = first && !(ret->flags & SAMPLE_KERNEL_MODE);

			to[ret->kernel_count + ret->user_count++] = address - !leaf;
		}
		first = false;
	}
}

/*
 * The stack goes behind the frames. kernel/events/core.c, perf_output_sample_ustack: less than the size was used
 * where a page was met that is not there, be it never touched or behind the stack's end.
 */
static void take_stack(struct wire_sample *ret, struct reader *reader)
{
	uint64_t size = reader_u64(reader), used;
	const unsigned char *stack = reader_take(reader, size);

	if (!size || !stack)
		return;
	used = reader_u64(reader);
	if (used > size)
		used = size;
	if (used < size)
		ret->flags |= SAMPLE_STACK_ENDED;
	ret->stack_at = ret->sp;
	ret->stack_bytes = (uint32_t)(used & ~7ULL); /* what follows is aligned */
	memcpy((uint64_t *)(ret + 1) + ret->kernel_count, stack, ret->stack_bytes);
}

static void take_registers(struct wire_sample *ret, struct reader *reader)
{
	uint64_t abi = reader_u64(reader), values[64];
	uint32_t count = copy_registers_count();

	ret->outcome = WALK_NO_USER_STACK;
	if (abi == PERF_SAMPLE_REGS_ABI_NONE)
		return;
	for (uint32_t i = 0; i < count; i++)
		values[i] = reader_u64(reader);
	if (abi == PERF_SAMPLE_REGS_ABI_32) {
		ret->outcome = WALK_COMPAT;
		return;
	}
	copy_registers_place(ret, values, ret->flags & SAMPLE_KERNEL_MODE);
	ret->outcome = WALK_NO_PROCESS;
}

size_t copy_record_parse(struct wire_sample *ret, struct copy_origin *ret_origin, const void *record,
			 size_t size, const struct copy_layout *layout)
{
	struct reader reader = reader_of(record, size);
	struct perf_event_header header;
	const unsigned char *taken = reader_take(&reader, sizeof(header));

	if (!taken)
		return 0;
	memcpy(&header, taken, sizeof(header));
	if (header.type != PERF_RECORD_SAMPLE)
		return 0;
	memset(ret, 0, sizeof(*ret));
	ret->event = EVENT_CPU;
	if ((header.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL)
		ret->flags |= SAMPLE_KERNEL_MODE;
	*ret_origin = (struct copy_origin){};
	if (layout->identifier)
		ret_origin->id = reader_u64(&reader);
	ret->pid = reader_u32(&reader);
	ret->tid = reader_u32(&reader);
	ret->time_ns = reader_u64(&reader);
	ret->cpu = reader_u32(&reader);
	(void)reader_u32(&reader);
	if (layout->period)
		ret_origin->period = reader_u64(&reader);
	if (layout->chain)
		take_chain(ret, &reader);
	if (layout->user_chain) {
		ret->flags |= SAMPLE_FRAME_POINTERS;
		ret->outcome = ret->user_count ? WALK_BAD_FRAME_POINTER : WALK_NO_USER_STACK;
	} else {
		take_registers(ret, &reader);
		take_stack(ret, &reader);
	}
	if (layout->cgroup)
		ret->cgroup = reader_u64(&reader);
	if (reader.overrun)
		return 0;
	return sizeof(*ret) + 8UL * (ret->kernel_count + ret->user_count) + ret->stack_bytes;
}
