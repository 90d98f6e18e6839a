/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of system calls (seccomp(2), Documentation/userspace-api/seccomp_filter.rst), which are for
 * good and for what is started, too. PR_SET_NO_NEW_PRIVS is the caller's to set before.
 */
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#if defined(__x86_64__)
#define SECCOMP_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SECCOMP_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "seccomp.h: the system calls of this architecture are not described yet"
#endif

/* ---- statements of a filter ---- */

/* A field of struct seccomp_data; of one of 64 bits its low half. */
#define SECCOMP_LOAD(field) SECCOMP_LOAD_AT(offsetof(struct seccomp_data, field))
#define SECCOMP_LOAD_AT(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
/* Skips so many statements when it is equal, or else. */
#define SECCOMP_EQUALS(value, then, otherwise)                                                     \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), then, otherwise)
#define SECCOMP_END(outcome) BPF_STMT(BPF_RET | BPF_K, outcome)

/* Puts the filter over this thread. Returns 0 or a negative errno. */
int seccomp_install(const struct sock_filter *filter, size_t count);
/*
 * From now on these calls (SYS_…) fail with EPERM, and so does every one of x32 or of another
 * architecture; all others go on. Returns 0 or a negative errno.
 */
int seccomp_refuse(const int *calls, size_t count);
