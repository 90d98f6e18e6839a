// SPDX-License-Identifier: Apache-2.0
/*
 * Go 1.21 and later begin a frame with "push %rbp; mov %rsp,%rbp" and end it with "add; pop %rbp";
 * before, it was "sub; mov %rbp,n(%rsp); lea n(%rsp),%rbp" and "mov n(%rsp),%rbp; add". Which of the
 * two it is, is seen at the first step: tables made by Go 1.20 and 1.21 look the same.
 */
#include "elf/gopclntab_code.h"

#include <string.h>

enum {
	/* How far hand-written prologues are followed. */
	MAX_PROLOGUE_STEPS = 8,
	MAX_PROLOGUE_BYTES = 96,
	/* runtime.asmcgocall, cgocallback and the like have 100 to 400. */
	MAX_SEARCHED_BYTES = 4096,
	RSP = 4,
};

void go_code_init(struct go_code *code, const struct object *object)
{
	code->object = object;
	code->segment = NULL;
}

static bool use_segment(struct go_code *code, uint64_t address)
{
	const struct object_segment *segment = code->segment;

	if (segment && address >= segment->address &&
	    address - segment->address < segment->file_size)
		return true;
	segment = object_segment_of(code->object, address);
	if (!segment || address - segment->address >= segment->file_size)
		return false;
	code->segment = segment;
	file_window_init(&code->window, code->object->fd, segment->file_offset,
			 segment->file_offset + segment->file_size);
	return true;
}

bool go_code_covers(struct go_code *code, uint64_t start, uint64_t end)
{
	return use_segment(code, start) && end > start &&
	       end - start <= code->segment->file_size - (start - code->segment->address);
}

const unsigned char *go_code_at(struct go_code *code, uint64_t address, size_t size)
{
	return use_segment(code, address)
		       ? file_window_take(&code->window, address - code->segment->address, size)
		       : NULL;
}

/* Up to *size bytes, of one function. */
static const unsigned char *some_code(struct go_code *code, uint64_t start, uint64_t end,
				      size_t *size)
{
	*size = end - start < MAX_SEARCHED_BYTES ? end - start : MAX_SEARCHED_BYTES;
	return go_code_at(code, start, *size);
}

/* Are these the bytes at `at`, of which `left` are there? */
static bool is_code(const unsigned char *at, size_t left, const char *bytes, size_t size)
{
	return left >= size && memcmp(at, bytes, size) == 0;
}
#define IS_CODE(at, left, bytes) is_code(at, left, bytes, sizeof(bytes) - 1)

/*
 * "opcode %reg,n(%rsp)" or the like: a quadword operation between a register and the stack. opcode:
 * 0x89 stores, 0x8b loads, 0x8d takes the address. Returns its bytes, 0 when it is none.
 */
static unsigned stack_operand(const unsigned char *at, size_t left, unsigned char opcode,
			      unsigned number, int32_t *ret)
{
	unsigned char modrm = (unsigned char)(number << 3 | RSP);

	if (left < 4 || at[0] != 0x48 || at[1] != opcode || at[3] != 0x24)
		return 0;
	if (at[2] == modrm) {
		*ret = 0;
		return 4;
	}
	if (at[2] == (modrm | 0x40) && left >= 5) {
		*ret = (int8_t)at[4];
		return 5;
	}
	if (at[2] == (modrm | 0x80) && left >= 8) {
		memcpy(ret, at + 4, sizeof(*ret));
		return 8;
	}
	return 0;
}

enum { STORE = 0x89, ADDRESS = 0x8d, DX = 2, BP = 5, DI = 7 };

/* ---- frames ---- */

/* The words between the CFA and a place in the frame, or 0 when it is no slot. */
static uint8_t slot_of(int32_t delta, int32_t displacement)
{
	int64_t bytes = (int64_t)delta + 8 - displacement;

	return bytes >= 16 && bytes % 8 == 0 && bytes / 8 < UINT8_MAX ? (uint8_t)(bytes / 8) : 0;
}

/* push %rbp, the last byte before the step. */
static bool frame_by_push(struct go_frame *frame, struct go_code *code, const struct go_step *step)
{
	const unsigned char *at = go_code_at(code, step->start - 1, 1);
	size_t size = 3;

	if (!at || at[0] != 0x55)
		return false;
	frame->slot = slot_of(step->delta, 0);
	frame->saved_from = step->start;
	at = some_code(code, step->start, step->start + size, &size);
	if (at && frame->slot == 2 && IS_CODE(at, size, "\x48\x89\xe5"))
		frame->from = step->start + size;
	return frame->slot != 0;
}

/* mov %rbp,n(%rsp) at an address, in a step; then maybe lea n(%rsp),%rbp. */
static bool frame_by_store(struct go_frame *frame, const unsigned char *at, size_t left,
			   uint64_t address, const struct go_step *step)
{
	int32_t displacement, other;
	unsigned bytes = stack_operand(at, left, STORE, BP, &displacement), more;

	if (!bytes)
		return false;
	frame->slot = slot_of(step->delta, displacement);
	frame->saved_from = address + bytes;
	frame->restored_early = true;
	more = stack_operand(at + bytes, left - bytes, ADDRESS, BP, &other);
	if (more && other == displacement && frame->slot == 2)
		frame->from = address + bytes + more;
	return frame->slot != 0;
}

/* Hand-written code saves rbp along with others. */
static bool frame_in_assembly(struct go_frame *frame, struct go_code *code,
			      const struct go_steps *steps, uint32_t first)
{
	const struct go_step *step = &steps->list.at[first];
	uint64_t from = step->start, end = steps->list.at[steps->list.count - 1].end;
	size_t size = end - from < MAX_PROLOGUE_BYTES ? end - from : MAX_PROLOGUE_BYTES;
	const unsigned char *at = go_code_at(code, from, size);

	for (size_t i = 0; at && i < size; i++) {
		while (from + i >= step->end)
			step++;
		if (frame_by_store(frame, at + i, size - i, from + i, step))
			return true;
	}
	return false;
}

struct go_frame go_code_frame(struct go_code *code, const struct go_steps *steps, bool assembly)
{
	const struct go_frame none = {};
	uint32_t tried = 0;

	for (uint32_t i = 1; i < steps->list.count && tried < MAX_PROLOGUE_STEPS; i++) {
		const struct go_step *step = &steps->list.at[i];
		struct go_frame frame = {};
		const unsigned char *at;
		size_t size;

		if (step->delta <= step[-1].delta)
			continue;
		if ((int64_t)step->delta - step[-1].delta == 8 && frame_by_push(&frame, code, step))
			return frame;
		frame = none;
		at = some_code(code, step->start, step->end, &size);
		if (tried++ == 0 && at && frame_by_store(&frame, at, size, step->start, step))
			return frame;
		frame = none;
		if (!assembly)
			break;
		if (tried == 1 && frame_in_assembly(&frame, code, steps, i))
			return frame;
	}
	return none;
}

unsigned go_code_frame_end(struct go_code *code, uint64_t address)
{
	const unsigned char *at = go_code_at(code, address - 7, 7);

	if (!at)
		return 0;
	if (IS_CODE(at + 3, 4, "\x48\x83\xc4"))
		return 4;
	return IS_CODE(at, 7, "\x48\x81\xc4") ? 7 : 0;
}

/* ---- other stacks ---- */

/* Bytes of an instruction with this ModRM byte, behind a prefix and an opcode. */
static unsigned modrm_bytes(const unsigned char *modrm)
{
	unsigned mode = *modrm >> 6, base = *modrm & 7, bytes = 3;

	if (mode == 3)
		return bytes;
	if (base == RSP)
		bytes++;
	if (mode == 1)
		return bytes + 1;
	return mode == 2 || (mode == 0 && base == 5) ? bytes + 4 : bytes;
}

/* mov anything,%rsp or and $n,%rsp. Returns its bytes, 0 when it is none. */
static unsigned sets_stack_pointer(const unsigned char *at, size_t left)
{
	if (left < 4)
		return 0;
	if ((at[0] == 0x48 || at[0] == 0x49) && at[1] == 0x8b && (at[2] & 0x38) == RSP << 3)
		return modrm_bytes(at + 2);
	if ((at[0] == 0x48 || at[0] == 0x4c) && at[1] == 0x89 && (at[2] & 0xc7) == (0xc0 | RSP))
		return 3;
	return IS_CODE(at, left, "\x48\x83\xe4") ? 4 : 0;
}

struct go_switch go_code_switch(struct go_code *code, uint64_t start, uint64_t end)
{
	struct go_switch found = {};
	size_t size;
	const unsigned char *at = some_code(code, start, end, &size);

	for (size_t i = 0; at && i < size;) {
		unsigned bytes = sets_stack_pointer(at + i, size - i);

		if (bytes) {
			found.last = start + i + bytes;
			if (!found.first)
				found.first = found.last;
		}
		i += bytes ? bytes : 1;
	}
	return found;
}

/*
 * What runtime.asmcgocall does once it is on the other stack, in all versions so far:
 *     and $~15,%rsp
 *     mov %rdi,n+8(%rsp)       the goroutine, or movq $0,n+8(%rsp) when there was no other stack
 *     ...
 *     mov %rdi,n(%rsp)         how deep it is in its stack, or mov %rdx,n(%rsp) the old rsp
 *     ... call ...
 *     mov %rsi,%rsp
 */
unsigned go_code_calls(struct go_code *code, uint64_t start, uint64_t end,
		       struct go_call ret[GO_CALLS])
{
	size_t size, i = 0;
	const unsigned char *at = some_code(code, start, end, &size);
	unsigned count = 0;
	uint64_t switched = 0;

	while (at && i < size && count < GO_CALLS) {
		int32_t owner, depth;
		unsigned bytes;

		if (!IS_CODE(at + i, size - i, "\x48\x83\xe4\xf0")) {
			bytes = sets_stack_pointer(at + i, size - i);
			if (bytes)
				switched = start + i + bytes;
			i += bytes ? bytes : 1;
			continue;
		}
		/* Room was made right before. */
		if (!switched && i >= 4 && IS_CODE(at + i - 4, 4, "\x48\x83\xec"))
			switched = start + i;
		i += 4;
		if (IS_CODE(at + i, size - i, "\x48\xc7\x44\x24") && size - i >= 9) {
			owner = (int8_t)at[i + 4];
			i += 9;
		} else {
			bytes = stack_operand(at + i, size - i, STORE, DI, &owner);
			if (!bytes)
				return 0;
			i += bytes;
		}
		for (bytes = 0; i < size && !bytes; i += bytes ? bytes : 1) {
			bytes = stack_operand(at + i, size - i, STORE, DI, &depth);
			if (!bytes)
				bytes = stack_operand(at + i, size - i, STORE, DX, &depth);
		}
		if (!bytes || owner < 8 || owner % 8 != 0 || depth != owner - 8)
			return 0;
		ret[count] = (struct go_call){ .switched = switched,
					       .from = start + i,
					       .words = (uint16_t)(depth / 8) };
		while (i < size && !IS_CODE(at + i, size - i, "\x48\x89\xf4"))
			i++;
		i = i < size ? i + 3 : size;
		ret[count++].to = start + i;
		switched = 0;
	}
	return count;
}

/* mov (%rbx),%rsp ... mov 8(%rbx),%rbx; jmp *%rbx */
bool go_code_resume(struct go_code *code, uint64_t start, uint64_t end, struct go_resume *ret)
{
	struct go_resume found = {};
	size_t size;
	const unsigned char *at = some_code(code, start, end, &size);

	for (size_t i = 0; at && i < size; i++) {
		if (!found.from && IS_CODE(at + i, size - i, "\x48\x8b\x23"))
			found.from = start + i + 3;
		if (found.from && IS_CODE(at + i, size - i, "\x48\x8b\x5b\x08\xff\xe3")) {
			found.last = start + i + 4;
			*ret = found;
			return true;
		}
	}
	return false;
}

/* mov $15,%rax or %eax; syscall: rt_sigreturn, as debuggers look for it. */
bool go_code_is_signal_return(struct go_code *code, uint64_t start)
{
	const unsigned char *at = go_code_at(code, start, 9);

	return at && (IS_CODE(at, 9, "\x48\xc7\xc0\x0f\0\0\0\x0f\x05") ||
		      IS_CODE(at, 9, "\xb8\x0f\0\0\0\x0f\x05"));
}
