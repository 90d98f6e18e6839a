/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One x86-64 instruction, cut down to what it does to the frame of its function: where control
 * goes, what becomes of the stack pointer, and which registers and stack words are copied or lost.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	INSTRUCTION_MAX_BYTES = 15,
	/* Numbers of general registers as the machine encodes them. */
	REGISTER_AX = 0,
	REGISTER_CX = 1,
	REGISTER_DX = 2,
	REGISTER_BX = 3,
	REGISTER_SP = 4,
	REGISTER_BP = 5,
	REGISTER_SI = 6,
	REGISTER_DI = 7,
	REGISTERS = 16,
	REGISTER_NONE = 255,
};

enum instruction_kind {
	INSTRUCTION_OTHER,
	INSTRUCTION_NOP,      /* padding, or nothing at all */
	INSTRUCTION_ENTRY,    /* endbr64: a place for indirect branches */
	INSTRUCTION_MOVE,     /* a = b */
	INSTRUCTION_ADD,      /* a = b + value */
	INSTRUCTION_ADDRESS,  /* a = value, the ELF address that the code names */
	INSTRUCTION_CLEAR,    /* a = 0 */
	INSTRUCTION_ALIGN,    /* a = a rounded down */
	INSTRUCTION_EXCHANGE, /* a and b change places */
	INSTRUCTION_LOAD,     /* a = 8 bytes at b + value */
	INSTRUCTION_STORE, /* `size` bytes at b + value = a, or anything when a is REGISTER_NONE */
	INSTRUCTION_PUSH,     /* a; or 8 bytes at b + value, b being a register; or anything */
	INSTRUCTION_POP,   /* into a; or to b + value, b being a register; or somewhere */
	INSTRUCTION_ENTER, /* push rbp; mov rbp, rsp; sub rsp, value */
	INSTRUCTION_LEAVE, /* mov rsp, rbp; pop rbp */
	INSTRUCTION_COMPARE, /* a with b */
	INSTRUCTION_SYSCALL,
	INSTRUCTION_CALL,	   /* to `value` */
	INSTRUCTION_CALL_INDIRECT, /* value: ELF address of the pointer, 0: not told */
	INSTRUCTION_JUMP,
	INSTRUCTION_JUMP_INDIRECT, /* value: as for the call */
	INSTRUCTION_BRANCH,	   /* to `value`, or on */
	INSTRUCTION_RETURN,	   /* value: bytes of arguments dropped */
	INSTRUCTION_STOP,	   /* control does not go on, or nobody knows where */
};

struct instruction {
	uint8_t length, kind;
	uint8_t a, b;	/* registers, REGISTER_NONE: none */
	uint8_t size;	/* of what is stored, in bytes */
	bool not_equal; /* BRANCH: taken unless the operands of the COMPARE before it are equal */
	uint32_t
		immediate; /* a number that is stored, compared or passed and may be an address; 0: none */
	uint16_t written; /* one bit for each register that is changed in another way than above */
	int64_t value;
};

/*
 * Decodes the instruction at ELF address `address`; bytes: `size` of them, more than
 * INSTRUCTION_MAX_BYTES are not looked at. Returns false when there is none.
 */
bool instruction_decode(struct instruction *ret, const unsigned char *bytes, size_t size,
			uint64_t address);
