// SPDX-License-Identifier: Apache-2.0
#include "oracle/code.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <Zydis/Zydis.h>

static bool is_sp(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       (operand->reg.value == ZYDIS_REGISTER_RSP ||
		operand->reg.value == ZYDIS_REGISTER_ESP);
}

/* Instructions that give rsp another value by their operands, not as a side effect. */
static enum code_kind kind_of_write(const ZydisDecodedInstruction *instruction,
				    const ZydisDecodedOperand *operands)
{
	const ZydisDecodedOperand *other = NULL;
	bool writes = false;

	for (unsigned i = 0; i < instruction->operand_count_visible; i++) {
		if (is_sp(&operands[i]) && operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			writes = true;
		else if (!other)
			other = &operands[i];
	}
	if (!writes)
		return CODE_OTHER;
	switch (instruction->mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_XCHG:
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_CMOVZ:
	case ZYDIS_MNEMONIC_CMOVNZ:
		return !other || other->type == ZYDIS_OPERAND_TYPE_MEMORY ? CODE_LOADS_SP
									  : CODE_SETS_SP;
	case ZYDIS_MNEMONIC_LEA:
		return other && other->mem.base == ZYDIS_REGISTER_RSP ? CODE_OTHER : CODE_SETS_SP;
	default: /* arithmetic */
		return CODE_OTHER;
	}
}

static void classify(struct code *code, const void *bytes, size_t size)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction instruction;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	code->kind = CODE_UNKNOWN;
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, size, &instruction, operands)))
		return;
	code->size = instruction.length;
	switch (instruction.meta.category) {
	case ZYDIS_CATEGORY_CALL:
		code->kind = CODE_CALL;
		return;
	case ZYDIS_CATEGORY_RET:
		code->kind = CODE_RETURN;
		return;
	case ZYDIS_CATEGORY_UNCOND_BR:
		if (operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			code->kind = CODE_JUMP;
		else
			code->kind = CODE_OTHER;
		return;
	case ZYDIS_CATEGORY_SYSCALL:
		code->kind = CODE_SYSCALL;
		return;
	default:
		break;
	}
	code->kind = kind_of_write(&instruction, operands);
	if (code->kind == CODE_OTHER && instruction.mnemonic == ZYDIS_MNEMONIC_POP)
		code->kind = CODE_POP;
}

const struct code *code_at(struct code_cache *cache, uint64_t address,
			   size_t (*read)(void *context, uint64_t address, void *ret, size_t size),
			   void *context)
{
	uint64_t hash = hash_u64(address);
	uint32_t at = hash_index_find(&cache->index, hash, NULL, NULL, NULL);
	unsigned char bytes[CODE_MAX_BYTES];
	struct code *code;

	if (at != HASH_ABSENT)
		return &cache->known.at[at];
	code = array_push(&cache->known);
	if (!code || hash_index_add(&cache->index, hash, cache->known.count - 1) < 0)
		abort();
	code->address = address;
	classify(code, bytes, read(context, address, bytes, sizeof(bytes)));
	return code;
}

void code_forget(struct code_cache *cache)
{
	array_fini(&cache->known);
	hash_index_fini(&cache->index);
}

size_t code_text(char *ret, size_t ret_size, uint64_t address, const void *bytes, size_t size)
{
	ZydisDisassembledInstruction instruction;

	if (ZYAN_FAILED(ZydisDisassembleATT(ZYDIS_MACHINE_MODE_LONG_64, address, bytes, size,
					    &instruction)))
		return 0;
	snprintf(ret, ret_size, "%s", instruction.text);
	return instruction.info.length;
}
