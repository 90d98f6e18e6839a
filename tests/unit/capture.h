/* SPDX-License-Identifier: Apache-2.0 */
/* The registers that a walk begins with, of the very place where this stands. Lvalues of uint64_t. */
#pragma once

#if defined(__x86_64__)
#define CAPTURE_REGISTERS(ip, sp, bp, bx)                                                          \
	__asm__ volatile("mov %%rbx, %3\n\tlea 0(%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"     \
			 : "=&r"(ip), "=&r"(sp), "=&r"(bp), "=&r"(bx))
#elif defined(__aarch64__)
#define CAPTURE_REGISTERS(ip, sp, bp, bx)                                                          \
	__asm__ volatile("adr %0, .\n\tmov %1, sp\n\tmov %2, x29\n\tmov %3, x30"                   \
			 : "=&r"(ip), "=&r"(sp), "=&r"(bp), "=&r"(bx))
#endif
