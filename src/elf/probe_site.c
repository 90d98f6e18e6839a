// SPDX-License-Identifier: Apache-2.0
#include "elf/probe_site.h"

#include "elf/allocator.h"
#include "elf/instruction.h"

bool is_emulated_instruction(const unsigned char *bytes, size_t length)
{
	switch (length) {
	case 1: /* push of rax..rdi, nop */
		return (bytes[0] >= 0x50 && bytes[0] <= 0x57) || bytes[0] == 0x90;
	case 2: /* push of r8..r15, and jumps: on a condition, always */
		return (bytes[0] == 0x41 && bytes[1] >= 0x50 && bytes[1] <= 0x57) ||
		       (bytes[0] >= 0x70 && bytes[0] <= 0x7f) || bytes[0] == 0xeb;
	case 5:
		return bytes[0] == 0xe9;
	case 6:
		return bytes[0] == 0x0f && bytes[1] >= 0x80 && bytes[1] <= 0x8f;
	default:
		return false;
	}
}

struct progress {
	uint16_t holders
		[PROBE_ARGUMENTS_MAX]; /* for each argument a bit for each register with it */
	int64_t stack_moved;
};

/* Register `a` gets what is in b; b may be REGISTER_NONE: something else. */
static void copy_register(struct progress *progress, uint8_t a, uint8_t b)
{
	for (unsigned i = 0; i < PROBE_ARGUMENTS_MAX; i++) {
		uint16_t *holders = &progress->holders[i];

		if (b < REGISTERS && *holders & 1u << b)
			*holders |= (uint16_t)(1u << a);
		else
			*holders &= (uint16_t) ~(1u << a);
	}
}

static void exchange_registers(struct progress *progress, uint8_t a, uint8_t b)
{
	for (unsigned i = 0; i < PROBE_ARGUMENTS_MAX; i++) {
		uint16_t old = progress->holders[i];
		uint16_t rest = old & (uint16_t) ~(1u << a | 1u << b);

		progress->holders[i] =
			rest | (uint16_t)((old >> a & 1u) << b | (old >> b & 1u) << a);
	}
}

/* Goes past an instruction. Returns whether each call goes on behind it, with a stack that is known. */
static bool go_past(struct progress *progress, const struct instruction *in)
{
	if (in->written & 1u << REGISTER_SP)
		return false;
	for (uint8_t i = 0; i < REGISTERS; i++)
		if (in->written & 1u << i)
			copy_register(progress, i, REGISTER_NONE);
	switch (in->kind) {
	case INSTRUCTION_OTHER:
	case INSTRUCTION_NOP:
	case INSTRUCTION_ENTRY:
	case INSTRUCTION_STORE:
	case INSTRUCTION_COMPARE:
		return true;
	case INSTRUCTION_MOVE:
		if (in->a == REGISTER_SP)
			return false;
		copy_register(progress, in->a, in->b);
		return true;
	case INSTRUCTION_EXCHANGE:
		if (in->a == REGISTER_SP || in->b == REGISTER_SP)
			return false;
		exchange_registers(progress, in->a, in->b);
		return true;
	case INSTRUCTION_ADD:
		if (in->a == REGISTER_SP) {
			progress->stack_moved -= in->value;
			return in->b == REGISTER_SP && progress->stack_moved >= 0 &&
			       progress->stack_moved <= ALLOCATION_STACK_MAX;
		}
		copy_register(progress, in->a, REGISTER_NONE);
		return true;
	case INSTRUCTION_ADDRESS:
	case INSTRUCTION_CLEAR:
	case INSTRUCTION_ALIGN:
	case INSTRUCTION_LOAD:
		if (in->a == REGISTER_SP)
			return false;
		copy_register(progress, in->a, REGISTER_NONE);
		return true;
	case INSTRUCTION_PUSH:
		progress->stack_moved += 8;
		return progress->stack_moved <= ALLOCATION_STACK_MAX;
	default:
		return false;
	}
}

static bool holds_all(struct probe_site *ret, const struct progress *progress, unsigned count)
{
	for (unsigned i = 0; i < PROBE_ARGUMENTS_MAX; i++) {
		if (!progress->holders[i] && i < count)
			return false;
		ret->registers[i] = progress->holders[i]
					    ? (uint8_t)__builtin_ctz(progress->holders[i])
					    : REGISTER_NONE;
	}
	return true;
}

bool probe_site_find(struct probe_site *ret, const unsigned char *code, size_t size, uint64_t entry,
		     const uint8_t *registers, unsigned count)
{
	struct progress progress = {};
	struct instruction in;

	if (size > ALLOCATION_PROLOGUE_BYTES)
		size = ALLOCATION_PROLOGUE_BYTES;
	for (unsigned i = 0; i < PROBE_ARGUMENTS_MAX; i++)
		if (registers[i] < REGISTERS)
			progress.holders[i] = (uint16_t)(1u << registers[i]);
	for (size_t at = 0; at < size; at += in.length) {
		if (!instruction_decode(&in, code + at, size - at, entry + at))
			return false;
		if (!holds_all(ret, &progress, count))
			return false;
		if (is_emulated_instruction(code + at, in.length)) {
			ret->offset = (uint32_t)at;
			ret->stack_moved = (uint32_t)progress.stack_moved;
			return true;
		}
		if (!go_past(&progress, &in))
			return false;
	}
	return false;
}
