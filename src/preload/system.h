/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls without the C library: no errno, no cancellation points, nothing that a sanitizer or
 * another preloaded library has replaced. Each returns a result or a negative errno. x86-64.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

static inline long system_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define SYSTEM_CALL_1(number, a) system_call(number, (long)(a), 0, 0, 0, 0, 0)
#define SYSTEM_CALL_2(number, a, b) system_call(number, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYSTEM_CALL_3(number, a, b, c) system_call(number, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYSTEM_CALL_4(number, a, b, c, d)                                                          \
	system_call(number, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
