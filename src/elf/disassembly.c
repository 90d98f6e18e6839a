// SPDX-License-Identifier: Apache-2.0
#include "elf/disassembly.h"

#include <stdio.h>

#include <Zydis/Zydis.h>

/* Where a call or a jump leads. */
static uint64_t target_of(const ZydisDecodedInstruction *instruction,
			  const ZydisDecodedOperand *operands, uint64_t address)
{
	uint64_t target;

	switch (instruction->meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_COND_BR:
		break;
	default:
		return 0;
	}
	if (!instruction->operand_count_visible ||
	    operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(instruction, &operands[0], address, &target)))
		return 0;
	return target;
}

int disassemble(char ret[DISASSEMBLY_TEXT_BYTES], uint64_t *ret_target, const unsigned char *bytes,
		size_t size, uint64_t address)
{
	ZydisDecoder decoder;
	ZydisFormatter formatter;
	ZydisDecodedInstruction instruction;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

	*ret_target = 0;
	snprintf(ret, DISASSEMBLY_TEXT_BYTES, "(bad)");
	if (!ZYAN_SUCCESS(
		    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    !ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT)) ||
	    !ZYAN_SUCCESS(ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE,
						    ZYAN_FALSE)) ||
	    !ZYAN_SUCCESS(ZydisFormatterSetProperty(&formatter,
						    ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
						    (ZyanUPointer)ZYDIS_PADDING_DISABLED)) ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, size, &instruction, operands)))
		return 1;
	*ret_target = target_of(&instruction, operands, address);
	if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &instruction, operands,
							  instruction.operand_count_visible, ret,
							  DISASSEMBLY_TEXT_BYTES, address,
							  ZYAN_NULL)))
		snprintf(ret, DISASSEMBLY_TEXT_BYTES, "(bad)");
	return instruction.length;
}
