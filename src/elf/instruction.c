// SPDX-License-Identifier: Apache-2.0
/*
 * Zydis decodes; here its operands become the few kinds that matter. Whatever is not one of them
 * is INSTRUCTION_OTHER (or STORE, where it writes to memory), with the registers that it changes.
 */
#include "elf/instruction.h"

#include <Zydis/Zydis.h>

struct decoded {
	ZydisDecodedInstruction instruction;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t next; /* ELF address behind the instruction */
};

/* The number of the general register that a register is (part of), or REGISTER_NONE. */
static uint8_t whole_register(ZydisRegister part)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, part);

	return whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15
		       ? (uint8_t)(whole - ZYDIS_REGISTER_RAX)
		       : REGISTER_NONE;
}

/* The same for an operand that is all 64 bits of a register. */
static uint8_t register_of(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
			       operand->reg.value >= ZYDIS_REGISTER_RAX &&
			       operand->reg.value <= ZYDIS_REGISTER_R15
		       ? (uint8_t)(operand->reg.value - ZYDIS_REGISTER_RAX)
		       : REGISTER_NONE;
}

static bool is_immediate(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

static bool is_memory(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_MEMORY;
}

/* Memory at a register plus a constant: sets b and value. */
static bool takes_place(struct instruction *ret, const ZydisDecodedOperand *operand)
{
	const ZydisDecodedOperandMem *mem = &operand->mem;

	if (!is_memory(operand) || mem->index != ZYDIS_REGISTER_NONE ||
	    mem->base < ZYDIS_REGISTER_RAX || mem->base > ZYDIS_REGISTER_R15 ||
	    mem->segment == ZYDIS_REGISTER_FS || mem->segment == ZYDIS_REGISTER_GS)
		return false;
	ret->b = (uint8_t)(mem->base - ZYDIS_REGISTER_RAX);
	ret->value = mem->disp.has_displacement ? mem->disp.value : 0;
	return true;
}

/* Memory at an address that the instruction names: sets value. */
static bool takes_address(struct instruction *ret, const struct decoded *d,
			  const ZydisDecodedOperand *operand)
{
	const ZydisDecodedOperandMem *mem = &operand->mem;

	if (!is_memory(operand) || mem->index != ZYDIS_REGISTER_NONE ||
	    !mem->disp.has_displacement || mem->segment == ZYDIS_REGISTER_FS ||
	    mem->segment == ZYDIS_REGISTER_GS)
		return false;
	if (mem->base == ZYDIS_REGISTER_RIP)
		ret->value = (int64_t)(d->next + (uint64_t)mem->disp.value);
	else if (mem->base == ZYDIS_REGISTER_NONE)
		ret->value = mem->disp.value;
	else
		return false;
	return true;
}

/* A branch with the target in the instruction: sets value. */
static bool takes_target(struct instruction *ret, const struct decoded *d)
{
	const ZydisDecodedOperand *operand = &d->operands[0];

	if (!is_immediate(operand) || !operand->imm.is_relative)
		return false;
	ret->value = (int64_t)(d->next + (uint64_t)operand->imm.value.s);
	return true;
}

/* "lock orl $0, (%rsp)": a barrier, or a look at whether the page is there. Nothing changes. */
static bool changes_nothing(const struct decoded *d)
{
	switch (d->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_XOR:
		return is_immediate(&d->operands[1]) && d->operands[1].imm.value.u == 0;
	default:
		return false;
	}
}

/* What any instruction does: registers it writes, and where in memory. */
static void describe(struct instruction *ret, const struct decoded *d)
{
	if (changes_nothing(d))
		return;
	for (unsigned i = 0; i < d->instruction.operand_count; i++) {
		const ZydisDecodedOperand *operand = &d->operands[i];
		uint8_t number;

		if (!(operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (is_memory(operand) && takes_place(ret, operand)) {
			ret->kind = INSTRUCTION_STORE;
			/* More than 255 bytes (xsave) are written to areas of their own. */
			ret->size = operand->size / 8 < 255 ? (uint8_t)(operand->size / 8) : 255;
		} else if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			number = whole_register(operand->reg.value);
			if (number != REGISTER_NONE)
				ret->written |= (uint16_t)(1u << number);
		}
	}
}

static void describe_move(struct instruction *ret, const struct decoded *d)
{
	const ZydisDecodedOperand *to = &d->operands[0], *from = &d->operands[1];
	uint8_t a = register_of(to), b = register_of(from);

	describe(ret, d);
	if (a != REGISTER_NONE && b != REGISTER_NONE) {
		*ret = (struct instruction){ .kind = INSTRUCTION_MOVE, .a = a, .b = b };
	} else if (a != REGISTER_NONE && takes_place(ret, from)) {
		ret->kind = INSTRUCTION_LOAD;
		ret->a = a;
		ret->written = 0;
	} else if (b != REGISTER_NONE && ret->kind == INSTRUCTION_STORE) {
		ret->a = b;
	} else if (to->type == ZYDIS_OPERAND_TYPE_REGISTER && is_immediate(from)) {
		a = whole_register(to->reg.value);
		if (a == REGISTER_NONE || to->size < 32)
			return;
		*ret = (struct instruction){ .kind = from->imm.value.u ? INSTRUCTION_ADDRESS
								       : INSTRUCTION_CLEAR,
					     .a = a,
					     .b = REGISTER_NONE,
					     .value = from->imm.value.s };
		/* A 32-bit move clears the upper half. */
		if (to->size == 32)
			ret->value = (int64_t)(uint32_t)ret->value;
	}
}

static void describe_lea(struct instruction *ret, const struct decoded *d)
{
	uint8_t a = register_of(&d->operands[0]);

	if (a != REGISTER_NONE && takes_place(ret, &d->operands[1]))
		*ret = (struct instruction){
			.kind = INSTRUCTION_ADD, .a = a, .b = ret->b, .value = ret->value
		};
	else if (a != REGISTER_NONE && takes_address(ret, d, &d->operands[1]))
		*ret = (struct instruction){
			.kind = INSTRUCTION_ADDRESS, .a = a, .b = REGISTER_NONE, .value = ret->value
		};
	else
		describe(ret, d);
}

static void describe_arithmetic(struct instruction *ret, const struct decoded *d)
{
	uint8_t a = register_of(&d->operands[0]);
	int64_t value = d->operands[1].imm.value.s;

	describe(ret, d);
	if (a == REGISTER_NONE || !is_immediate(&d->operands[1]))
		return;
	if (d->instruction.mnemonic == ZYDIS_MNEMONIC_AND) {
		if (value < 0)
			*ret = (struct instruction){ .kind = INSTRUCTION_ALIGN,
						     .a = a,
						     .b = REGISTER_NONE,
						     .value = value };
		return;
	}
	if (d->instruction.mnemonic == ZYDIS_MNEMONIC_SUB)
		value = (int64_t) - (uint64_t)value;
	*ret = (struct instruction){ .kind = INSTRUCTION_ADD, .a = a, .b = a, .value = value };
}

/* xor and sub of a register with itself. */
static bool clears(struct instruction *ret, const struct decoded *d)
{
	const ZydisDecodedOperand *to = &d->operands[0], *from = &d->operands[1];

	if (to->type != ZYDIS_OPERAND_TYPE_REGISTER || from->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    to->reg.value != from->reg.value || to->size < 32)
		return false;
	*ret = (struct instruction){ .kind = INSTRUCTION_CLEAR,
				     .a = whole_register(to->reg.value),
				     .b = REGISTER_NONE };
	return true;
}

static void describe_stack(struct instruction *ret, const struct decoded *d)
{
	bool push = d->instruction.meta.category == ZYDIS_CATEGORY_PUSH;

	/* With an operand size prefix it is two bytes: nobody does that. */
	if (d->instruction.operand_width != 64) {
		describe(ret, d);
		ret->written |= 1u << REGISTER_SP;
		return;
	}
	if (d->instruction.operand_count_visible)
		ret->a = register_of(&d->operands[0]);
	if (d->instruction.operand_count_visible)
		takes_place(ret, &d->operands[0]);
	ret->kind = push ? INSTRUCTION_PUSH : INSTRUCTION_POP;
}

static void describe_exchange(struct instruction *ret, const struct decoded *d)
{
	uint8_t a = register_of(&d->operands[0]), b = register_of(&d->operands[1]);

	if (a != REGISTER_NONE && b != REGISTER_NONE)
		*ret = (struct instruction){ .kind = INSTRUCTION_EXCHANGE, .a = a, .b = b };
	else
		describe(ret, d);
}

static void describe_control(struct instruction *ret, const struct decoded *d)
{
	ZydisMnemonic mnemonic = d->instruction.mnemonic;

	/* loop and xbegin write a register, too. */
	describe(ret, d);
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_JMP:
		ret->written = 0;
		ret->b = REGISTER_NONE;
		if (takes_target(ret, d)) {
			ret->kind = mnemonic == ZYDIS_MNEMONIC_CALL ? INSTRUCTION_CALL
								    : INSTRUCTION_JUMP;
		} else {
			ret->kind = mnemonic == ZYDIS_MNEMONIC_CALL ? INSTRUCTION_CALL_INDIRECT
								    : INSTRUCTION_JUMP_INDIRECT;
			if (!takes_address(ret, d, &d->operands[0]))
				ret->value = 0;
		}
		break;
	case ZYDIS_MNEMONIC_XEND:
	case ZYDIS_MNEMONIC_XABORT: /* nothing happens outside of a transaction */
		break;
	default:
		ret->kind = takes_target(ret, d) ? INSTRUCTION_BRANCH : INSTRUCTION_STOP;
		ret->not_equal = mnemonic == ZYDIS_MNEMONIC_JNZ;
		break;
	}
}

static void describe_return(struct instruction *ret, const struct decoded *d)
{
	/* iret, sysret and far returns leave the program's own frames. */
	if (d->instruction.mnemonic != ZYDIS_MNEMONIC_RET ||
	    d->instruction.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) {
		ret->kind = INSTRUCTION_STOP;
		return;
	}
	ret->kind = INSTRUCTION_RETURN;
	if (d->instruction.operand_count_visible && is_immediate(&d->operands[0]))
		ret->value = (int64_t)(d->operands[0].imm.value.u & 0xffff);
}

static void describe_any(struct instruction *ret, const struct decoded *d)
{
	switch (d->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_NOP:
		ret->kind = INSTRUCTION_NOP;
		return;
	case ZYDIS_MNEMONIC_ENDBR64:
		ret->kind = INSTRUCTION_ENTRY;
		return;
	case ZYDIS_MNEMONIC_MOV:
		describe_move(ret, d);
		return;
	case ZYDIS_MNEMONIC_LEA:
		describe_lea(ret, d);
		return;
	case ZYDIS_MNEMONIC_XOR:
		if (!clears(ret, d))
			describe(ret, d);
		return;
	case ZYDIS_MNEMONIC_SUB:
		if (!clears(ret, d))
			describe_arithmetic(ret, d);
		return;
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_AND:
		describe_arithmetic(ret, d);
		return;
	case ZYDIS_MNEMONIC_XCHG:
		describe_exchange(ret, d);
		return;
	case ZYDIS_MNEMONIC_CMP:
		ret->kind = INSTRUCTION_COMPARE;
		ret->a = register_of(&d->operands[0]);
		ret->b = register_of(&d->operands[1]);
		return;
	case ZYDIS_MNEMONIC_ENTER:
		ret->kind = INSTRUCTION_ENTER;
		ret->value = (int64_t)d->operands[0].imm.value.u;
		/* Nested frames are no C. */
		if (d->operands[1].imm.value.u)
			ret->kind = INSTRUCTION_STOP;
		return;
	case ZYDIS_MNEMONIC_LEAVE:
		ret->kind = INSTRUCTION_LEAVE;
		return;
	case ZYDIS_MNEMONIC_SYSCALL:
		ret->kind = INSTRUCTION_SYSCALL;
		ret->written = 1u << REGISTER_AX | 1u << REGISTER_CX | 1u << 11;
		return;
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
		ret->kind = INSTRUCTION_STOP;
		return;
	default:
		describe(ret, d);
		return;
	}
}

/* Programs at fixed addresses name functions by plain numbers. */
static uint32_t immediate_of(const struct decoded *d)
{
	const ZydisDecodedOperand *operand =
		&d->operands[d->instruction.mnemonic == ZYDIS_MNEMONIC_PUSH ? 0 : 1];

	switch (d->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_PUSH:
		return is_immediate(operand) && operand->imm.value.u <= INT32_MAX
			       ? (uint32_t)operand->imm.value.u
			       : 0;
	default:
		return 0;
	}
}

bool instruction_decode(struct instruction *ret, const unsigned char *bytes, size_t size,
			uint64_t address)
{
	ZydisDecoder decoder;
	struct decoded d;

	if (!ZYAN_SUCCESS(
		    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    !ZYAN_SUCCESS(
		    ZydisDecoderDecodeFull(&decoder, bytes, size, &d.instruction, d.operands)))
		return false;
	d.next = address + d.instruction.length;
	*ret = (struct instruction){ .a = REGISTER_NONE, .b = REGISTER_NONE };
	switch (d.instruction.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_COND_BR:
		describe_control(ret, &d);
		break;
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSRET:
		describe_return(ret, &d);
		break;
	case ZYDIS_CATEGORY_PUSH:
	case ZYDIS_CATEGORY_POP:
		describe_stack(ret, &d);
		break;
	default:
		describe_any(ret, &d);
		break;
	}
	ret->length = d.instruction.length;
	ret->immediate = immediate_of(&d);
	return true;
}
