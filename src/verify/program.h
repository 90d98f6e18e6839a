/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of which everything is known: what share of its CPU time each function takes, and who calls whom.
 * It is profd itself, started with other words, so that it is there on any machine; its functions are told
 * by their addresses, which a stripped file has, too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Functions of the program. Those up to PROGRAM_PARTS have a known share of its CPU time. */
enum program_function {
	PROGRAM_PART_10,
	PROGRAM_PART_20,
	PROGRAM_PART_30,
	PROGRAM_PART_40,
	PROGRAM_PARTS,
	PROGRAM_MAIN = PROGRAM_PARTS, /* of the first thread */
	PROGRAM_THREAD,		      /* of the others */
	PROGRAM_SPLIT,
	PROGRAM_TURN, /* goes round all shapes */
	PROGRAM_RECURSE,
	PROGRAM_BOTTOM_10, /* below so many recursions */
	PROGRAM_BOTTOM_100,
	PROGRAM_BOTTOM_900,
	PROGRAM_WIDE, /* a frame of 40 KiB */
	PROGRAM_BELOW_WIDE,
	PROGRAM_VARIABLE, /* a frame whose size is known when it runs */
	PROGRAM_BELOW_VARIABLE,
	PROGRAM_SORT, /* calls back from within the C library */
	PROGRAM_COMPARE,
	PROGRAM_RAISE, /* a signal, which is handled */
	PROGRAM_HANDLE,
	PROGRAM_BELOW_HANDLE,
	PROGRAM_CALL_KERNEL,
	PROGRAM_FUNCTIONS
};

/* What the split program has measured of itself. */
struct program_truth {
	uint64_t part_ns[PROGRAM_PARTS];
	uint64_t total_ns; /* CPU time from the first slice to the last one */
};

/* WHAT SECONDS FD: argv of the program, started as "profd _verify ...". Returns its exit status. */
int program_main(char **argv);

/*
 * Which of them holds the address, of this very file (ELF addresses, as objects have them); PROGRAM_FUNCTIONS: none of
 * them.
 */
enum program_function program_function_at(uint64_t elf_address);
/* Does the entry point's code begin shortly before the address? */
bool program_is_entry(uint64_t elf_address);

/*
 * A stack's functions as program_function_at tells them, outermost first, others left out: is it one that the
 * program can have, whole from its root to where it was? See chain.c.
 */
bool program_can_have(const uint8_t *functions, uint32_t count);
