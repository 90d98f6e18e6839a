/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the machine run one instruction at a time, and each stack compared with the true one. */
#pragma once

#include <stdint.h>

struct verify_steps {
	/* 0, or why it was not done: a negative errno (-EPERM: ptrace is not allowed; -EOPNOTSUPP: profd
	   was built without a decoder of instructions). */
	int error;
	uint64_t instructions;
	uint64_t compared;  /* stacks */
	uint64_t wrong;	    /* of them */
	uint64_t explained; /* also wrong, at places that are known and cannot be helped */
};

/*
 * In a process of its own, which ends with the program. argv: of the program, which is found as by a shell.
 * Returns 0 with *ret, or a negative errno.
 */
int verify_steps(struct verify_steps *ret, char **argv, uint64_t instructions);
