/* SPDX-License-Identifier: Apache-2.0 */
/* What differs by processor, but for system calls. */
#pragma once

#include <stdint.h>

#if defined(__x86_64__)
/* rbx, which functions that do nothing but call have left alone. */
#define MACHINE_BX()                                                                               \
	({                                                                                         \
		uint64_t bx_;                                                                      \
		__asm__ volatile("mov %%rbx, %0" : "=r"(bx_));                                     \
		bx_;                                                                               \
	})
/* Of a function that begins with "push rbp; mov rbp, rsp": its caller's stack pointer. */
#define MACHINE_CALLER_SP() ((uint64_t)(uintptr_t)__builtin_frame_address(0) + 16)
#define MACHINE_CALLER_IP() (((const uint64_t *)__builtin_frame_address(0))[1])

/* No memcpy, which sanitizers replace: they would find fault with what lies on a stack. */
static inline void machine_copy(void *to, uint64_t from, uint64_t bytes)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

/* A thread's control block, which begins with its own address, lies at the end of its stack. */
static inline uint64_t machine_thread_pointer(void)
{
	uint64_t thread;

	__asm__("mov %%fs:0, %0" : "=r"(thread));
	return thread;
}

/* The id of the thread, so far behind its control block's beginning. */
static inline uint32_t machine_thread_id(uint32_t offset)
{
	uint32_t id;

	__asm__ volatile("movl %%fs:(%1), %0" : "=r"(id) : "r"((uint64_t)offset));
	return id;
}
#define MACHINE_FINDS_THREAD_ID 1
#elif defined(__aarch64__)
/* The link register is the callee's by now. */
#define MACHINE_BX() ((uint64_t)0)
#define MACHINE_CALLER_SP() ((uint64_t)(uintptr_t)__builtin_dwarf_cfa())
/* Without its signature, if it has one. */
#define MACHINE_CALLER_IP() ((uint64_t)(uintptr_t)__builtin_return_address(0) & ((1ULL << 48) - 1))

static inline void machine_copy(void *to, uint64_t from, uint64_t bytes)
{
	uint64_t word;

	while (bytes >= 8) {
		__asm__ volatile("ldr %0, [%2], #8\n\tstr %0, [%1], #8"
				 : "=&r"(word), "+r"(to), "+r"(from)
				 :
				 : "memory");
		bytes -= 8;
	}
	while (bytes) {
		__asm__ volatile("ldrb %w0, [%2], #1\n\tstrb %w0, [%1], #1"
				 : "=&r"(word), "+r"(to), "+r"(from)
				 :
				 : "memory");
		bytes--;
	}
}

/* A thread's control block lies right behind what the C library keeps of it, at the end of its stack. */
static inline uint64_t machine_thread_pointer(void)
{
	return (uint64_t)(uintptr_t)__builtin_thread_pointer();
}

/* Never asked for: the offset counts from elsewhere. */
static inline uint32_t machine_thread_id(uint32_t offset)
{
	(void)offset;
	return 0;
}
#define MACHINE_FINDS_THREAD_ID 0
#else
#error "machine.h: this processor is not described yet"
#endif
