/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * User registers in the kernel's hands: as it saves them on entry, and as programs get them. What the
 * names mean differs by processor, so nothing but these files knows them:
 *
 *     struct pt_regs___kernel          as saved, with the fields that are read
 *     saved_leaf, saved_call, ...      what of it the walks need
 *     CONTEXT_LEAF                     the same of the registers that a program is called with; a
 *                                      macro, since the verifier wants them read one by one
 */
#pragma once

#include "kernel.h"
#include "saved_place.h"
#include "wire.h"

/* Read here: clang would else merge reads of two branches, through a moved ctx. */
#define CONTEXT_READ(to, from)                                                                     \
	do {                                                                                       \
		uint64_t value_ = (from);                                                          \
		barrier_var(value_);                                                               \
		(to) = value_;                                                                     \
	} while (0)

#if defined(__TARGET_ARCH_x86)
#include "registers_x86_64.h"
#elif defined(__TARGET_ARCH_arm64)
#include "registers_aarch64.h"
#else
#error "registers.h: the registers of this processor are not described yet"
#endif
